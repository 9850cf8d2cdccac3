"""How fast is the leaderboard: checking and scoring a submission of 5,000 predictions, and a table of 1,000 rows.

`python benchmarks/leaderboard.py` writes a dataset of PersonaMem-v2's published size (`published_size.py`, 20 s), makes
a submission with a control and a counterfactual answer to every question, and times each step; `--plain` leaves both
away. Then it makes a table of 1,000 rows, each of another system, and times ranking, filtering, comparing the choices
of 50 new rows with all, writing and reading. Prints a table and, on its last line, JSON. Every figure is the median of
`--repeats`; the memory is what the table adds to the process, as Python counts it.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.published_size import write_dataset
from hub_toolkit.leaderboard.board import Board, open_board
from hub_toolkit.leaderboard.flags import find_rule_flags, flag_copies, gold_choices
from hub_toolkit.leaderboard.rank import (
    Receipt,
    TableRow,
    decode_row,
    encode_row,
    filter_rows,
    make_table_row,
    rank_rows,
)
from hub_toolkit.leaderboard.score import score_submission
from hub_toolkit.leaderboard.submission import Submission, read_submission

SHA = "0" * 40
NUM_TABLE_ROWS, NUM_NEW = 1_000, 50
ROWS_A_PERSONA = 25
LINE = "{:<52} {:>10} {}"
REPLY = "Going by what was said before, the reply that fits this person best is the one below. "


def make_files(board: Board, *, is_plain: bool) -> tuple[bytes, bytes]:
    """Return a submission that is right in half of the rows."""
    source = random.Random(1)
    personas = sorted({sample.persona_id for sample in board.samples})
    others = dict(zip(personas, [*personas[1:], personas[0]], strict=True))
    lines = []
    for name, question in board.questions.items():
        letters = [question.gold if source.random() < share else source.choice("ABCD") for share in (0.5, 0, 0.2)]
        own, control, other = (f"{REPLY}\\boxed{{{letter}}}" for letter in letters)
        line: dict[str, Any] = {"sample_id": name, "output": own, "input_tokens": 2_100, "output_tokens": 30}
        if not is_plain:
            whose = others[board.by_id[name].persona_id]
            line |= {"no_context_output": control, "other_output": other, "other_persona_id": whose}
        lines.append(line)
    meta = {
        "name": "System",
        "model": "owner/model",
        "revision": SHA,
        "dataset": board.dataset,
        "dataset_revision": board.revision,
        "protocol": board.protocol.name,
        "task": "mcq",
        "context": "memory",
        "harness": "benchmark",
        "licence": "mit",
        "contact": "nobody",
    }
    return "".join(f"{json.dumps(line)}\n" for line in lines).encode(), json.dumps(meta).encode()


def make_table(board: Board, row: TableRow) -> list[TableRow]:
    """Return many rows like one, each of another system that was sent at another time."""
    source = random.Random(2)
    gold = gold_choices(board)
    return [
        {
            **json.loads(json.dumps(row)),
            "submission": f"{number:064x}",
            "outputs": f"{number:064d}",
            "name": f"System {number}",
            "accuracy": source.random(),
            "time": f"2026-11-21T{number // 3600:02}:{number // 60 % 60:02}:{number % 60:02}Z",
            "choices": "".join(letter if source.random() < 0.5 else source.choice("ABCD") for letter in gold),
        }
        for number in range(NUM_TABLE_ROWS)
    ]


def median_s(call: Callable[[], Any], repeats: int, clock: Callable[[], float] = time.perf_counter) -> float:
    """Return the median time of a call."""
    times = []
    for _ in range(repeats):
        started_s = clock()
        call()
        times.append(clock() - started_s)
    return statistics.median(times)


def time_submission(board: Board, files: tuple[bytes, bytes], repeats: int) -> tuple[dict[str, float], TableRow]:
    """Time what becomes of one submission."""
    submission: Submission = read_submission(*files, board)
    scored = score_submission(submission, board)
    row = make_table_row(submission, scored, board, Receipt("nobody", "2026-11-21T00:00:00Z"))
    return {
        "validate_s": median_s(lambda: read_submission(*files, board), repeats),
        "digest_s": median_s(lambda: submission.digest, repeats),
        "score_s": median_s(lambda: score_submission(submission, board), repeats),
        "score_cpu_s": median_s(lambda: score_submission(submission, board), repeats, time.process_time),
        "rule_flags_s": median_s(lambda: find_rule_flags(scored.rows, scored.samples), repeats),
    }, row


def time_table(board: Board, row: TableRow, repeats: int) -> dict[str, float]:
    """Time what is done with the whole table."""
    tracemalloc.start()
    table = make_table(board, row)
    memory_mb = tracemalloc.get_traced_memory()[0] / 2**20
    tracemalloc.stop()
    lines = [json.dumps(encode_row(one)) for one in table]
    new, gold = frozenset(one["submission"] for one in table[-NUM_NEW:]), gold_choices(board)
    return {
        "rank_ms": 1000 * median_s(lambda: rank_rows(table), repeats),
        "filter_ms": 1000 * median_s(lambda: filter_rows(table, text="system 77", task="mcq"), repeats),
        "flag_copies_s": median_s(lambda: flag_copies(table, new, gold), 1),
        "write_ms": 1000 * median_s(lambda: [json.dumps(encode_row(one)) for one in table], repeats),
        "read_ms": 1000 * median_s(lambda: [decode_row(json.loads(line)) for line in lines], repeats),
        "table_memory_mb": memory_mb,
        "table_file_mb": sum(map(len, lines)) / 2**20,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--personas", type=int, default=200, help="25 questions each")
    parser.add_argument("--plain", action="store_true", help="no control and no counterfactual answers")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--data", type=Path, help="a folder that published_size.py wrote")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.data or Path(temporary) / "data"
        if options.data is None:
            size = argparse.Namespace(
                personas=options.personas, train_personas=0, rows=ROWS_A_PERSONA, with_128k=False, seed=0
            )
            write_dataset(folder, size)
        board = open_board(str(folder), dataset="owner/benchmark", revision=SHA)
    files = make_files(board, is_plain=options.plain)
    found, row = time_submission(board, files, options.repeats)
    found |= time_table(board, row, options.repeats)
    figures = {"num_predictions": len(board.samples), "file_mb": len(files[0]) / 2**20, **found}
    for title, name, unit in (
        ("predictions", "num_predictions", ""),
        ("predictions.jsonl", "file_mb", "MB"),
        ("check every line", "validate_s", "s"),
        ("digest", "digest_s", "s"),
        ("score: parse, accuracy, intervals, controls, slices", "score_s", "s"),
        ("  of the processor", "score_cpu_s", "s"),
        ("look for rules and gold", "rule_flags_s", "s"),
        ("table of 1,000 rows: rank", "rank_ms", "ms"),
        ("  filter", "filter_ms", "ms"),
        ("  compare 50 new rows with all", "flag_copies_s", "s"),
        ("  write", "write_ms", "ms"),
        ("  read", "read_ms", "ms"),
        ("  memory", "table_memory_mb", "MB"),
        ("  file", "table_file_mb", "MB"),
    ):
        print(LINE.format(title, f"{figures[name]:,.3f}" if unit else f"{figures[name]:,}", unit))
    print(json.dumps({name: round(value, 4) for name, value in figures.items()}))


if __name__ == "__main__":
    main()
