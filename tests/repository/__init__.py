"""Tests of the rules that the repository keeps."""
