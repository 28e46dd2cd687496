"""The tasks behind the commands, such as train, evaluate and fill, one module each."""
