"""Padding from somebody's dataset on a Hub: fetched once, pinned, and read through `datasets`."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result
from huggingface_hub import HfApi

from hub_toolkit.cli.main import main
from tests.hub_server import HubServer

SMALL = ("--personas", "4", "--questions", "4", "--tokens", "3000", "--long-tokens", "4000")


def generate(out: Path, name: str) -> Result:
    return CliRunner().invoke(main, ["generate", *SMALL, "--out", str(out), "--padding", name])


def test_a_dataset_of_the_hub_is_padding_at_the_commit_it_had(
    hub: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_alice")
    monkeypatch.setenv("PERSONAMEM_CACHE", str(tmp_path / "cache"))
    api = HfApi(endpoint=hub.url, token="hf_alice")
    api.create_repo("alice/sums", repo_type="dataset", exist_ok=True)
    content = io.BytesIO()
    pq.write_table(pa.table({"question": ["What is 2 + 5?", "And 3?"], "answer": ["Seven.", "Three."]}), content)
    content.seek(0)
    api.upload_file(
        path_or_fileobj=content, path_in_repo="main/train-0.parquet", repo_id="alice/sums", repo_type="dataset"
    )
    sha = api.dataset_info("alice/sums").sha
    done = generate(tmp_path / "out", "hf://alice/sums")
    assert done.exit_code == 0, done.output
    config = json.loads((tmp_path / "out" / "generate_config.json").read_bytes())
    assert config["padding"]["name"] == f"hf://alice/sums@{sha}"
    history = json.loads((tmp_path / "out/data/chat_history_128k/chat_history_persona1.json").read_bytes())
    texts = [message["content"] for message in history["chat_history"]]
    assert texts.count("What is 2 + 5?") == texts.count("Seven.") > 10
    assert "nothing to do" in generate(tmp_path / "out", f"hf://alice/sums@{sha}").output
    missing = generate(tmp_path / "new", "hf://alice/nothing")
    assert missing.exit_code == 1 and missing.output.count("\n") == 1 and "alice/nothing" in missing.output
    no_split = generate(tmp_path / "new", f"hf://alice/sums@{sha}#default/test")
    assert no_split.exit_code == 1 and "name config and split" in no_split.output
