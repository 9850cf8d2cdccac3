"""CSV records: quoting, bounds, and going on after a bad one."""

from __future__ import annotations

import io
import tracemalloc
from pathlib import Path

from hub_toolkit.data.table import MAX_RECORD_BYTES, Record, iter_records
from hub_toolkit.errors import DataFormatError


def read(data: bytes) -> list[Record | DataFormatError]:
    return list(iter_records(io.BytesIO(data), file="t.csv"))


def test_quotes_line_ends_and_blank_lines() -> None:
    data = b'\xef\xbb\xbfa,b\r\n1,"x, ""y""\nz"\r\n\r\n2,\n'
    assert read(data) == [Record(0, ["a", "b"]), Record(1, ["1", 'x, "y"\nz']), Record(2, ["2", ""])]
    assert read(b"") == []


def test_a_bad_record_does_not_stop_the_others() -> None:
    head, bad, good = read(b'a,b\n"x"y,1\n3,4\n')
    assert head == Record(0, ["a", "b"])
    assert isinstance(bad, DataFormatError)
    assert (bad.file, bad.row) == ("t.csv", 1)
    assert good == Record(2, ["3", "4"])


def test_an_open_quotation_mark_is_an_error() -> None:
    _, bad = read(b'a,b\n1,"x\n2,y\n')
    assert isinstance(bad, DataFormatError)


def test_bytes_that_are_not_utf8_stay_recognisable() -> None:
    assert read(b"a\n\xff\n")[1] == Record(1, ["\udcff"])


def test_a_cell_longer_than_the_csv_modules_own_limit_is_read() -> None:
    assert read(b"a\n" + b"x" * 200_000 + b"\n")[1] == Record(1, ["x" * 200_000])


def test_a_line_of_200_megabytes_is_skipped_in_bounded_memory(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    with path.open("wb") as stream:
        stream.write(b'a,b\n1,"')
        for _ in range(200):
            stream.write(b"x" * 2**20)
        stream.write(b'"\n2,y\n')
    tracemalloc.start()
    with path.open("rb") as stream:
        _, long, after = iter_records(stream, file="t.csv")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert isinstance(long, DataFormatError)
    assert (long.row, after) == (1, Record(2, ["2", "y"]))
    assert peak < 3 * MAX_RECORD_BYTES
