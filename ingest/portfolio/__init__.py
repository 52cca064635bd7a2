"""The account: its positions at the newest prices, and the progress of its orders."""
