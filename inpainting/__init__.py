"""Train, measure and compare image inpainting methods."""
