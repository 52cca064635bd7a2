"""The training of the headline scorer, and its figures."""
