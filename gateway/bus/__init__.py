"""Redis' side: what is subscribed and read, what is claimed, what a gateway says of itself."""
