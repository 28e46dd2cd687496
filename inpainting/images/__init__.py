"""Images and masks as tensors and as files; the lowest layer of the package."""
