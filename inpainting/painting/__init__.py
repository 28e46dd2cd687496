"""The page on which a hole is painted into an image and filled."""
