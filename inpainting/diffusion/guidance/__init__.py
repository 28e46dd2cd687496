"""Guidance: how the known pixels steer a denoiser, a file for each paper."""
