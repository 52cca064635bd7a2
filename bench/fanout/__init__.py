"""Fan-out side by side: this gateway, nginx with nchan, sse-starlette with a queue per client."""
