"""``make bench``: every measurement with its defaults."""

from bench import latency

if __name__ == "__main__":
    latency.main()
