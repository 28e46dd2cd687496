"""Images and masks as tensors and as files; imports nothing else of ours."""
