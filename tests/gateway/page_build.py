"""A small page, as a build lays it down."""

import gzip
from pathlib import Path

INDEX = b"<!doctype html><title>built</title>"
SCRIPT = b"new EventSource('/api/stream/prices?symbols=SPY');" * 20
ASSETS = {
    "index-A1b2C3d4.js": SCRIPT,
    "index-A1b2C3d4.js.gz": gzip.compress(SCRIPT, mtime=0),
    "index-E5f6G7h8.css": b"h1 { color: red }",
    "icon-J9k0L1m2.svg": b"<svg xmlns='http://www.w3.org/2000/svg'/>",
    "font-N3o4P5q6.woff2": b"wOF2",
}


def build_page(folder: Path) -> Path:
    """Write the page into a folder that is not there yet; return the folder."""
    (folder / "assets").mkdir(parents=True)
    (folder / "index.html").write_bytes(INDEX)
    (folder / "index.html.gz").write_bytes(gzip.compress(INDEX, mtime=0))
    (folder / "licenses.txt").write_bytes(b"MIT")
    for name, content in ASSETS.items():
        (folder / "assets" / name).write_bytes(content)
    return folder
