"""The deployed Space starts: its snapshot alone, as the Hub's machine would run it."""

from __future__ import annotations

import ast
import importlib.util
import os
import subprocess
import sys
import sysconfig
import time
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pytest
from click.testing import CliRunner

from hub_toolkit.cli.main import main
from tests.conftest import require_extra
from tests.hub_server import HubServer, free_port

require_extra("space", importlib.util.find_spec("gradio") is not None, "gradio is not installed")

REPO = "personamem/space-start"
REQUIREMENTS = "requirements.txt"
NAMED_OTHERWISE = {"phonenumbers": "phonenumberslite", "stdnum": "python-stdnum", "yaml": "pyyaml"}
START_S = 120
# Without `site`, an editable install of the checkout is not on the path: packages alone are.
PYTHON = [sys.executable, "-S"]


def start_env(home: Path, port: int) -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "SYSTEMROOT") if name in os.environ}
    return {
        **kept,
        "HOME": str(home),
        "PYTHONPATH": sysconfig.get_path("purelib"),
        "GRADIO_SERVER_PORT": str(port),
        "GRADIO_SERVER_NAME": "127.0.0.1",
        "GRADIO_ANALYTICS_ENABLED": "False",
        "NO_PROXY": "127.0.0.1,localhost",
    }


@pytest.fixture(scope="module")
def snapshot(hub: HubServer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the Hub holds after a deployment, in a folder of its own."""
    from huggingface_hub import HfApi

    words = ["space", "deploy", REPO, "--no-dry-run"]
    done = CliRunner().invoke(main, words, env={"HF_ENDPOINT": hub.url, "HF_TOKEN": "hf_alice"})
    assert done.exit_code == 0, done.output
    folder = tmp_path_factory.mktemp("space") / "app"
    HfApi(endpoint=hub.url, token="hf_alice").snapshot_download(REPO, repo_type="space", local_dir=folder)
    return folder


def read_page(process: subprocess.Popen[bytes], log: Path, port: int) -> str:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text("utf-8", "replace")
        try:
            with urlopen(f"http://127.0.0.1:{port}/", timeout=10) as answer:
                assert answer.status == 200
                return str(answer.read().decode("utf-8"))
        except URLError:
            time.sleep(0.2)
    raise AssertionError(f"the page did not answer within {START_S} s: {log.read_text('utf-8', 'replace')}")


def test_the_snapshot_starts_and_shows_the_page(snapshot: Path, tmp_path: Path) -> None:
    port, log = free_port(), tmp_path / "log"
    env = start_env(tmp_path, port)
    alone = subprocess.run(
        [*PYTHON, "-c", "import hub_toolkit.cli.main"], env=env, cwd=tmp_path, capture_output=True, check=False
    )
    assert alone.returncode == 1, "the checkout is on the path: this test would show nothing"
    with log.open("wb") as output:
        process = subprocess.Popen([*PYTHON, "app.py"], cwd=snapshot, env=env, stdout=output, stderr=output)
    try:
        page = read_page(process, log, port)
    finally:
        process.terminate()
        process.wait(timeout=30)
    assert '"title":"PersonaMem"' in page
    assert "Implicit memory" in page
    assert "Traceback" not in log.read_text("utf-8", "replace")


def imported_packages(path: Path) -> set[str]:
    """Return the top-level names that a module imports as it is loaded; what stands in a function comes later."""
    todo: list[ast.AST] = list(ast.parse(path.read_text("utf-8")).body)
    names: set[str] = set()
    while todo:
        node = todo.pop()
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.split(".")[0])
        elif isinstance(node, ast.Try):
            todo += node.body
    return names


def test_the_snapshot_pins_every_package_that_the_page_imports(snapshot: Path, tmp_path: Path) -> None:
    from hub_toolkit.hub.cards.cards import parse_front_matter

    card = parse_front_matter((snapshot / "README.md").read_text("utf-8"))
    lines = (snapshot / "requirements.txt").read_text("utf-8").splitlines()
    pins = dict(line.split("==") for line in lines if line and not line.startswith("#"))
    assert card["sdk_version"] == pins["gradio"]
    assert not list(snapshot.rglob("test_*.py"))

    script = (
        "import sys; sys.path.insert(0, '.'); import app\n"
        "for module in list(sys.modules.values()): print(getattr(module, '__file__', None) or '')"
    )
    loaded = subprocess.run(
        [*PYTHON, "-c", script],
        cwd=snapshot,
        env=start_env(tmp_path, free_port()),
        capture_output=True,
        text=True,
        check=True,
    )
    ours = [path for path in map(Path, loaded.stdout.splitlines()) if path.resolve().is_relative_to(snapshot.resolve())]
    assert len(ours) > 10
    foreign = set().union(*map(imported_packages, ours)) - sys.stdlib_module_names - {"hub_toolkit", "personamem_ui"}
    foreign = {NAMED_OTHERWISE.get(name, name) for name in foreign}
    assert foreign <= pins.keys() | {"app"}, f"{REQUIREMENTS} lacks {foreign - pins.keys()}"
