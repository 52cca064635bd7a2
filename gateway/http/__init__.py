"""HTTP: the routes, the access rules, the requests and the responses."""
