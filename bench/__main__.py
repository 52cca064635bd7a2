"""``make bench``: every measurement with its defaults; ``ARGS="ingest --flat"``: one of them."""

import sys

from bench import fill, first_viewer, hostile, ingest, latency, page, path, soak
from bench.bars import command as bars
from bench.fanout import command as fanout
from bench.sentiment import command as sentiment

MEASUREMENTS = {
    "latency": latency.main,
    "first_viewer": first_viewer.main,
    "fill": fill.main,
    "ingest": ingest.main,
    "page": page.main,
    "path": path.main,
    "bars": bars.main,
    "fanout": fanout.main,
    "sentiment": sentiment.main,
}

# Only by their names: they take minutes, or as long as they are asked to.
LONG = {"soak": soak.main, "hostile": hostile.main}

if __name__ == "__main__":
    name, arguments = (sys.argv[1], sys.argv[2:]) if len(sys.argv) > 1 else (None, [])
    known = MEASUREMENTS | LONG
    if name is not None and name not in known:
        sys.exit(f"python -m bench [{'|'.join(known)}] [--help]")
    measurements = MEASUREMENTS.values() if name is None else [known[name]]
    sys.exit(max([measure(arguments) for measure in measurements]))
