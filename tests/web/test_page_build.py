"""What a build of the page lays down: for a strict policy, for long caches, with the licences."""

import gzip
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from gateway.http.page import MEDIA_TYPES, Page
from tests.web.conftest import WEB


class Elements(HTMLParser):
    """The elements of a document with their attributes, and the contents of scripts and styles."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.inside: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if self.cdata_elem and data.strip():
            self.inside.append(data)


@pytest.fixture(scope="session")
def index(built: Path) -> Elements:
    return Elements((built / "index.html").read_text())


def test_every_name_has_a_hash_in_it_and_a_type_that_the_gateway_knows(built: Path) -> None:
    names = [path.name.removesuffix(".gz") for path in (built / "assets").iterdir()]

    assert {Path(name).suffix for name in names} >= {".js", ".svg"}
    assert {Path(name).suffix for name in names} <= set(MEDIA_TYPES)
    assert [name for name in names if not re.fullmatch(r"[\w.-]+-[\w-]{8}\.\w+", name)] == []


def test_every_file_is_there_compressed_too(built: Path) -> None:
    files = [path for path in built.rglob("*") if path.is_file() and path.suffix != ".gz"]

    assert len(files) >= 4
    for path in files:
        assert gzip.decompress(Path(f"{path}.gz").read_bytes()) == path.read_bytes()


def test_nothing_is_in_the_document_that_the_policy_forbids(index: Elements) -> None:
    attributes = [name for _, attributes in index.found for name in attributes]

    assert index.inside == []
    assert "style" not in {tag for tag, _ in index.found}
    assert [name for name in attributes if name == "style" or name.startswith("on")] == []


def test_the_document_asks_for_nothing_but_files_of_the_build(index: Elements, built: Path) -> None:
    asked = [
        address
        for tag, attributes in index.found
        for name, address in attributes.items()
        if name in ("src", "href", "srcset") and tag != "a"
    ]

    assert any(address and address.endswith(".js") for address in asked)
    for address in asked:
        assert address
        assert address.startswith("./assets/")  # the page may be served under a path
        assert (built / address).is_file()


def test_every_package_in_it_has_its_licence_there(built: Path) -> None:
    _, *parts = (built / "licenses.txt").read_text().split("\n## ")
    texts: dict[str, str] = {}
    for part in parts:
        name, _, text = part.partition(" - ")
        texts[name] = texts.get(name, "") + text

    assert {"react", "react-dom", "lightweight-charts", "fancy-canvas"} <= set(texts)
    assert [name for name, text in texts.items() if "Copyright" not in text] == []


def test_what_the_notices_are_about_is_still_installed() -> None:
    """A notice of another version may say something else."""
    text = (WEB / "notices.txt").read_text()
    lock = json.loads((WEB / "package-lock.json").read_text())["packages"]

    for name, version in re.findall(r"^## (\S+) - (\S+)", text, re.MULTILINE):
        assert lock[f"node_modules/{name}"]["version"] == version


def test_the_gateway_serves_it(built: Path) -> None:
    page = Page(built)

    assert {"index.html", "licenses.txt"} == set(page._files)
    assert page._assets
