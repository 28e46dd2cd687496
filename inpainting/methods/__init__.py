"""Methods: one Inpainter a file."""
