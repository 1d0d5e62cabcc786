"""Who is who: the identities that the rows belong to, and the rows that each of them sees."""
