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

from models.gateway.spool import (
    PIECE_BYTES,
    Finish,
    behind_damage,
    encode_record,
    finish,
    list_segments,
    read_records,
)
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


DAMAGES = {
    "flip": b"\x00\x00\x00\x07" + b"\xff" * 6,
    "zeros": bytes(10),
    "a length beyond the end": b"\x07\xff\xff\xff",
    "a length over the limit": b"\xff\xff\xff\xff",
}


@pytest.mark.parametrize("is_open", [False, True])
@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_what_follows_damage_is_read_and_the_damaged_segment_kept(
    tmp_path: Path, damage: bytes, *, is_open: bool, caplog: pytest.LogCaptureFixture
) -> None:
    writer = SpoolWriter(tmp_path, "g")
    for number in range(4):
        writer.append(encode_record({"n": number}))
    (path,) = segments(tmp_path)
    first, second, _, end = (offset for _, offset in read_records(path))
    content = bytearray(path.read_bytes())
    content[first : first + len(damage)] = damage
    path.write_bytes(content)
    if not is_open:
        writer.close()
    assert read(path) == [{"n": 0}]
    for _ in range(2):
        assert finish(path, first) is Finish.DAMAGED
        assert behind_damage(path, first) == second
    assert f"{second - first} bytes of {path}" in caplog.text
    assert read(path, second) == [{"n": 2}, {"n": 3}]
    writer.close()
    assert finish(path, end) is Finish.DELETED
    (kept,) = tmp_path.iterdir()
    assert kept.name == f"{path.name}.damaged"
    assert kept.read_bytes() == content


def test_a_damaged_segment_with_nothing_behind_is_set_aside_instead_of_deleted(tmp_path: Path) -> None:
    path = write(tmp_path, {"n": 1}, {"n": 2})
    first = next(iter(read_records(path)))[1]
    content = path.read_bytes()[:first] + b"\x07" + bytes(30)
    for name in ("damaged", "2.damaged"):
        path.write_bytes(content)
        assert finish(path, first) is Finish.SET_ASIDE
        assert path.with_name(f"{path.name}.{name}").read_bytes() == content
        assert segments(tmp_path) == []


def test_the_end_of_a_segment_that_is_being_written_is_no_damage(tmp_path: Path) -> None:
    writer = SpoolWriter(tmp_path, "g")
    writer.append(encode_record({"n": 1}))
    (path,) = segments(tmp_path)
    end = end_of(path)
    last = encode_record({"text": "{" * 100, "of": [{"a": {}}] * 100})
    for cut in (1, 8, 9, 200, len(last) - 1):
        os.truncate(path, end)
        with path.open("ab") as file:
            file.write(last[:cut])
        assert finish(path, end) is Finish.OPEN
    assert list(tmp_path.iterdir()) == [path]


def test_a_record_is_found_wherever_it_lies_behind_much_damage(tmp_path: Path) -> None:
    path = tmp_path / "g-0000000001.spool"
    record = encode_record({"n": 1})
    # What looks like heads: braces where a record would begin and end.
    lookalike = b"\x00\x00\x00\x10" + b"{" * 19 + b"}"
    for before in (PIECE_BYTES - 9, PIECE_BYTES - 4, PIECE_BYTES, 2 * PIECE_BYTES + 1):
        filler = (lookalike * (before // len(lookalike) + 1))[:before]
        path.write_bytes(b"\xff" + filler + record)
        assert behind_damage(path, 0) == 1 + before


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
