"""The batch on a copy of production, before production sees anything of it."""
