"""The spool: what was acknowledged can be read, what is torn is not, nothing unread is deleted."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.gateway.spool import Finish, encode_record, finish, list_segments, read_records
from models.gateway.spool_writer import SpoolRefused, SpoolWriter


def segments(directory: Path) -> list[Path]:
    return [segment.path for segment in list_segments(directory)]


def read(path: Path, offset: int = 0) -> list[dict[str, Any]]:
    return [record for record, _ in read_records(path, offset)]


def write(directory: Path, *records: dict[str, Any], **options: Any) -> Path:
    writer = SpoolWriter(directory, "g", **options)
    for record in records:
        writer.append(encode_record(record))
    writer.close()
    return segments(directory)[-1]


def end_of(path: Path) -> int:
    return max(offset for _, offset in read_records(path))


def test_records_are_read_in_order_and_from_any_offset(tmp_path: Path) -> None:
    path = write(tmp_path, {"n": 1}, {"n": 2}, {"n": "ü"})
    found = list(read_records(path))
    assert [record for record, _ in found] == [{"n": 1}, {"n": 2}, {"n": "ü"}]
    assert read(path, found[0][1]) == [{"n": 2}, {"n": "ü"}]
    assert found[-1][1] == path.stat().st_size


@given(
    st.lists(st.dictionaries(st.text(), st.integers(-(2**53), 2**53) | st.text() | st.none()), max_size=5), st.data()
)
def test_a_file_cut_anywhere_gives_exactly_the_records_that_are_whole(records: Any, data: Any) -> None:
    encoded = [encode_record(record) for record in records]
    whole = b"".join(encoded)
    cut = data.draw(st.integers(0, len(whole)))
    path = Path(os.environ["MODELWRIGHT_DATA_DIR"]) / f"cut-{os.getpid()}.bin"
    path.write_bytes(whole[:cut])
    ends = [sum(map(len, encoded[: count + 1])) for count in range(len(encoded))]
    assert read(path) == records[: sum(end <= cut for end in ends)]


def test_a_restarted_writer_begins_a_new_segment_and_leaves_the_old_one(tmp_path: Path) -> None:
    first = write(tmp_path, {"n": 1})
    second = write(tmp_path, {"n": 2})
    assert segments(tmp_path) == [first, second]
    assert (read(first), read(second)) == ([{"n": 1}], [{"n": 2}])


def test_a_full_segment_is_followed_by_another(tmp_path: Path) -> None:
    write(tmp_path, *({"n": n, "text": "x" * 100} for n in range(10)), segment_bytes=300)
    assert len(segments(tmp_path)) > 2
    assert [record["n"] for path in segments(tmp_path) for record in read(path)] == list(range(10))


def test_a_segment_in_use_is_never_deleted(tmp_path: Path) -> None:
    writer = SpoolWriter(tmp_path, "g")
    writer.append(encode_record({"n": 1}))
    (path,) = segments(tmp_path)
    assert finish(path, end_of(path)) is Finish.OPEN
    writer.close()
    assert finish(path, 0) is Finish.UNREAD
    assert finish(path, end_of(path)) is Finish.DELETED
    assert not path.exists()


def test_a_closed_segment_with_a_torn_end_is_deleted_after_its_whole_records(tmp_path: Path) -> None:
    path = write(tmp_path, {"n": 1})
    end = end_of(path)
    with path.open("ab") as file:
        file.write(encode_record({"n": 2})[:-1])
    assert read(path) == [{"n": 1}]
    assert finish(path, end) is Finish.DELETED


@pytest.mark.parametrize("damage", ["flip", "zeros"])
def test_a_damaged_segment_is_set_aside_instead_of_deleted(tmp_path: Path, damage: str) -> None:
    path = write(tmp_path, {"n": 1}, {"n": 2}, {"n": 3})
    first = next(iter(read_records(path)))[1]
    content = bytearray(path.read_bytes())
    content[first : first + 10] = bytes(10) if damage == "zeros" else b"\x00\x00\x00\x07" + b"\xff" * 6
    path.write_bytes(content)
    assert read(path) == [{"n": 1}]
    assert finish(path, first) is Finish.SET_ASIDE
    assert path.with_name(path.name + ".damaged").exists()
    assert segments(tmp_path) == []


def test_a_spool_at_its_limit_refuses_and_goes_on_when_the_shipper_has_caught_up(tmp_path: Path) -> None:
    record = encode_record({"text": "x" * 400})
    writer = SpoolWriter(tmp_path, "g", limit_bytes=1000, segment_bytes=400)
    writer.append(record)
    writer.append(record)
    with pytest.raises(SpoolRefused) as caught:
        writer.append(record)
    assert "shipper" in caught.value.remedy
    first = segments(tmp_path)[0]
    assert finish(first, end_of(first)) is Finish.DELETED
    writer._scanned_at = float("-inf")
    writer.append(record)


def test_a_deleted_folder_is_made_again(tmp_path: Path) -> None:
    writer = SpoolWriter(tmp_path / "spool", "g")
    writer.append(encode_record({"n": 1}))
    segments(tmp_path / "spool")[0].unlink()
    (tmp_path / "spool").rmdir()
    writer._scanned_at = float("-inf")
    writer.append(encode_record({"n": 2}))
    assert [read(path) for path in segments(tmp_path / "spool")] == [[{"n": 2}]]


DISK_FULL = """
import resource, sys
from pathlib import Path
from models.gateway.spool import encode_record
from models.gateway.spool_writer import SpoolRefused, SpoolWriter
writer = SpoolWriter(Path(sys.argv[1]), "g")
writer.append(encode_record({"n": 0}))
# A file may not grow past 500 bytes: the next write is cut short, the one after fails.
resource.setrlimit(resource.RLIMIT_FSIZE, (500, resource.RLIM_INFINITY))
for attempt in range(2):
    try:
        writer.append(encode_record({"n": 1, "text": "x" * 1000}))
        sys.exit("written")
    except SpoolRefused as refused:
        assert "space" in refused.remedy
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
writer.append(encode_record({"n": 2}))
"""


def test_a_record_that_a_full_disk_cuts_short_is_taken_away_and_writing_recovers(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", DISK_FULL, str(tmp_path)], check=True, timeout=60)
    (path,) = segments(tmp_path)
    assert read(path) == [{"n": 0}, {"n": 2}]
    assert end_of(path) == path.stat().st_size
