"""Source files read, by language and by content: what each names of the database."""
