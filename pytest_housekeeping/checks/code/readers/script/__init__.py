"""JavaScript and TypeScript source: query builders and template strings."""
