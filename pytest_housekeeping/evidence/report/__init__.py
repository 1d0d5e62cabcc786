"""A run told to people, made from its audit and from texts that the audit names by their digest."""
