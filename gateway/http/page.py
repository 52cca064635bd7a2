"""The web page at ``/``: the build of ``make web``, read once, at the start."""

import re
from hashlib import sha256
from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

BUILD = Path(__file__).with_name("page")

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
MEDIA_TYPES = {
    ".css": "text/css",
    ".html": "text/html",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
    ".txt": "text/plain",
}

REVALIDATED = "no-cache"
KEPT = "public, max-age=31536000, immutable"
"""For names that contain a hash: other content has another name."""

NOT_BUILT = b"""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Tapecast</title>
<h1>Tapecast</h1>
<p>The gateway runs, but its page has not been built: <code>make web</code>, then start it again.
<p>All else is there without it: <code>curl -N '/api/stream/prices?symbols=SPY'</code> with the
address of this page before it, and <a href="openapi.json">openapi.json</a>.
</html>
"""

_TAKES_GZIP = re.compile(r"\bgzip\b(?!\s*;\s*q=0(\.0*)?\s*(,|$))", re.IGNORECASE)


class _File:
    """A file that is served, with its compressed form, if there is one."""

    def __init__(self, name: str, content: bytes, compressed: bytes | None, cache: str) -> None:
        self._media_type = MEDIA_TYPES.get(Path(name).suffix, "application/octet-stream")
        self._headers = {
            "Cache-Control": cache,
            "Referrer-Policy": "no-referrer",
        }
        if self._media_type == "text/html":
            self._headers["Content-Security-Policy"] = POLICY
        if compressed is not None:
            self._headers["Vary"] = "Accept-Encoding"
        # Each form has its tag: a cache must not take one for the other.
        self._plain = (content, _etag(content), None)
        self._gzip = self._plain if compressed is None else (compressed, _etag(compressed), "gzip")

    def answer(self, request: Request) -> Response:
        """Return it in a form that the client accepts, or 304 if the client has it."""
        takes_gzip = _TAKES_GZIP.search(request.headers.get("accept-encoding", ""))
        content, etag, encoding = self._gzip if takes_gzip else self._plain
        headers = {**self._headers, "ETag": etag}
        # Proxies that compress, such as nginx, turn a strong tag into a weak one.
        cached = request.headers.get("if-none-match", "").split(",")
        if {etag, "*"} & {each.strip().removeprefix("W/") for each in cached}:
            return Response(status_code=304, headers=headers)
        if encoding is not None:
            headers["Content-Encoding"] = encoding
        return Response(content, headers=headers, media_type=self._media_type)


class Page:
    """The build in a folder. Files outside of it, or added later, are not served.

    If there is no build, ``/`` explains how to make one.
    """

    def __init__(self, folder: Path = BUILD) -> None:
        self._files = {"index.html": _File("index.html", NOT_BUILT, None, REVALIDATED)}
        self._files |= _read(folder, REVALIDATED)
        self._assets = _read(folder / "assets", KEPT)

    async def index(self, request: Request) -> Response:
        """``GET /``."""
        return self._files["index.html"].answer(request)

    async def licences(self, request: Request) -> Response:
        """``GET /licenses.txt``: of the packages that the page is built from."""
        return _answer(self._files, "licenses.txt", request)

    async def asset(self, request: Request) -> Response:
        """``GET /assets/{name}``: scripts, styles and images."""
        return _answer(self._assets, request.path_params["name"], request)


def _answer(served: dict[str, _File], name: str, request: Request) -> Response:
    if name not in served:
        raise HTTPException(404)
    return served[name].answer(request)


def _read(folder: Path, cache: str) -> dict[str, _File]:
    """Return the files of a folder by name; ``name.gz`` is the compressed form of ``name``."""
    found = {path.name: path.read_bytes() for path in folder.glob("*") if path.is_file()}
    return {
        name: _File(name, content, found.get(f"{name}.gz"), cache)
        for name, content in found.items()
        if not name.endswith(".gz")
    }


def _etag(content: bytes) -> str:
    return f'"{sha256(content).hexdigest()[:20]}"'
