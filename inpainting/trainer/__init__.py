"""Parts of Lightning's trainer other than callbacks and loggers."""
