"""Measurements: ratios within one run, medians and percentiles, never a claim without its peer."""
