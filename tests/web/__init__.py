"""Tests of the web part, by its own tools."""
