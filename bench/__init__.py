"""Measurements: ratios within one run, medians and percentiles, each beside that of a peer."""
