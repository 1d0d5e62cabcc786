"""The own tables of this tool: what they hold, how they are made, and who may write to them."""
