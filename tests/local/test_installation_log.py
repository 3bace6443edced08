"""Whether a program is ready is read from what it wrote since its start."""

from pathlib import Path

from modelwright.local.installation import says


def test_only_what_came_after_counts_unless_the_log_was_begun_anew(tmp_path: Path) -> None:
    log = tmp_path / "worker.log"
    assert not says(log, b" ready.", 0)
    log.write_text("old ready.\n")
    offset = log.stat().st_size
    assert not says(log, b" ready.", offset)
    log.write_text("old ready.\nnew ready.\n")
    assert says(log, b" ready.", offset)
    log.write_text("is ready.\n")
    assert says(log, b" ready.", offset)
