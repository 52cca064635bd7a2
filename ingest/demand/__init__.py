"""What is wanted, and what Alpaca is asked for."""
