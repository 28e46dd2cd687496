"""Guidance: how the known pixels steer a denoiser, with one file per paper."""
