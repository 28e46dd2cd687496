"""What Lightning's trainer is given besides callbacks and loggers."""
