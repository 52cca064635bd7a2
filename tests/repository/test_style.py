"""Short functions, no swallowed errors, no task without an owner."""

import ast
from collections.abc import Iterator

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
    """Catching everything is fine only to clean up and raise it on."""
    last = handler.body[-1]
    if isinstance(last, ast.Raise) and last.exc is None:
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
