"""The recorded market: its tape, hours and bars, and their replay."""
