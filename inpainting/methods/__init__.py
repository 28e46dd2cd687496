"""Inpainting methods: one `Inpainter` per file."""
