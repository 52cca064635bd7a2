"""What GitHub and pre-commit run is what the Makefile and .ci/run run, at the same versions."""

import json
import os
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.repository.tree import ROOT

WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
FORMS = sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml"))
MANIFESTS = {
    "pip": "pyproject.toml",
    "npm": "package.json",
    "github-actions": ".github/workflows",
    "docker": "Dockerfile",
    "docker-compose": "docker-compose.yml",
}
ACTION = re.compile(r"[\w-]+/[\w-]+@(v\d+|release/v\d+)")
PUBLISHING = {"python-package", "npm-package", "github-release"}


def read(path: Path) -> dict[Any, Any]:
    found: dict[Any, Any] = yaml.safe_load(path.read_text())
    return found


def jobs(name: str) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = read(ROOT / ".github" / "workflows" / name)["jobs"]
    return found


def steps() -> list[dict[str, Any]]:
    return [step for path in WORKFLOWS for job in jobs(path.name).values() for step in job["steps"]]


def commands() -> list[tuple[str, str]]:
    """Every line that a workflow runs, with the folder in which it runs."""
    return [
        (line.strip(), step.get("working-directory", "."))
        for step in steps()
        for line in step.get("run", "").splitlines()
    ]


def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


def make_targets() -> dict[str, list[str]]:
    """The Makefile's named targets, each with the lines of its recipe."""
    text = (ROOT / "Makefile").read_text()
    found = re.findall(r"^([a-z][a-z-]*):.*\n((?:\t.*\n)*)", text, re.MULTILINE)
    return {name: recipe.splitlines() for name, recipe in found}


def scripts() -> set[str]:
    return set(json.loads((ROOT / "web" / "package.json").read_text())["scripts"])


def pinned() -> set[str]:
    return set(re.findall(r"^([\w.-]+)==", (ROOT / "constraints.txt").read_text(), re.MULTILINE))


def hooks() -> list[dict[str, Any]]:
    return [
        {**hook, "repo": source["repo"]}
        for source in read(ROOT / ".pre-commit-config.yaml")["repos"]
        for hook in source["hooks"]
    ]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_may_only_read_and_every_job_has_a_time_limit(path: Path) -> None:
    workflow = read(path)

    assert workflow["permissions"] == {"contents": "read"}
    assert workflow["concurrency"]["group"]
    assert all(job["timeout-minutes"] <= 60 for job in workflow["jobs"].values())


def test_only_the_jobs_that_publish_may_write() -> None:
    writing = {
        name
        for path in WORKFLOWS
        for name, job in jobs(path.name).items()
        if "write" in job.get("permissions", {}).values()
    }

    assert writing == PUBLISHING


def test_every_action_has_a_major_version() -> None:
    used = [step["uses"] for step in steps() if "uses" in step]

    assert used
    assert [action for action in used if not ACTION.fullmatch(action)] == []


def test_every_step_does_one_thing() -> None:
    assert all(("run" in step) != ("uses" in step) for step in steps())


def test_the_tests_run_on_every_python_of_the_classifiers() -> None:
    prefix = "Programming Language :: Python :: 3."
    classified = [
        text.removeprefix("Programming Language :: Python :: ")
        for text in project()["project"]["classifiers"]
        if text.startswith(prefix)
    ]

    assert jobs("tests.yml")["python"]["strategy"]["matrix"]["python"] == classified
    assert project()["project"]["requires-python"] == f">={classified[0]}"


def test_the_tests_run_on_both_stores_that_the_readme_names() -> None:
    matrix = jobs("tests.yml")["store"]["strategy"]["matrix"]["include"]
    named = re.search(r"Redis ≥ (\d+).{1,20}Valkey ≥ (\d+)", (ROOT / "README.md").read_text())

    assert named
    assert {entry["server"]: entry["version"] for entry in matrix} == {
        "redis-server": named[1],
        "valkey-server": named[2],
    }


def test_the_web_part_runs_on_the_oldest_node_that_it_supports() -> None:
    engines = json.loads((ROOT / "web" / "package.json").read_text())["engines"]["node"]

    assert f">={jobs('tests.yml')['web']['strategy']['matrix']['node'][0]}" == engines


def test_both_images_are_built() -> None:
    built = jobs("tests.yml")["docker"]["strategy"]["matrix"]["target"]
    stages = re.findall(r"^FROM \S+ AS (\w+)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)

    assert set(built) <= set(stages)
    assert set(built) == {"ingest", "gateway"}


def test_what_a_workflow_runs_exists() -> None:
    for line, folder in commands():
        words = line.split()
        if words[0] == "make":
            assert set(words[1:]) <= set(make_targets()), line
        elif words[0] == "npm" and words[1] not in {"audit", "ci", "publish"}:
            assert folder == "web", line
            assert words[-1] in scripts(), line
        elif words[0].startswith("."):
            program = ROOT / words[0]
            assert words[0].startswith(".venv/") or os.access(program, os.X_OK), line
        assert all((ROOT / word).exists() for word in words if word.startswith("tests/")), line


@pytest.mark.parametrize("job", ["python", "store"])
def test_the_tests_of_a_workflow_are_those_of_ci(job: str) -> None:
    last = jobs("tests.yml")[job]["steps"][-1]["run"]

    assert last.split()[0] == ".ci/run"


def test_a_release_is_tested_and_then_built_from_the_same_checkout() -> None:
    ran = [step["run"] for step in jobs("release.yml")["build"]["steps"] if "run" in step]

    assert ".ci/run" in ran
    assert ran.index(".ci/run") < len(ran) - 1
    assert "pip wheel" in ran[-1]


def test_dependabot_looks_at_every_manifest() -> None:
    looked_at = {
        (update["package-ecosystem"], folder)
        for update in read(ROOT / ".github" / "dependabot.yml")["updates"]
        for folder in update.get("directories", [update.get("directory")])
    }

    assert {ecosystem for ecosystem, _ in looked_at} == set(MANIFESTS)
    for ecosystem, folder in looked_at:
        assert (ROOT / folder.strip("/") / MANIFESTS[ecosystem]).exists(), folder
    ours = {
        f"/{path.parent.relative_to(ROOT).as_posix()}"
        for path in ROOT.glob("*/**/package.json")
        if "node_modules" not in path.parts and ".venv" not in path.parts
    }
    assert ours == {folder for ecosystem, folder in looked_at if ecosystem == "npm"}


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.name)
def test_an_issue_form_can_be_filled_in(path: Path) -> None:
    form = read(path)
    if path.name == "config.yml":
        assert form == {"blank_issues_enabled": False}
        return
    fields = [field for field in form["body"] if field["type"] != "markdown"]

    assert form["name"]
    assert form["description"]
    assert len({field["id"] for field in fields}) == len(fields)
    assert any(field.get("validations", {}).get("required") for field in fields)


def test_pre_commit_runs_only_installed_tools_at_pinned_versions() -> None:
    for hook in hooks():
        assert hook["repo"] == "local"
        assert hook["language"] == "system"
        words = hook["entry"].split()
        if words[0] == "npm":
            assert words[1:3] == ["--prefix", "web"]
            assert words[-1] in scripts()
        else:
            assert words[:2] == [".venv/bin/python", "-m"]
            assert words[2] in pinned()


def test_pre_commit_runs_what_make_check_runs() -> None:
    recipes = "\n".join(make_targets()["check"] + make_targets()["web-check"])
    checks = set(re.findall(r"\$\(IN_VENV\) -m (.+?)(?: \.)?$", recipes, re.MULTILINE))
    web_checks = set(re.findall(r"\$\(IN_WEB\) run --silent (\w+)$", recipes, re.MULTILINE))
    run = {hook["entry"] for hook in hooks()}

    assert checks
    assert web_checks
    assert run == {f".venv/bin/python -m {check}" for check in checks} | {
        f"npm --prefix web run --silent {check}" for check in web_checks
    }
