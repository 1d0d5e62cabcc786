"""What checks/*.toml declares, and the rules that ship."""
