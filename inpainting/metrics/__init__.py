"""Metrics, which are composed by name in conf/metrics."""
