"""What an endpoint does wrong, and what becomes of it: a table, each line of it played by a server on the loopback."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks.mock_server import FAULTS, RunningMock
from hub_toolkit.data.parse import load_samples, resolve_dataset, split_path
from hub_toolkit.data.schema import Sample
from hub_toolkit.evaluate.metered import MeteredModel
from hub_toolkit.evaluate.plan import EvalConfig
from hub_toolkit.evaluate.record import RunRecord, load_rows
from hub_toolkit.evaluate.request_log import read_logs
from hub_toolkit.evaluate.run import RunOptions, run_evaluation
from hub_toolkit.evaluate.run_setup import Setup
from hub_toolkit.memory.builders.extractive import ExtractiveBuilder
from hub_toolkit.models.openai_api import Endpoint, OpenAIModel
from hub_toolkit.models.retry import RetryPolicy

NUM_ROWS = 12
TIMEOUT_S = 0.4
TRIES = {"malformed": 3, "empty": 3, "400": 1, "overflow": 1}
"""Of a fault that does not pass; the others are tried five times."""
KINDS = {
    "429": "rate_limit",
    "500": "server",
    "hang": "timeout",
    "drop": "refused",
    "malformed": "bad_reply",
    "empty": "bad_reply",
    "400": "bad_request",
    "overflow": "bad_request",
}
PASSING = [kind for kind in FAULTS if kind not in ("400", "overflow")]


@pytest.fixture(scope="module")
def mock() -> Iterator[RunningMock]:
    with RunningMock() as running:
        yield running


@pytest.fixture(scope="module")
def samples() -> list[Sample]:
    found = load_samples(resolve_dataset("mini"), "benchmark")
    # Questions of one swap group are the same words: every row here is a request of its own.
    by_query = {(sample.user_query.text, sample.correct_answer): sample for sample in found}
    chosen: dict[str, Sample] = {}
    for sample in by_query.values():
        chosen.setdefault(sample.user_query.text, sample)
    return list(chosen.values())


def evaluate(mock: RunningMock, samples: list[Sample], out: Path, **options: Any) -> RunRecord:
    """Ask without any history, with waits a hundred times shorter than usual."""
    endpoint = Endpoint(mock.base_url, timeout_s=TIMEOUT_S, num_concurrent=4)
    model = MeteredModel(OpenAIModel("mock", endpoint, retry=RetryPolicy(first_wait_s=0.005)))
    config = EvalConfig("mini", reader="none", model="openai/mock", limit=NUM_ROWS)
    folder = resolve_dataset("mini")
    setup = Setup(
        config,
        folder,
        split_path(folder, "benchmark"),
        samples,
        model,
        model.counter,
        lambda: ExtractiveBuilder(model.counter),
    )

    async def go() -> RunRecord:
        try:
            return await run_evaluation(setup, out, options=RunOptions(4, **options))
        finally:
            await model.close()

    return asyncio.run(go())


@pytest.fixture(scope="module")
def undisturbed(mock: RunningMock, samples: list[Sample], tmp_path_factory: pytest.TempPathFactory) -> bytes:
    out = tmp_path_factory.mktemp("undisturbed") / "run"
    mock.control()
    assert evaluate(mock, samples, out).counts["scored"] == NUM_ROWS
    return (out / "samples.jsonl").read_bytes()


@pytest.mark.parametrize("kind", PASSING)
def test_what_passes_leaves_no_trace_in_the_result(
    kind: str, mock: RunningMock, samples: list[Sample], undisturbed: bytes, tmp_path: Path
) -> None:
    mock.control(fault={"kind": kind, "every": 1, "times": 2})
    record = evaluate(mock, samples, tmp_path / "run")
    assert (tmp_path / "run" / "samples.jsonl").read_bytes() == undisturbed
    assert record.counts == {"rows": NUM_ROWS, "scored": NUM_ROWS, "unparsed": 0, "failed": 0, "unscored": 0}
    stats = mock.stats()
    assert (stats["num_requests"], stats["by_fault"]) == (3 * NUM_ROWS, {kind: 2 * NUM_ROWS})
    assert record.requests is not None
    assert record.requests["by_status"] == {"ok": NUM_ROWS, KINDS[kind]: 2 * NUM_ROWS}
    assert record.requests["tries"] == stats["num_requests"], "every try is in the log"


@pytest.mark.parametrize("kind", FAULTS)
def test_what_lasts_fails_its_rows_and_no_others(
    kind: str, mock: RunningMock, samples: list[Sample], undisturbed: bytes, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    mock.control(fault={"kind": kind, "every": 3, "times": 0})
    record = evaluate(mock, samples, out)
    rows = load_rows(out)
    failed = [row for row in rows if row.answer.status == "failed"]
    assert 0 < len(failed) < NUM_ROWS == len(rows)
    assert record.counts == {**record.counts, "failed": len(failed), "scored": NUM_ROWS - len(failed)}
    assert all(row.answer.is_correct is None and row.answer.reply is None for row in failed)
    assert all(str(row.answer.error).startswith(f"{KINDS[kind]}: ") for row in failed)
    tries = TRIES.get(kind, 5)
    stats = mock.stats()
    assert stats["num_requests"] == (NUM_ROWS - len(failed)) + tries * len(failed), "bounded, and nothing else is asked"
    lines = list(read_logs(out / "requests"))
    assert sum(line["status"] == KINDS[kind] for line in lines) == tries * len(failed)
    assert record.tokens["answers"]["input"] == sum(line.get("input", 0) for line in lines), "a failure costs no tokens"

    mock.control()
    again = evaluate(mock, samples, out, is_retrying_failed=True)
    assert again.counts["failed"] == 0 and mock.stats()["num_requests"] == len(failed)
    assert (out / "samples.jsonl").read_bytes() == undisturbed


def test_retry_after_is_not_undercut(mock: RunningMock, samples: list[Sample], tmp_path: Path) -> None:
    mock.control(fault={"kind": "429", "every": 1, "times": 1, "retry_after_s": 0.3})
    record = evaluate(mock, samples, tmp_path / "run")
    assert record.counts["scored"] == NUM_ROWS
    assert record.times["last_session_s"] >= 0.3 * NUM_ROWS / 4


def test_overflow_says_what_to_do(mock: RunningMock, samples: list[Sample], tmp_path: Path) -> None:
    mock.control(fault={"kind": "overflow", "every": 2, "times": 0})
    evaluate(mock, samples, tmp_path / "run")
    errors = {row.answer.error for row in load_rows(tmp_path / "run") if row.answer.error}
    assert all("longer than the model reads" in str(error) and "--truncate" in str(error) for error in errors)


def test_endpoint_that_is_down_ends_the_run_and_costs_no_row(samples: list[Sample], tmp_path: Path) -> None:
    from hub_toolkit.errors import ProviderError

    with RunningMock() as gone:
        pass
    with pytest.raises(ProviderError, match="could not be reached"):
        evaluate(gone, samples, tmp_path / "run")
    assert json.loads((tmp_path / "run" / "run.json").read_bytes())["status"] == "running"
    assert (tmp_path / "run" / "journal.jsonl").read_bytes() == b""
