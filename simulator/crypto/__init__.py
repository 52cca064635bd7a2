"""The market of pairs: their recorded tape, books, quotes and bars."""
