"""What every test shares: which extras must not be skipped, and where real data lies.

`PERSONAMEM_REQUIRE=space,local,browser` turns every skip for one of these extras into a failure, so that a green run
says that they were tested. Tests say what they need with `require_extra`; a bare skip fails there too.
"""

from __future__ import annotations

import importlib.util
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hub_server import HubServer, free_port

# The Hub's clients read these when they are imported: no test can reach the real Hub or the developer's login.
_HUB_PORT = free_port()
_HF_HOME = tempfile.TemporaryDirectory(prefix="personamem-hf-home-")
os.environ.update(
    HF_ENDPOINT=f"http://127.0.0.1:{_HUB_PORT}",
    HF_HOME=_HF_HOME.name,
    HF_HUB_DISABLE_XET="1",
    HF_HUB_DISABLE_TELEMETRY="1",
    HF_HUB_DISABLE_PROGRESS_BARS="1",
)
for _name in (
    "HF_TOKEN",
    "HUGGING_FACE_HUB_TOKEN",
    "HF_TOKEN_PATH",
    "HF_HUB_CACHE",
    "HF_DATASETS_CACHE",
    "HF_HUB_OFFLINE",
):
    os.environ.pop(_name, None)

# Read when torch is imported: tiny models gain nothing by threads, and two workers' threads take turns in waiting.
os.environ.setdefault("OMP_NUM_THREADS", "1")

REQUIRED = frozenset(name.strip() for name in os.environ.get("PERSONAMEM_REQUIRE", "").split(",") if name.strip())
REAL_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
_PREFIX = "extra "


def require_extra(name: str, ok: bool, reason: str) -> None:
    """Skip the calling test or module unless `ok`; fail instead where the extra is required.

    `reason` says what is missing and how to get it.
    """
    if not ok:
        pytest.skip(f"{_PREFIX}{name}: {reason}", allow_module_level=True)


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real histories; not part of the repository."""
    require_extra("real-data", REAL_DATA.is_dir(), f"no real histories in {REAL_DATA}")
    return REAL_DATA


@pytest.fixture(scope="session")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubServer]:
    """The tests' Hub, at `HF_ENDPOINT`: take a repo name of your own. Tokens: hf_alice (owner), hf_bob (outsider)."""
    for name in ("huggingface_hub", "datasets", "pyarrow", "starlette", "uvicorn"):
        require_extra("rehearse", importlib.util.find_spec(name) is not None, f"{name} is not installed")
    server = HubServer(tmp_path_factory.mktemp("hub") / "data", port=_HUB_PORT).start()
    yield server
    server.stop()


def _is_forbidden_skip(reason: str) -> bool:
    """Whether this skip hides an extra that must be tested: one of the required, or one that does not say which."""
    if not REQUIRED:
        return False
    _, found, rest = reason.partition(_PREFIX)
    return not found or rest.partition(":")[0] in REQUIRED


def _skip_reason(report: pytest.TestReport | pytest.CollectReport) -> str:
    return str(report.longrepr[2]) if isinstance(report.longrepr, tuple) else str(report.longrepr)


def _fail_forbidden_skip(report: pytest.TestReport | pytest.CollectReport) -> None:
    if report.skipped and not hasattr(report, "wasxfail") and _is_forbidden_skip(reason := _skip_reason(report)):
        report.outcome = "failed"
        report.longrepr = f"skipped although PERSONAMEM_REQUIRE={','.join(sorted(REQUIRED))}: {reason}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Iterator[None]:
    report = yield
    _fail_forbidden_skip(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Iterator[None]:
    report = yield
    _fail_forbidden_skip(report)
    return report


@pytest.fixture(autouse=True)
def _no_endpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test sees the developer's own endpoint or key."""
    for name in ("BASE_URL", "API_KEY", "MODEL"):
        monkeypatch.delenv(f"PERSONAMEM_{name}", raising=False)
        monkeypatch.delenv(f"OPENAI_{name}", raising=False)
