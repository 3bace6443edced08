"""One data directory, one platform; a killed one is cleared away."""

import fcntl
import os
import subprocess
import sys
import threading
from pathlib import Path

import psutil
import pytest

from modelwright.local import state
from modelwright.local.layout import LONGEST_SOCKET_DIRECTORY, Layout
from modelwright.local.state import (
    AlreadyRunning,
    describe_process,
    end_leftovers,
    is_held,
    read_platform,
    take,
    write_platform,
)

HOLDER = "import sys; from pathlib import Path; from modelwright.local import layout, state; " + (
    "hold = state.take(layout.Layout(Path(sys.argv[1]))); print('held', flush=True); sys.stdin.read()"
)


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    made = Layout(tmp_path / "data")
    made.create()
    return made


def test_a_directory_in_use_names_its_holder_its_page_and_a_way_out(layout: Layout) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(layout.data)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        write_platform(layout, {"web_url": "http://127.0.0.1:9999"})
        with pytest.raises(AlreadyRunning) as refused:
            take(layout)
        text = str(refused.value)
        assert f"process {holder.pid}" in text
        assert "http://127.0.0.1:9999" in text
        assert "--data-dir" in text
        assert is_held(layout)
        holder.kill()
    assert not is_held(layout)
    take(layout).release()


def test_who_only_looks_is_in_nobodys_way(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    with layout.lock_file.open("a") as looker:
        # As `is_held` does for a moment.
        fcntl.flock(looker, fcntl.LOCK_SH)
        assert not is_held(layout)
        lets_go = threading.Timer(0.2, fcntl.flock, (looker, fcntl.LOCK_UN))
        lets_go.start()
        monkeypatch.setattr(state, "LOOK_SECONDS", 60.0)
        take(layout).release()
        lets_go.join()


def test_what_a_killed_platform_left_running_is_ended(layout: Layout) -> None:
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]) as left:
        write_platform(layout, {"processes": {"web": describe_process(left.pid)}})
        assert end_leftovers(layout) == ["web"]
        assert not psutil.pid_exists(left.pid)
    # While the next one starts, nobody takes the addresses of the one before for its own.
    assert read_platform(layout) is None


def test_a_process_that_only_has_the_same_id_is_left_alone(layout: Layout) -> None:
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]) as other:
        started = float(describe_process(other.pid)["started"])
        write_platform(layout, {"processes": {"web": {"pid": other.pid, "started": started - 100}}})
        assert end_leftovers(layout) == []
        assert other.poll() is None
        other.kill()


def test_only_the_owner_may_read_where_the_database_is(layout: Layout) -> None:
    write_platform(layout, {"pid": 1})
    assert layout.platform_file.stat().st_mode & 0o077 == 0
    assert read_platform(layout) == {"pid": 1}


def test_sockets_get_a_short_path_where_the_data_directory_is_deep(tmp_path: Path) -> None:
    layout = Layout(tmp_path / ("deep" * 20))
    layout.create()
    try:
        assert len(os.fsencode(layout.sockets)) <= LONGEST_SOCKET_DIRECTORY
        assert layout.sockets.resolve() == layout.data / "sockets"
    finally:
        layout.sockets.unlink()
