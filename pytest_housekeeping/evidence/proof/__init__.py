"""The proof of all committed evidence, offline: what each part of it has to agree with."""
