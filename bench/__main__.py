"""``make bench``: every measurement with its defaults; ``ARGS="ingest --flat"``: one of them."""

import sys

from bench import fill, first_viewer, ingest, latency, page, path
from bench.fanout import command as fanout

MEASUREMENTS = {
    "latency": latency.main,
    "first_viewer": first_viewer.main,
    "fill": fill.main,
    "ingest": ingest.main,
    "page": page.main,
    "path": path.main,
    "fanout": fanout.main,
}

if __name__ == "__main__":
    name, arguments = (sys.argv[1], sys.argv[2:]) if len(sys.argv) > 1 else (None, [])
    if name is not None and name not in MEASUREMENTS:
        sys.exit(f"python -m bench [{'|'.join(MEASUREMENTS)}] [--help]")
    measurements = MEASUREMENTS.values() if name is None else [MEASUREMENTS[name]]
    sys.exit(max([measure(arguments) for measure in measurements]))
