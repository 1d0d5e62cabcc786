"""The schema at one moment: its fingerprint, its dump, and the proof that the dump restores."""
