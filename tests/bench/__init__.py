"""Tests of the benchmarks: what they count and compare is right."""
