"""Every command and variable of the deployment files exists in the code."""

import re
import tomllib
from typing import Any

import pytest
from pydantic import TypeAdapter
from uvicorn.middleware.proxy_headers import _TrustedHosts

from gateway.bus.claim_times import RELEASE_SECONDS
from gateway.http.server import END_SECONDS
from gateway.settings import GatewaySettings
from tests.repository.deployment import (
    default_of,
    dockerfile,
    example_settings,
    image,
    procfile,
    read_yaml,
    runs,
    settings,
    started_modules,
)
from tests.repository.tree import PACKAGES, ROOT, files, name_of

# Variables of Python, pip and Render themselves.
OTHERS_VARIABLES = {"PATH", "PYTHONUNBUFFERED", "PYTHON_VERSION"}
SECRETS = {name for name in settings() if name.endswith(("_KEY", "_TOKEN"))}
KEYS = [name for name in SECRETS if name.endswith("_KEY")]
REDIS_PASSWORDS = ("REDIS_INGEST_PASSWORD", "REDIS_GATEWAY_PASSWORD")
"""Of docker-compose.yml alone: the programs read REDIS_URL."""
TARGETS = ["ingest", "gateway"]
STOP_TIMES = ("LAME_DUCK_SECONDS", "DRAIN_SECONDS")
SERVER_END_SECONDS = 2
"""How long a gateway needs at most to end after these times."""

USUAL_TIME_OUT_SECONDS = 10
"""A time-out of idle connections that many balancers have by default."""
BUILT = "gateway/http/page"


def compose() -> dict[str, Any]:
    services: dict[str, Any] = read_yaml("docker-compose.yml")["services"]
    return services


def render() -> dict[str, Any]:
    return {service["type"]: service for service in read_yaml("render.yaml")["services"]}


def render_variables(kind: str) -> dict[str, dict[str, Any]]:
    return {variable["key"]: variable for variable in render()[kind]["envVars"]}


def proxies(value: str) -> _TrustedHosts:
    """What uvicorn makes of a value of FORWARDED_ALLOW_IPS that the settings accept."""
    given = GatewaySettings(_env_file=None, forwarded_allow_ips=value)  # type: ignore[call-arg, arg-type]
    return _TrustedHosts(list(given.forwarded_allow_ips))


def seconds(duration: str) -> int:
    return int(duration.removesuffix("s"))


class TestProcfile:
    def test_it_names_the_two_processes(self) -> None:
        assert procfile() == {"ingest": "python -m ingest", "web": "python -m gateway"}

    def test_its_commands_exist(self) -> None:
        assert all(runs(module) for line in procfile().values() for module in started_modules(line))


class TestMakefile:
    def test_what_it_starts_exists(self) -> None:
        text = (ROOT / "Makefile").read_text()
        started = set(re.findall(r"\(IN_VENV\) -m ([\w.]+)", text))
        ours = started - {"pip", "pytest", "ruff", "mypy"}

        assert ours == {"standalone", "bench", "tests.chaos", "tests.repository.module_list"}
        assert all(runs(module) for module in ours)

    def test_the_node_that_it_fetches_is_pinned(self) -> None:
        [wheel] = re.findall(r"^NODE_WHEEL = (\S+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)

        assert f"\n{wheel}==" in (ROOT / "constraints.txt").read_text()


class TestContinuousIntegration:
    def test_the_page_is_built_before_what_is_checked_and_tested(self) -> None:
        targets = re.findall(r"^make .*?(\w+)$", (ROOT / ".ci" / "run").read_text(), re.MULTILINE)

        assert targets == ["web", "check", "test"]


class TestDockerfile:
    @pytest.mark.parametrize("target", TARGETS)
    def test_each_image_starts_its_own_module_without_a_shell(self, target: str) -> None:
        assert image(target)[-1].command == ["python", "-m", target]
        assert runs(target)

    @pytest.mark.parametrize("target", TARGETS)
    def test_each_image_holds_its_own_extra_only(self, target: str) -> None:
        copied = [line for stage in image(target) for line in stage.all("COPY")]
        [source] = re.findall(r"--from=(\S+)", " ".join(copied))
        installs = [line for stage in image(source) for line in stage.all("RUN") if "pip" in line]

        assert len(copied) == 1
        assert len(installs) == 1
        assert installs[0].endswith(f'pip install -c constraints.txt ".[{target}]"')

    @pytest.mark.parametrize("target", TARGETS)
    def test_no_image_runs_as_root(self, target: str) -> None:
        users = [user for stage in image(target) for user in stage.all("USER")]

        assert users == ["tapecast"]

    @pytest.mark.parametrize("target", TARGETS)
    def test_its_variables_are_settings(self, target: str) -> None:
        named = {name for stage in image(target) for name in stage.variables}

        assert named - OTHERS_VARIABLES <= set(settings())

    def test_what_it_copies_exists_and_is_let_through(self) -> None:
        let_through = re.findall(r"^!(\S+)$", (ROOT / ".dockerignore").read_text(), re.MULTILINE)
        copied = {
            name
            for stage in dockerfile().values()
            for line in stage.all("COPY")
            if "--from" not in line
            for name in line.split()[:-1]
        }

        assert set(let_through) <= copied
        assert {name.split("/")[0] for name in copied} == set(let_through)
        assert all((ROOT / name).exists() for name in copied)

    def test_the_page_is_built_in_a_stage_of_its_own_for_the_gateway_only(self) -> None:
        stages = dockerfile()
        first, last = stages["build-gateway"].instructions

        assert first == ("COPY", f"--from=page /source/{BUILT} ./{BUILT}")
        assert "pip install" in last[1]
        assert stages["build-ingest"].all("COPY") == []
        assert stages["page"].all("RUN")[-1] == "npm run build:page"

    def test_what_was_built_outside_stays_there(self) -> None:
        kept_out = (ROOT / ".dockerignore").read_text().splitlines()

        assert {BUILT, "**/node_modules"} <= set(kept_out)


class TestCompose:
    def test_it_has_a_store_an_ingest_two_gateways_and_a_balancer(self) -> None:
        assert set(compose()) == {"valkey", "ingest", "gateway", "balancer"}
        assert compose()["gateway"]["deploy"]["replicas"] == 2

    @pytest.mark.parametrize("service", TARGETS)
    def test_each_service_is_built_from_the_target_of_its_name(self, service: str) -> None:
        assert compose()[service]["build"]["target"] == service

    @pytest.mark.parametrize("service", TARGETS)
    def test_its_variables_are_settings(self, service: str) -> None:
        assert set(compose()[service]["environment"]) <= {*settings(), *REDIS_PASSWORDS}

    def test_what_it_takes_from_outside_are_settings(self) -> None:
        text = (ROOT / "docker-compose.yml").read_text()

        assert set(re.findall(r"\$\{(\w+)", text)) <= {*settings(), *REDIS_PASSWORDS}

    def test_each_program_is_its_own_user_of_the_store_and_has_no_others_secrets(self) -> None:
        for user, other in (("ingest", "gateway"), ("gateway", "ingest")):
            environment = compose()[user]["environment"]
            password = f"REDIS_{user.upper()}_PASSWORD"

            assert environment["REDIS_URL"] == f"redis://{user}:${{{password}}}@valkey:6379/0"
            assert environment[f"REDIS_{other.upper()}_PASSWORD"] == ""
        assert {compose()["gateway"]["environment"][name] for name in KEYS} == {""}
        assert compose()["ingest"]["environment"]["API_TOKEN"] == ""

    def test_the_store_starts_with_the_users_and_a_bound_on_its_memory(self) -> None:
        store = compose()["valkey"]
        script, users = (mount.split(":")[1] for mount in store["volumes"])

        assert store["command"][:2] == ["sh", script]
        assert users.rsplit("/", 1) == [script.rsplit("/", 1)[0], "redis-users.acl"]
        assert set(store["environment"]) == set(REDIS_PASSWORDS)
        assert "--maxmemory" in store["command"]

    def test_a_heartbeat_comes_well_before_any_time_out_of_a_proxy(self) -> None:
        heartbeat = float(default_of("HEARTBEAT_SECONDS"))
        balancing = (ROOT / "deploy" / "haproxy.cfg").read_text()
        minutes = re.findall(r"timeout (?:client|server) (\d+)m\n", balancing)
        nginx = (ROOT / "examples" / "nginx" / "nginx.conf").read_text()

        assert heartbeat <= USUAL_TIME_OUT_SECONDS - 1
        assert len(minutes) == 2
        assert all(int(each) * 60 > 2 * heartbeat for each in minutes)
        assert seconds(re.findall(r"proxy_read_timeout (\w+);", nginx)[0]) > 2 * heartbeat

    def test_a_gateway_ends_within_two_seconds_of_its_last_stream(self) -> None:
        assert END_SECONDS + RELEASE_SECONDS <= SERVER_END_SECONDS

    def test_a_gateway_may_drain_before_it_is_killed(self) -> None:
        gateway = compose()["gateway"]
        needed = SERVER_END_SECONDS + sum(int(gateway["environment"][name]) for name in STOP_TIMES)

        assert seconds(gateway["stop_grace_period"]) > needed

    def test_the_balancer_notices_a_lame_duck_in_time(self) -> None:
        balancing = (ROOT / "deploy" / "haproxy.cfg").read_text()
        [interval, fall] = re.findall(r"check inter (\d+)s fall (\d+)", balancing)[0]
        lame_duck = compose()["gateway"]["environment"]["LAME_DUCK_SECONDS"]

        assert int(interval) * int(fall) < int(lame_duck)

    def test_a_gateway_tells_clients_apart_behind_the_balancer(self) -> None:
        trusted = proxies(compose()["gateway"]["environment"]["FORWARDED_ALLOW_IPS"])

        assert "172.18.0.5" in trusted
        assert trusted.get_trusted_client_address("203.0.113.7")[0] == "203.0.113.7"

    def test_the_store_evicts_nothing(self) -> None:
        command = compose()["valkey"]["command"]

        assert command[command.index("--maxmemory-policy") + 1] == "noeviction"

    def test_traffic_goes_only_to_gateways_that_are_ready(self) -> None:
        port = compose()["gateway"]["environment"]["PORT"]
        balancing = (ROOT / "deploy" / "haproxy.cfg").read_text()

        assert f":{port}/readyz" in " ".join(compose()["gateway"]["healthcheck"]["test"])
        assert "httpchk GET /readyz" in balancing
        assert f" gateway:{port} " in balancing

    def test_what_it_mounts_exists(self) -> None:
        mounts = [mount for service in compose().values() for mount in service.get("volumes", [])]

        assert mounts
        assert all((ROOT / mount.split(":")[0]).is_file() for mount in mounts)


class TestRender:
    def test_it_has_a_store_a_worker_and_a_web_service(self) -> None:
        assert set(render()) == {"keyvalue", "worker", "web"}

    @pytest.mark.parametrize(
        ("kind", "part", "first"), [("worker", "ingest", ""), ("web", "gateway", "make web && ")]
    )
    def test_each_service_installs_and_starts_its_own_part(
        self, kind: str, part: str, first: str
    ) -> None:
        install = f'pip install -c constraints.txt ".[{part}]"'

        assert render()[kind]["buildCommand"] == first + install
        assert started_modules(render()[kind]["startCommand"]) == [part]
        assert runs(part)

    @pytest.mark.parametrize("kind", ["worker", "web"])
    def test_its_variables_are_settings(self, kind: str) -> None:
        assert set(render_variables(kind)) - OTHERS_VARIABLES <= set(settings())

    @pytest.mark.parametrize("kind", ["worker", "web"])
    def test_it_holds_no_secret(self, kind: str) -> None:
        secrets = [entry for name, entry in render_variables(kind).items() if name in SECRETS]

        assert secrets
        assert not any("value" in entry for entry in secrets)

    @pytest.mark.parametrize("kind", ["worker", "web"])
    def test_both_use_the_one_private_store_that_evicts_nothing(self, kind: str) -> None:
        store = render()["keyvalue"]

        assert render_variables(kind)["REDIS_URL"]["fromService"]["name"] == store["name"]
        assert store["maxmemoryPolicy"] == "noeviction"
        assert store["ipAllowList"] == []

    def test_gateways_scale_and_drain(self) -> None:
        web = render()["web"]

        assert web["healthCheckPath"] == "/readyz"
        assert web["scaling"]["maxInstances"] > web["scaling"]["minInstances"] >= 2
        times = [int(render_variables("web")[name]["value"]) for name in STOP_TIMES]
        assert web["maxShutdownDelaySeconds"] > SERVER_END_SECONDS + sum(times)

    def test_a_gateway_tells_clients_apart_behind_both_proxies(self) -> None:
        chain = "192.0.2.66,203.0.113.7, 172.71.95.118, 10.19.64.237"  # the first is invented

        trusted = proxies(render_variables("web")["FORWARDED_ALLOW_IPS"]["value"])
        assert trusted.get_trusted_client_address(chain)[0] == "203.0.113.7"

    def test_a_gateway_is_reachable_on_the_port_that_render_gives(self) -> None:
        assert render_variables("web")["HOST"]["value"] == "0.0.0.0"
        assert "PORT" not in render_variables("web")


class TestEnvExample:
    def test_it_names_every_setting_and_nothing_else(self) -> None:
        assert set(example_settings()) == {*settings(), *REDIS_PASSWORDS}

    def test_the_values_it_shows_are_the_defaults(self) -> None:
        for name, shown in example_settings().items():
            if shown:
                kind: TypeAdapter[object] = TypeAdapter(settings()[name].annotation or str)
                assert kind.validate_python(shown) == default_of(name), name

    def test_it_holds_no_secret(self) -> None:
        assert {example_settings()[name] for name in SECRETS} == {""}


class TestPackaging:
    def test_every_package_is_installed(self) -> None:
        built = self.setuptools()["packages"]
        found = {name_of(p.parent).replace("/", ".") for p in files() if p.name == "__init__.py"}

        assert {name for name in found if name.split(".")[0] in PACKAGES} == set(built)

    def test_every_file_beside_the_code_is_installed(self) -> None:
        patterns = [
            f"{package.replace('.', '/')}/{pattern}"
            for package, some in self.setuptools()["package-data"].items()
            for pattern in some
        ]
        beside = [
            path.relative_to(ROOT)
            for path in files()
            if name_of(path).startswith(tuple(f"{package}/" for package in PACKAGES))
            and path.suffix != ".py"
        ]

        assert [path for path in beside if not any(path.match(some) for some in patterns)] == []

    def test_a_page_that_has_been_built_is_installed(self) -> None:
        assert self.setuptools()["package-data"]["gateway.http"] == ["page/*", "page/assets/*"]
        assert f'outDir: "../../{BUILT}"' in (ROOT / "web" / "vite.config.ts").read_text()
        assert not [path for path in files() if name_of(path).startswith(f"{BUILT}/")]

    def test_every_dependency_is_pinned(self) -> None:
        project = tomllib.loads((ROOT / "pyproject.toml").read_text())
        wanted = [
            *project["project"]["dependencies"],
            *(
                name
                for some in project["project"]["optional-dependencies"].values()
                for name in some
            ),
            *project["dependency-groups"]["dev"],
        ]
        lines = (ROOT / "constraints.txt").read_text().splitlines()
        pins = {line.split("==")[0].lower() for line in lines if not line.startswith("#")}

        # An extra may contain others: tapecast[gateway,ingest].
        names = {re.split(r"[\[<>=;~! ]", name)[0].lower() for name in wanted} - {"tapecast"}
        assert names <= pins

    def test_the_build_tool_is_pinned_to_the_version_of_the_constraints(self) -> None:
        [tool] = tomllib.loads((ROOT / "pyproject.toml").read_text())["build-system"]["requires"]

        assert tool in (ROOT / "constraints.txt").read_text().splitlines()

    def test_constraints_are_names_and_exact_versions(self) -> None:
        lines = (ROOT / "constraints.txt").read_text().splitlines()

        assert all(re.fullmatch(r"#.*|[\w.-]+==[\w.]+( ; .+)?", line) for line in lines)

    @staticmethod
    def setuptools() -> dict[str, Any]:
        project = tomllib.loads((ROOT / "pyproject.toml").read_text())
        tool: dict[str, Any] = project["tool"]["setuptools"]
        return tool
