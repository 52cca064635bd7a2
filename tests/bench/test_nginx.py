import re
from pathlib import Path

from bench.fanout.nginx import configuration

FOLDER, MODULE = Path("/somewhere/of-its-own"), Path("/modules/ngx_nchan_module.so")


def test_nginx_writes_nothing_outside_its_folder() -> None:
    text = configuration(FOLDER, 8080, MODULE)

    paths = set(re.findall(r"\s(/[\w./-]+/[\w.-]+)", text)) - {str(MODULE)}
    assert paths
    assert all(path.startswith(f"{FOLDER}/") for path in paths)


def test_nginx_listens_on_loopback_alone() -> None:
    text = configuration(FOLDER, 8080, MODULE)

    assert re.findall(r"listen (\S+)", text) == ["127.0.0.1:8080"]
