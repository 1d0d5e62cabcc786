"""Who is who: identities found in the rows, and what each of them may see."""
