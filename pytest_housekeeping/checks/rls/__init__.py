"""Row-level security: rules, proofs and exemptions, judged on the schema as it stands."""
