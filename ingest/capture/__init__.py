"""The capture: a file of the raw frames of all streams, and of REST's exchanges, as they come."""
