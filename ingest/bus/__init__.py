"""Redis' side: the lease, the publisher, what was published before."""
