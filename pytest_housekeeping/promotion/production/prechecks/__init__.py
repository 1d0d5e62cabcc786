"""What has to be true of production before its batch is begun."""
