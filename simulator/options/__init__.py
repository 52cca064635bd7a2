"""Options: recorded contracts, moved to today, and their REST."""
