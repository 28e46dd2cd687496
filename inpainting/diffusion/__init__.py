"""Diffusion: the noising process, the samplers that fill holes and the guidance of samplers."""
