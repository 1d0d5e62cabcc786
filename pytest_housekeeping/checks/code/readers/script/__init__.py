"""JavaScript and TypeScript source: query builders, mappers and template strings."""
