"""What the account holds: its positions at the newest prices, and what became of its orders."""
