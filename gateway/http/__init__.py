"""The server's side: routes, who may come in, what a request asks for, the responses."""
