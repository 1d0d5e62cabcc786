"""The tool's own tables in a database: what they hold, how they are made, and who may write to them."""
