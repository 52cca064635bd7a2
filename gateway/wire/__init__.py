"""The vocabulary of a gateway: its events, ids, principals and its view of the feed."""
