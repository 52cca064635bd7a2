"""The page at ``/``, built and not built, and what a browser keeps of it."""

import gzip
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import httpx
import pytest

from gateway import composition
from gateway.http.page import Page
from shared.bus.redis_source import RedisSource
from tests.gateway.page_build import ASSETS, INDEX, SCRIPT
from tests.services import running_gateway

PATH = "/assets/index-A1b2C3d4.js"
PLAIN = {"Accept-Encoding": "identity"}


@asynccontextmanager
async def client_of_a_gateway() -> AsyncIterator[httpx.AsyncClient]:
    async with (
        running_gateway(RedisSource("memory://")) as url,
        httpx.AsyncClient(base_url=url) as opened,
    ):
        yield opened


@pytest.fixture
async def client(built_page: Path) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of_a_gateway() as opened:
        yield opened


@pytest.fixture
def nothing_built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(composition, "Page", partial(Page, tmp_path / "nowhere"))


@pytest.fixture
async def unbuilt(nothing_built: None) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of_a_gateway() as opened:
        yield opened


async def test_the_page_comes_under_a_strict_policy_and_is_asked_for_again(
    client: httpx.AsyncClient,
) -> None:
    page = await client.get("/", headers=PLAIN)

    assert page.content == INDEX
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert page.headers["cache-control"] == "no-cache"
    assert page.headers["referrer-policy"] == "no-referrer"
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("index-A1b2C3d4.js", "text/javascript; charset=utf-8"),
        ("index-E5f6G7h8.css", "text/css; charset=utf-8"),
        ("icon-J9k0L1m2.svg", "image/svg+xml"),
        ("font-N3o4P5q6.woff2", "application/octet-stream"),
    ],
)
async def test_a_file_with_a_hash_in_its_name_is_kept_for_ever(
    client: httpx.AsyncClient, name: str, kind: str
) -> None:
    answer = await client.get(f"/assets/{name}")

    assert answer.content == ASSETS[name]
    assert answer.headers["content-type"] == kind
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert answer.headers["x-content-type-options"] == "nosniff"


async def test_the_licences_are_a_text_that_is_asked_for_again(client: httpx.AsyncClient) -> None:
    answer = await client.get("/licenses.txt")

    assert (answer.text, answer.headers["cache-control"]) == ("MIT", "no-cache")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"


@pytest.mark.parametrize("path", ["/", PATH, "/licenses.txt"])
@pytest.mark.parametrize("coding", ["identity", "gzip"])
async def test_what_the_client_has_is_not_sent_again(
    client: httpx.AsyncClient, path: str, coding: str
) -> None:
    asked = {"Accept-Encoding": coding}
    first = await client.get(path, headers=asked)
    etag = first.headers["etag"]
    for held in (etag, f'"other", W/{etag}', "*"):
        again = await client.get(path, headers={**asked, "If-None-Match": held})

        assert (again.status_code, again.content) == (304, b"")
        for name in ("etag", "cache-control", "vary", "content-security-policy"):
            assert again.headers.get(name) == first.headers.get(name)
    other = await client.get(path, headers={**asked, "If-None-Match": '"other"'})
    assert (other.status_code, other.content) == (200, first.content)


@pytest.mark.parametrize("accepted", ["gzip", "br, GZIP", "deflate;q=1.0, gzip;q=0.5", "x-gzip"])
async def test_what_the_build_has_compressed_comes_so_to_who_takes_it(
    client: httpx.AsyncClient, accepted: str
) -> None:
    async with client.stream("GET", PATH, headers={"Accept-Encoding": accepted}) as answer:
        content = b"".join([part async for part in answer.aiter_raw()])

    assert gzip.decompress(content) == SCRIPT
    assert answer.headers["content-encoding"] == "gzip"
    assert answer.headers["vary"] == "Accept-Encoding"
    assert int(answer.headers["content-length"]) == len(content) < len(SCRIPT)


@pytest.mark.parametrize("accepted", ["identity", "br", "gzip;q=0", "br, gzip ; q=0.0", ""])
async def test_who_does_not_take_gzip_gets_none(client: httpx.AsyncClient, accepted: str) -> None:
    packed = await client.get(PATH, headers={"Accept-Encoding": "gzip"})
    answer = await client.get(PATH, headers={"Accept-Encoding": accepted})

    assert answer.content == SCRIPT
    assert "content-encoding" not in answer.headers
    assert answer.headers["vary"] == "Accept-Encoding"
    assert answer.headers["etag"] != packed.headers["etag"]


async def test_what_the_build_has_not_compressed_comes_as_it_is(client: httpx.AsyncClient) -> None:
    answer = await client.get("/assets/index-E5f6G7h8.css", headers={"Accept-Encoding": "gzip"})

    assert not {"content-encoding", "vary"} & set(answer.headers)


@pytest.mark.parametrize(
    "path",
    [
        "/assets/index-00000000.js",
        "/assets/index-A1b2C3d4.js.gz",
        "/assets/index.html",
        "/assets/..%2Findex.html",
        "/assets/%2e%2e/%2e%2e/page.py",
        "/assets/",
        "/assets",
        "/index.html",
    ],
)
async def test_nothing_but_the_files_of_the_build_can_be_had(
    client: httpx.AsyncClient, path: str
) -> None:
    answer = await client.get(path)

    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "unknown_path"


async def test_a_file_that_comes_or_goes_later_changes_nothing(
    client: httpx.AsyncClient, built_page: Path
) -> None:
    (built_page / "assets" / "late-R7s8T9u0.js").write_text("late")
    (built_page / "index.html").unlink()

    assert (await client.get("/assets/late-R7s8T9u0.js")).status_code == 404
    assert (await client.get("/", headers=PLAIN)).content == INDEX


async def test_without_a_build_the_page_says_how_to_make_one(unbuilt: httpx.AsyncClient) -> None:
    page = await unbuilt.get("/")

    assert page.status_code == 200
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in page.headers["content-security-policy"]
    for told in ("make web", "curl -N", "/api/stream/prices?symbols=SPY", "openapi.json"):
        assert told in page.text
    assert not re.search("<style|<script|style=", page.text)


async def test_without_a_build_everything_else_is_served(unbuilt: httpx.AsyncClient) -> None:
    assert (await unbuilt.get("/api/prices?symbols=SPY")).status_code == 200
    for path in (PATH, "/licenses.txt"):
        answer = await unbuilt.get(path)
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "unknown_path")
