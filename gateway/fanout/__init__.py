"""Who gets what, and when: topics in, bytes for each client out. Knows neither Redis nor HTTP."""
