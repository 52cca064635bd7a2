"""Tests: one folder for each part, and one for the repository itself."""
