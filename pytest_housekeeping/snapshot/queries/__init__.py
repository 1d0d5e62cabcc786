"""The catalog queries of a fingerprint, and when each of them is asked again."""
