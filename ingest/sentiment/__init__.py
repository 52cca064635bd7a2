"""The sentiment of headlines: a small linear model. No I/O but the reading of its weights."""
