"""The code in the documents works as it is printed: commands run, scripts run, types are right."""

import asyncio
import json
import os
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

import tapecast
from shared.bus.redis_source import RedisSource
from simulator.service import Simulator, SimulatorSettings
from tests import installed
from tests.documents.conftest import Standalone
from tests.documents.snippets import Snippet, commands, snippets
from tests.limits import LIMIT_SECONDS
from tests.programs import Program
from tests.repository.deployment import runs, settings
from tests.repository.tree import ROOT
from tests.services import until

DOCUMENTS = sorted(
    path.relative_to(ROOT).as_posix()
    for pattern in ("*.md", "docs/*.md", "examples/*.md", "web/README.md", "web/examples/*/*.md")
    for path in ROOT.glob(pattern)
)
COMMANDS = [(document, line) for document in DOCUMENTS for line in commands(document)]
CURL = [(document, line) for document, line in COMMANDS if line.startswith("curl")]
REDIS = [(document, line) for document, line in COMMANDS if line.startswith("redis-cli")]
OTHERS = [line for _, line in COMMANDS if not line.startswith(("curl", "redis-cli"))]
README = snippets("README.md")
PYTHON = [block for block in README if block.language == "python"]
TYPED = [block for block in README if block.language in {"js", "ts", "tsx"}]

# A command's words after the shell has expanded them, each with a NUL behind it.
WORDS = "redis-cli() { printf '%s\\0' \"$@\"; }\n"
# The shell becomes curl, so that ending one ends both. An answer of 400 or more fails the command.
FAILING_CURL = "exec curl --silent --show-error --fail-with-body"

in_session_loop = pytest.mark.asyncio(loop_scope="session")


@asynccontextmanager
async def running(*command: str) -> AsyncIterator[Program]:
    """Run a command until the block is left."""
    process = await asyncio.create_subprocess_exec(
        *command,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        limit=2**24,  # JSON is one line, also that of a chart
    )
    program = Program(process)
    try:
        yield program
    finally:
        if process.returncode is None:
            process.terminate()
        await program.ended()


def there(code: str, standalone: Standalone, simulator_url: str) -> str:
    """Return code of a document with the addresses of the test's own programs."""
    moved = code.replace("http://127.0.0.1:8001", standalone.url)
    return moved.replace("http://127.0.0.1:7300", simulator_url)


@asynccontextmanager
async def simulator_for(document: str, standalone: Standalone) -> AsyncIterator[str]:
    """Yield the URL of the standalone's simulator, or of another if the document breaks it."""
    if document != "docs/simulator.md":
        yield standalone.simulator_url
        return
    async with Simulator(SimulatorSettings(port=0)) as simulator:
        serving = asyncio.create_task(simulator.serve_forever())
        yield simulator.rest_url
        serving.cancel()


@pytest.mark.parametrize(("document", "line"), CURL)
@in_session_loop
async def test_a_curl_command_is_answered(standalone: Standalone, document: str, line: str) -> None:
    installed.program("curl")
    async with simulator_for(document, standalone) as url:
        script = FAILING_CURL + there(line, standalone, url).removeprefix("curl")
        async with running("bash", "-c", script) as curl:
            if " -N" in line:  # a stream: it does not end
                await until(lambda: "event: ready\n" in curl.output or ended(curl))
                assert "event: ready\n" in curl.output, curl.output
            else:
                async with asyncio.timeout(LIMIT_SECONDS):
                    await curl.process.wait()
                assert await curl.ended() == 0, curl.output


def ended(program: Program) -> bool:
    """Return whether a program has ended."""
    return program.process.returncode is not None


@pytest.mark.parametrize(("document", "line"), REDIS)
@in_session_loop
async def test_redis_accepts_a_command(standalone: Standalone, document: str, line: str) -> None:
    command = line.partition(" | ")[0]
    async with running("bash", "-c", WORDS + command) as shell:
        assert await shell.ended() == 0, shell.output
    words = [word for word in shell.output.split("\0")[:-1] if not word.startswith("--")]
    if "SUBSCRIBE" in words:
        return  # it waits for messages and has no reply to look at
    async with RedisSource(standalone.redis_url).client("test") as client:
        reply = await client.execute_command(*words)  # type: ignore[no-untyped-call]
        if " | jq" in line:
            json.loads(reply)


@pytest.mark.parametrize("line", sorted(set(OTHERS)))
def test_another_command_names_what_exists(line: str) -> None:
    first, *rest = shlex.split(line)
    match first:
        case "make":
            targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
            assert {word for word in rest if "=" not in word} <= set(targets)
        case "python":
            assert rest[0] == "-m"
            assert runs(rest[1])
        case "tapecast":
            assert rest[0] in tapecast.COMMANDS
        case "export":
            assert {word.partition("=")[0] for word in rest} <= set(settings())
        case "pip":
            project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
            extras = {name for word in rest for name in re.findall(r"\[(.+)\]", word)}
            assert extras <= set(project["optional-dependencies"])
        case "npm":
            package = json.loads((ROOT / "web" / "package.json").read_text())
            assert rest[0] in {"install", "run", "test"}
            assert rest[-1] in {package["name"], *package["scripts"]}
        case "cp":
            assert (ROOT / rest[0]).is_file()
        case _:
            pytest.fail(f"no test knows how to check {line!r}: add it here")


@pytest.mark.parametrize("block", PYTHON, ids=str)
@in_session_loop
async def test_python_of_the_readme_prints_something(
    standalone: Standalone, block: Snippet, tmp_path: Path
) -> None:
    script = tmp_path / "snippet.py"
    script.write_text(there(block.code, standalone, standalone.simulator_url))
    async with running(sys.executable, str(script)) as program:
        await until(lambda: program.output != "")
        assert "Traceback" not in program.output, program.output


def test_javascript_of_the_readme_has_the_right_types(tmp_path: Path) -> None:
    """Each fragment is a separate module; the reader's ``token`` is declared beside them."""
    web = ROOT / "web"
    installed.node(web, "run make web")
    for number, block in enumerate(TYPED):
        suffix = "tsx" if block.language == "tsx" else "ts"
        (tmp_path / f"line{block.line}_{number}.{suffix}").write_text(
            f"{block.code}\nexport {{}};\n"
        )
    (tmp_path / "reader.d.ts").write_text("declare const token: string;\n")
    (tmp_path / "node_modules").symlink_to(web / "node_modules")
    (tmp_path / "tsconfig.json").write_text(
        json.dumps(
            {
                "extends": str(web / "tsconfig.json"),
                "compilerOptions": {"noUnusedLocals": False, "noUnusedParameters": False},
                "include": ["*.ts", "*.tsx"],
            }
        )
    )
    checked = subprocess.run(
        [web / "node_modules" / ".bin" / "tsc", "--noEmit", "--project", tmp_path],
        capture_output=True,
        text=True,
        check=False,
    )

    assert TYPED
    assert checked.returncode == 0, checked.stdout
