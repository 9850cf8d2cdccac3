"""The recipes as one file for a job: what the plan of a job shows, and that the file runs where nothing else lies."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from hub_toolkit.cli.main import main as personamem
from tests.hub_server import HubServer
from tests.request_recorder import Recorder, record_requests
from tests.train.tiny_model import require_trl

require_trl()

from train.bundle import build_bundle, main  # noqa: E402
from train.bundle_main import make_command  # noqa: E402

TOOLKIT = f"git+https://example.org/toolkit@{'a' * 40}"
JOB = {"id": "1a", "owner": {"id": "1", "name": "alice", "type": "user"}, "status": {"stage": "SCHEDULING"}}


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    out = tmp_path / "train.pyz"
    assert main([str(out)]) == 0
    return out


@pytest.fixture
def recorder(hub: HubServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Recorder]:
    with record_requests(Recorder(upstream=hub.url, answers={"POST /api/jobs/.*": (200, JOB)})) as recorder:
        monkeypatch.setenv("HF_ENDPOINT", recorder.url)
        monkeypatch.setenv("HF_TOKEN", "hf_alice")
        yield recorder


def test_the_same_recipes_are_the_same_bytes(bundle: Path) -> None:
    assert bundle.read_bytes() == build_bundle()
    names = zipfile.ZipFile(bundle).namelist()
    for name in ("__main__.py", "train/sft.py", "train/memory/trainer.py", "train/recipes/grpo_h200.yaml"):
        assert name in names
    assert "train/accelerate/fsdp2.yaml" in names
    assert "train/plan_assumptions.toml" in names
    assert not any("__pycache__" in name for name in names)


@pytest.mark.parametrize("kind", ["sft", "grpo", "memory_grpo"])
def test_a_job_runs_any_recipe(kind: str, bundle: Path, recorder: Recorder) -> None:
    words = ["jobs", "run", "--flavor", "h200", "--timeout", "48h", "--toolkit", TOOLKIT, "--extra", "hub"]
    words += ["--extra", "train", "--secret", "HF_TOKEN", "--output-repo", f"alice/{kind}", str(bundle), kind]
    words += ["--accelerate", "single", "--config", f"{kind}_h200", "--push_repo", "{output_repo}"]
    shown = CliRunner().invoke(personamem, words)
    assert shown.exit_code == 0, shown.output
    request = json.loads(shown.stdout[shown.stdout.index("{") : shown.stdout.rindex("\n}") + 2])
    command = request["command"]
    assert command[:4] == ["uv", "run", "--with", f"personamem-hub-toolkit[hub,train] @ {TOOLKIT}"]
    assert command[4:] == [
        "/data/train.pyz",
        kind,
        "--accelerate",
        "single",
        "--config",
        f"{kind}_h200",
        "--push_repo",
        f"alice/{kind}",
    ]
    assert f"upload: {bundle} goes along" in shown.stdout
    assert request["timeoutSeconds"] == 48 * 3600
    assert recorder.writes() == []


def test_a_bundle_without_the_toolkit_is_refused(bundle: Path, recorder: Recorder) -> None:
    refused = CliRunner().invoke(personamem, ["jobs", "run", str(bundle), "sft", "--config", "sft_h200"])
    assert refused.exit_code == 1
    assert "needs this toolkit" in refused.output
    assert recorder.writes() == []


def test_the_file_runs_where_nothing_else_lies(bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    env = {**os.environ, "PYTHONPATH": ""}
    words = ["plan", "sft_h200", "--gpu", "h200", "--accelerate", "single", "--json"]
    done = subprocess.run(
        [sys.executable, str(bundle), *words],
        cwd=tmp_path / "elsewhere",
        env=env,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert json.loads(done.stdout)["gpus"] == 1
    wrong = subprocess.run([sys.executable, str(bundle), "dance"], capture_output=True, text=True, check=False)
    assert wrong.returncode == 2
    assert "sft, grpo, memory_grpo" in wrong.stderr


def test_names_of_files_that_come_along_become_paths(tmp_path: Path) -> None:
    for folder, name in (("recipes", "sft_h200"), ("accelerate", "fsdp2")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / f"{name}.yaml").write_text("a: 1\n")
    recipe, launch = (str(tmp_path / place) for place in ("recipes/sft_h200.yaml", "accelerate/fsdp2.yaml"))
    plain = make_command(["sft", "--config", "sft_h200"], tmp_path)
    assert plain[1:] == ["-m", "train.sft", "--config", recipe]
    many = make_command(["sft", "--accelerate", "fsdp2", "--config", "sft_h200", "--seed", "1"], tmp_path)
    assert many[1:] == [
        "-m",
        "accelerate.commands.launch",
        "--config_file",
        launch,
        "-m",
        "train.sft",
        "--config",
        recipe,
        "--seed",
        "1",
    ]
    own = tmp_path / "mine.yaml"
    own.write_text("a: 1\n")
    assert make_command(["grpo", "--config", str(own)], tmp_path)[-1] == str(own)
    planned = make_command(["sft", "--plan", "--accelerate", "fsdp2", "--config", "sft_h200"], tmp_path)
    assert planned[2] == "train.sft"
    assert "--accelerate" in planned
