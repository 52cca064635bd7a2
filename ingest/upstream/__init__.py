"""Alpaca's side: the streams, the REST API, and what their messages and errors mean."""
