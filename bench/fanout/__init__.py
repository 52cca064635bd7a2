"""The fan-out of this gateway, of nginx with nchan, and of sse-starlette with queues, compared."""
