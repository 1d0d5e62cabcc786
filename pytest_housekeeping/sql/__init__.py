"""What is known of SQL as a language, whatever the database."""
