"""What every test shares: which extras must not be skipped, and where real data lies.

`PERSONAMEM_REQUIRE=space,local,browser` turns every skip for one of these extras into a failure, so that a green run
says that they were tested. Tests say what they need with `require_extra`; a bare skip fails there too.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

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
