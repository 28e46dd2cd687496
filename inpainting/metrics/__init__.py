"""Metrics: one file each, composed by name in conf/metrics."""
