"""What differs between fingerprints, and which differences mean nothing."""
