"""The faults that a test or a person can inject."""
