"""The documents and examples as their readers use them: run against a real standalone."""
