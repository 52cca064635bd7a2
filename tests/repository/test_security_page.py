"""docs/security.md: every defence names a test that exists, and every setting is one."""

import ast
import re

import pytest

from gateway.wire.grant import MIN_LENGTH
from tests.repository.deployment import settings
from tests.repository.documents import document
from tests.repository.tree import ROOT, syntax

PAGE = "security.md"
NAMED = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", document(PAGE))


def test_each_row_of_the_defences_names_a_test() -> None:
    rows = re.findall(r"^\| (?!threat|---)(.+) \|$", document(PAGE), re.MULTILINE)
    defences = [row for row in rows if row.count(" | ") == 2]

    assert len(defences) > 20
    assert [row for row in defences if "::test_" not in row] == []


@pytest.mark.parametrize("path", sorted({path for path, _ in NAMED}))
def test_the_tests_that_it_names_exist(path: str) -> None:
    defined = {
        node.name
        for node in ast.walk(syntax(ROOT / path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }

    assert {name for file, name in NAMED if file == path} - defined == set()


def test_the_settings_that_it_names_exist() -> None:
    words = set(re.findall(r"`([A-Z]{2,}(?:_[A-Z]+)+)", document(PAGE)))

    assert words - set(settings()) == set()


def test_the_least_length_of_a_token_is_the_one_that_documents_name() -> None:
    for page in (PAGE, "reference.md"):
        assert f"{MIN_LENGTH} characters" in document(page)
