"""`personamem doctor`: what is installed, reachable and missing, with the command that mends it."""

from __future__ import annotations

import asyncio
import importlib
import importlib.metadata
import itertools
import json
import platform
import re
import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

import click

from hub_toolkit.settings import REAL_HUB, Settings, load_settings

DISTRIBUTION = "personamem-hub-toolkit"
CORE_MODULES = ("click", "httpx", "numpy", "openai", "snowballstemmer", "tqdm")
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ENDPOINT_TIMEOUT_S = 3.0
MAX_REPLY_BYTES = 1_000_000
NUM_MODELS_SHOWN = 3
ENDPOINT_EXAMPLE = (
    "export PERSONAMEM_BASE_URL=http://127.0.0.1:8000/v1 PERSONAMEM_API_KEY=KEY PERSONAMEM_MODEL=openai/NAME"
)

Status = Literal["ok", "missing", "failed"]
_REQUIREMENT = re.compile(r"^([\w.-]+)(?:\[[^\]]*\])?\s*\(?([^;)]*)\)?\s*;.*extra\s*==\s*['\"]([\w-]+)['\"]")
_CLAUSE = re.compile(r"(>=|<=|<|>)\s*([\d.]+)")


@dataclass(frozen=True)
class Check:
    """One finding. `mend` is the command that mends it; a core check that is not `ok` makes the exit status 1."""

    name: str
    status: Status
    detail: str
    mend: str | None = None
    is_core: bool = False


def _checkout() -> Path | None:
    folder = Path(__file__).resolve().parents[2]
    return folder if (folder / "pyproject.toml").is_file() else None


def _install_command(extra: str | None = None) -> str:
    suffix = f"[{extra}]" if extra else ""
    if _checkout() is None:
        return f"pip install '{DISTRIBUTION}{suffix}'"
    # constraints.txt pins what works together without torch; the two training environments choose their own.
    pins = "-c constraints.txt " if extra in (None, "space", "local", "hub", "rehearse", "agreement", "dev") else ""
    return f"pip install {pins}-e '.{suffix}'"


def check_python() -> Check:
    """The interpreter, and whether it is new enough."""
    is_new = sys.version_info >= (3, 11)
    mend = None if is_new else "make PYTHON=python3.12 test"
    detail = f"{platform.python_version()} ({sys.executable})"
    return Check("python", "ok" if is_new else "failed", detail, mend, is_core=True)


def check_package() -> Check:
    """The toolkit itself; without it the command `personamem` has no metadata and its extras are not known."""
    place = _checkout() or Path(__file__).resolve().parents[1]
    try:
        version = importlib.metadata.version(DISTRIBUTION)
    except importlib.metadata.PackageNotFoundError:
        return Check("package", "missing", f"runs from {place} without being installed", _install_command())
    return Check("package", "ok", f"{DISTRIBUTION} {version} ({place})", is_core=True)


def check_core() -> Check:
    """Every module of the core can be imported, and a memory can be built."""
    for module in CORE_MODULES:
        try:
            importlib.import_module(module)
        except ImportError as error:
            return Check("core", "failed", f"{module} cannot be imported: {error}", _install_command(), is_core=True)
    from hub_toolkit.data.history import parse_history
    from hub_toolkit.data.tokens import EstimateCounter
    from hub_toolkit.memory.build import build_memory
    from hub_toolkit.memory.builders.extractive import ExtractiveBuilder

    talk = [
        {"role": "user", "content": "Could you shorten this? I spent the whole weekend at the pottery wheel again."},
        {"role": "assistant", "content": "Spent the weekend at the pottery wheel again."},
    ]
    counter = EstimateCounter()
    started = time.perf_counter()
    history = parse_history(talk, source="doctor")
    document = asyncio.run(build_memory(history, ExtractiveBuilder(counter), counter))
    took_ms = (time.perf_counter() - started) * 1000
    if document.read_messages != len(talk):
        return Check("core", "failed", "a memory of two messages was not built", _install_command(), is_core=True)
    return Check("core", "ok", f"imports; built a memory of two messages in {took_ms:.0f} ms", is_core=True)


def check_mini() -> Check:
    """The sample dataset that ships in the wheel can be read."""
    from hub_toolkit.data.parse import load_samples, resolve_dataset
    from hub_toolkit.errors import DataFormatError

    try:
        samples = load_samples(resolve_dataset("mini"))
    except DataFormatError as error:
        mend = _install_command().replace("install", "install --force-reinstall --no-deps", 1)
        return Check("mini data", "failed", str(error), mend, is_core=True)
    num_personas = len({sample.persona_id for sample in samples})
    return Check("mini data", "ok", f"{len(samples)} questions about {num_personas} histories", is_core=True)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in itertools.takewhile(str.isdigit, version.split(".")))


def _is_in_range(version: str, clauses: str) -> bool:
    """Whether a release lies in `>=a,<b`; other clauses are left to pip."""
    have = _numbers(version)
    tests: dict[str, Callable[[tuple[int, ...]], bool]] = {
        ">=": lambda bound: have >= bound,
        "<=": lambda bound: have[: len(bound)] <= bound,
        "<": lambda bound: have < bound,
        ">": lambda bound: have > bound,
    }
    return all(tests[sign](_numbers(bound)) for sign, bound in _CLAUSE.findall(clauses))


def check_extras() -> list[Check]:
    """One check an extra, from what the installed package says that it needs."""
    try:
        lines = importlib.metadata.requires(DISTRIBUTION) or []
    except importlib.metadata.PackageNotFoundError:
        return []
    wanted: dict[str, list[tuple[str, str]]] = {}
    for match in filter(None, map(_REQUIREMENT.match, lines)):
        name, clauses, extra = match.groups()
        wanted.setdefault(extra, []).append((name, clauses.strip()))
    return [_check_extra(extra, requirements) for extra, requirements in wanted.items()]


def _check_extra(extra: str, requirements: list[tuple[str, str]]) -> Check:
    have, lack = [], []
    for name, clauses in requirements:
        try:
            version = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            lack.append(name)
            continue
        if _is_in_range(version, clauses):
            have.append(f"{name} {version}")
        else:
            lack.append(f"{name} {clauses} (found {version})")
    if lack:
        return Check(f"extra {extra}", "missing", "needs " + ", ".join(lack), _install_command(extra))
    return Check(f"extra {extra}", "ok", ", ".join(have))


def check_weights(settings: Settings) -> Check:
    """The local model's file in the user's cache folder."""
    from hub_toolkit.models.fetch import cached_gguf

    path = cached_gguf(settings.cache_dir)
    if path is None:
        detail = f"SmolLM2-135M is not in {settings.cache_dir}"
        return Check("local weights", "missing", detail, "personamem models fetch")
    return Check("local weights", "ok", f"{path} ({path.stat().st_size / 1e6:.0f} MB)")


def check_browser() -> Check:
    """Chromium, which only the browser tests need."""
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        return Check("chromium", "missing", "the browser tests are skipped without it", "apt-get install chromium")
    return Check("chromium", "ok", found)


def _place(base_url: str) -> str | None:
    """Return the endpoint without a user name, a password or a query, which may hold a secret; None: no address."""
    try:
        parts = urlsplit(base_url)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return None
    return f"{parts.scheme}://{parts.hostname}{port}{parts.path}"


def check_endpoint(settings: Settings) -> Check:
    """One `GET /models` at the configured endpoint; the key is sent and never shown."""
    import httpx

    if not settings.base_url:
        return Check("endpoint", "missing", "no OpenAI-compatible endpoint is set", ENDPOINT_EXAMPLE)
    place = _place(settings.base_url)
    if place is None:
        return Check("endpoint", "failed", "PERSONAMEM_BASE_URL is no http:// or https:// address", ENDPOINT_EXAMPLE)
    mend = "start the server, or set PERSONAMEM_BASE_URL to one that runs"
    try:
        status, body = _get_models(settings.base_url.rstrip("/") + "/models", settings.api_key)
    except httpx.TimeoutException:
        return Check("endpoint", "failed", f"{place} did not answer within {ENDPOINT_TIMEOUT_S:.0f} s", mend)
    except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:
        return Check("endpoint", "failed", f"{place} cannot be reached ({type(error).__name__})", mend)
    if status in (401, 403):
        what = "refused the key" if settings.api_key else "wants a key"
        return Check("endpoint", "failed", f"{place} {what} (HTTP {status})", "export PERSONAMEM_API_KEY=KEY")
    if status != 200:
        return Check("endpoint", "failed", f"{place}/models answered HTTP {status}", mend)
    return _check_models(place, body, settings.model)


def check_hub(settings: Settings) -> Check:
    """Which Hub is meant. Only one that HF_ENDPOINT names is asked; the token is never shown."""
    import httpx

    place = _place(settings.hub_endpoint)
    if place is None:
        return Check("hub", "failed", "HF_ENDPOINT is no http:// or https:// address", "unset HF_ENDPOINT")
    token = "HF_TOKEN is set" if settings.hub_token else "HF_TOKEN is not set"
    if settings.hub_endpoint == REAL_HUB:
        return Check("hub", "ok", f"{place} (not asked); {token}")
    try:
        status = httpx.get(f"{settings.hub_endpoint}/api/datasets?limit=1", timeout=ENDPOINT_TIMEOUT_S).status_code
    except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:
        mend = "start it (personamem hub serve --data DIR), or unset HF_ENDPOINT"
        return Check("hub", "failed", f"{place} cannot be reached ({type(error).__name__})", mend)
    return Check("hub", "ok" if status < 500 else "failed", f"{place} answers (HTTP {status}); {token}")


def _get_models(url: str, api_key: str | None) -> tuple[int, bytes]:
    """Return the status and the first part of the reply, within the time that a person waits for."""
    import httpx

    headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
    deadline, body = time.monotonic() + ENDPOINT_TIMEOUT_S, b""
    with httpx.stream("GET", url, headers=headers, timeout=ENDPOINT_TIMEOUT_S) as reply:
        for piece in reply.iter_bytes():
            body += piece
            if len(body) > MAX_REPLY_BYTES:
                break
            if time.monotonic() > deadline:
                raise httpx.ReadTimeout("the reply is too slow")
        return reply.status_code, body


def _check_models(place: str, body: bytes, model: str | None) -> Check:
    try:
        names = [str(entry["id"]) for entry in json.loads(body)["data"]]
    except (ValueError, KeyError, TypeError, RecursionError):
        mend = "set PERSONAMEM_BASE_URL to the address that ends in /v1"
        return Check("endpoint", "failed", f"{place} answers, but not with a list of models", mend)
    shown = ", ".join(names[:NUM_MODELS_SHOWN]) + (", ..." if len(names) > NUM_MODELS_SHOWN else "")
    wanted = model.removeprefix("openai/") if model and model.startswith("openai/") else None
    if wanted and wanted not in names:
        mend = f"export PERSONAMEM_MODEL=openai/{names[0]}" if names else "load a model on the server"
        return Check("endpoint", "failed", f"{place} serves {shown or 'no model'}, not {wanted}", mend)
    return Check("endpoint", "ok", f"{place} serves {shown or 'no model'}")


def run_checks(settings: Settings) -> list[Check]:
    """Run all checks, in the order in which a person would mend them."""
    core = check_core()
    checks = [check_python(), check_package(), core]
    if core.status != "ok":
        return [*checks, *check_extras()]  # the rest imports what is broken
    return [
        *checks,
        check_mini(),
        *check_extras(),
        check_weights(settings),
        check_endpoint(settings),
        check_hub(settings),
        check_browser(),
    ]


def is_working(checks: list[Check]) -> bool:
    """Whether the core works; a missing extra is no fault."""
    return all(check.status == "ok" for check in checks if check.is_core)


def _render_text(checks: list[Check]) -> str:
    width = max(len(check.name) for check in checks)
    lines = []
    for check in checks:
        lines.append(f"{check.status:8} {check.name:{width}}  {check.detail}")
        if check.mend:
            lines.append(f"{'':8} {'':{width}}  -> {check.mend}")
    lines.append("The core works." if is_working(checks) else "The core does not work: mend the lines above first.")
    return "\n".join(lines)


@click.command()
@click.option("--json", "is_json", is_flag=True, help="Print {ok, checks: [{name, status, detail, mend, is_core}]}.")
def doctor(is_json: bool) -> None:
    """Say what is installed, reachable and missing, with the command that mends it.

    The exit status is 0 when the core works, whatever extras are missing.
    """
    checks = run_checks(load_settings())
    report: dict[str, Any] = {"ok": is_working(checks), "checks": [asdict(check) for check in checks]}
    click.echo(json.dumps(report, ensure_ascii=False, indent=1) if is_json else _render_text(checks))
    if not report["ok"]:
        raise click.exceptions.Exit(1)
