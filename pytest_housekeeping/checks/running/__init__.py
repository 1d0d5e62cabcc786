"""Code that runs already, on the schema that a batch makes: what the batch breaks of it."""
