"""The engine of rules: one .sql file evaluated over a scope, alone or in a batch."""
