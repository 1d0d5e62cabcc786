"""What the code does against its contracts, with exemptions and baseline."""
