"""The web page at ``/``."""

from importlib.resources import files

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
MEDIA_TYPES = {"page.js": "text/javascript", "page.css": "text/css"}


class Page:
    """A watchlist for people, read from the package once."""

    def __init__(self) -> None:
        self._files = {
            name: files("gateway.http").joinpath("page", name).read_bytes()
            for name in ("index.html", *MEDIA_TYPES)
        }

    async def index(self, _: Request) -> Response:
        """``GET /``."""
        headers = {"Content-Security-Policy": POLICY, "Cache-Control": "no-cache"}
        return HTMLResponse(self._files["index.html"], headers=headers)

    async def file(self, request: Request) -> Response:
        """``GET /page/{name}``: the page's script and style."""
        name = request.path_params["name"]
        if name not in MEDIA_TYPES:
            raise HTTPException(404)
        return Response(
            self._files[name], media_type=MEDIA_TYPES[name], headers={"Cache-Control": "no-cache"}
        )
