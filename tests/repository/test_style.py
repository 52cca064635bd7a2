"""Short functions, no swallowed errors, no task without an owner."""

import ast
import re
from collections.abc import Iterator

import pytest

from tests.repository.tree import name_of, source_modules, syntax

FUNCTION_LINES = 45


def test_functions_are_short() -> None:
    long = {
        f"{name_of(path)}:{node.lineno} {node.name}": lines
        for path in source_modules()
        for node in ast.walk(syntax(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (lines := (node.end_lineno or node.lineno) - node.lineno + 1) > FUNCTION_LINES
    }

    assert long == {}


def test_nothing_swallows_every_error() -> None:
    swallowed = [
        f"{name_of(path)}:{node.lineno}"
        for path in source_modules()
        for node in ast.walk(syntax(path))
        if isinstance(node, ast.ExceptHandler) and _swallows_everything(node)
    ]

    assert swallowed == []


def test_every_task_is_held_by_somebody() -> None:
    lost = [
        f"{name_of(path)}:{call.lineno}"
        for path in source_modules()
        for call in _calls_without_result(syntax(path))
        if _makes_a_loose_task(call)
    ]

    assert lost == []


def test_the_rule_about_tasks_tells_loose_from_held() -> None:
    loose = "asyncio.create_task(f()); loop.create_task(f()); asyncio.ensure_future(f())"
    held = "task = asyncio.create_task(f()); tasks.create_task(f()); self.group.create_task(f())"

    assert all(_makes_a_loose_task(call) for call in _calls_without_result(ast.parse(loose)))
    assert not any(_makes_a_loose_task(call) for call in _calls_without_result(ast.parse(held)))


def _swallows_everything(handler: ast.ExceptHandler) -> bool:
    """Catching everything is fine only to clean up and raise it on, or at a boundary.

    A boundary is where one message must not end the process: it counts the error, logs it and
    raises an alarm, all by ``note_escaped``.
    """
    last = handler.body[-1]
    if isinstance(last, ast.Raise) and last.exc is None:
        return False
    if any("note_escaped(" in ast.unparse(statement) for statement in handler.body):
        return False
    if handler.type is None:
        return True
    names = [node.id for node in ast.walk(handler.type) if isinstance(node, ast.Name)]
    return "Exception" in names or "BaseException" in names


def _calls_without_result(tree: ast.AST) -> Iterator[ast.Call]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
            yield node.value


def _makes_a_loose_task(call: ast.Call) -> bool:
    """A task group holds its tasks; asyncio itself and the loop do not."""
    words = ast.unparse(call.func).removesuffix("()").split(".")
    if words[-1] == "ensure_future":
        return True
    return words[-1] == "create_task" and (len(words) == 1 or _is_a_loop(words[-2]))


def _is_a_loop(word: str) -> bool:
    return word == "asyncio" or "loop" in word


PREDICATE = re.compile(r"_?(is|has|can|may|will|awaits|knows|watches|concerns|agrees?)(_|$)")
CHANGES = {
    *("add", "append", "clear", "discard", "extend", "insert", "pop", "popitem", "remove"),
    *("set", "setdefault", "update"),
}
"""Methods of collections and events that change them."""


def test_predicates_change_nothing() -> None:
    changing = {
        f"{name_of(path)}:{function.lineno} {function.name}": changes
        for path in source_modules()
        for owner in ast.walk(syntax(path))
        if isinstance(owner, ast.ClassDef)
        for function in _methods(owner)
        if _is_predicate(function) and (changes := _changes_to_self(function, owner))
    }

    assert changing == {}


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ("return self.a > self._b", []),
        ("self._a = 1", ["self._a"]),
        ("self.a.b += 1", ["self.a.b"]),
        ("self._seen[1] = 2", ["self._seen[1]"]),
        ("del self._seen[1]", ["self._seen[1]"]),
        ("return self._seen.pop(1)", ["self._seen.pop"]),
        ("return self.change()", ["self.change"]),
        ("return self.look() and self._cached", []),
    ],
)
def test_the_rule_about_predicates_finds_changes_of_self(body: str, found: list[str]) -> None:
    source = f"""class A:
    def is_it(self):
        {body}
    def change(self):
        self.x = 1
    def look(self):
        self._cached_y = 1
"""
    owner = ast.parse(source).body[0]
    assert isinstance(owner, ast.ClassDef)

    assert _changes_to_self(next(_methods(owner)), owner) == found


def _methods(owner: ast.ClassDef) -> Iterator[ast.FunctionDef]:
    return (node for node in owner.body if isinstance(node, ast.FunctionDef))


def _is_predicate(function: ast.FunctionDef) -> bool:
    """Recognize a predicate by its name, or by a docstring that starts with its question."""
    doc = ast.get_docstring(function) or ""
    return bool(PREDICATE.match(function.name)) or doc.startswith("Return whether")


def _changes_to_self(function: ast.FunctionDef, owner: ast.ClassDef) -> list[str]:
    """Find assignments to attributes, and calls of methods that make some.

    An attribute whose name starts with ``_cached`` holds nothing that a caller can observe.
    """
    changing = {each.name for each in _methods(owner) if each is not function and _assigned(each)}
    called = [
        ast.unparse(node.func)
        for node in ast.walk(function)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
        if ast.unparse(node.func).startswith("self.")
        if (node.func.attr in CHANGES and ast.unparse(node.func.value) != "self")
        or (node.func.attr in changing and ast.unparse(node.func.value) == "self")
    ]
    return [*_assigned(function), *called]


def _assigned(function: ast.FunctionDef) -> list[str]:
    targets = [
        ast.unparse(node)
        for node in ast.walk(function)
        if isinstance(node, ast.Attribute | ast.Subscript)
        and isinstance(node.ctx, ast.Store | ast.Del)
    ]
    return [
        each for each in targets if each.startswith("self.") and not each.startswith("self._cached")
    ]
