"""Git: what is committed, and evidence put beside it. The only folder that imports git."""
