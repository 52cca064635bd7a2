"""The contents of the deployment files, read without the engines that run them."""

import json
import re
from dataclasses import dataclass, field
from typing import Any

import yaml
from pydantic.fields import FieldInfo

from gateway.settings import GatewaySettings
from ingest.settings import IngestSettings
from tests.repository.tree import ROOT


def settings() -> dict[str, FieldInfo]:
    """Every setting by the name of its environment variable."""
    fields = {**IngestSettings.model_fields, **GatewaySettings.model_fields}
    return {name.upper(): declared for name, declared in fields.items()}


def default_of(variable: str) -> Any:
    """The default value of a setting."""
    return settings()[variable].get_default(call_default_factory=True)


def read_yaml(name: str) -> Any:
    """A YAML file of the root."""
    return yaml.safe_load((ROOT / name).read_text())


def runs(module: str) -> bool:
    """Whether `python -m module` starts something of ours."""
    place = module.replace(".", "/")
    return (ROOT / place / "__main__.py").is_file() or (ROOT / f"{place}.py").is_file()


def started_modules(command: str) -> list[str]:
    """The modules that a shell command starts."""
    return re.findall(r"\bpython3?\s+-m\s+([\w.]+)", command)


def procfile() -> dict[str, str]:
    """Command by process name."""
    lines = (ROOT / "Procfile").read_text().splitlines()
    return {name: command.strip() for name, command in (line.split(":", 1) for line in lines)}


def example_settings() -> dict[str, str]:
    """The value that .env.example shows for each variable."""
    text = (ROOT / ".env.example").read_text()
    return dict(re.findall(r"^#? ?([A-Z][A-Z0-9_]+)=(.*)$", text, re.MULTILINE))


@dataclass
class Stage:
    """One `FROM` of the Dockerfile with the instructions that follow it."""

    base: str
    instructions: list[tuple[str, str]] = field(default_factory=list)

    def all(self, word: str) -> list[str]:
        """The arguments of each instruction of this kind."""
        return [rest for found, rest in self.instructions if found == word]

    @property
    def variables(self) -> dict[str, str]:
        """The variables that `ENV` sets."""
        return dict(re.findall(r"(\w+)=(\S+)", " ".join(self.all("ENV"))))

    @property
    def command(self) -> list[str]:
        """The words of `CMD`, which must be in exec form."""
        words: list[str] = json.loads(self.all("CMD")[-1])
        return words


def dockerfile() -> dict[str, Stage]:
    """The stages by name."""
    text = re.sub(r"^\s*#.*\n", "", (ROOT / "Dockerfile").read_text(), flags=re.MULTILINE)
    stages: dict[str, Stage] = {}
    name = ""
    for line in re.sub(r"\\\n\s*", " ", text).splitlines():
        word, _, rest = line.strip().partition(" ")
        if word == "FROM":
            base, _, name = rest.partition(" AS ")
            stages[name] = Stage(base)
        elif word:
            stages[name].instructions.append((word, rest.strip()))
    return stages


def image(target: str) -> list[Stage]:
    """The stage of a target and those it is built upon, the base first."""
    stages = dockerfile()
    chain = [stages[target]]
    while chain[0].base in stages:
        chain.insert(0, stages[chain[0].base])
    return chain
