"""Diffusion: the process, walks back along it that fill holes, and what guides them."""
