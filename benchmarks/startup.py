"""How long `./modelwright up` takes until its pages answer: on a new data directory, and again on the same one.

    uv run --no-sync python benchmarks/startup.py --starts 5

The environment and the front-end files are there already; the limit for the second start is ten seconds.
"""

import argparse
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LIMIT_SECONDS = 10.0
READY = "Modelwright runs at"


def main() -> int:
    """Print the seconds of each start. Returns 1 when the later ones are over the limit in the median."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--starts", type=int, default=5, help="starts after the first (default: %(default)s)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="mw-", dir="/tmp") as folder:
        first, stop = start(Path(folder) / "d")
        print(f"first start  {first:5.1f} s, stopped in {stop:.1f} s", flush=True)
        later = []
        for number in range(options.starts):
            seconds, stop = start(Path(folder) / "d")
            later.append(seconds)
            print(f"start {number + 2}      {seconds:5.1f} s, stopped in {stop:.1f} s", flush=True)
    median = statistics.median(later)
    print(f"later starts: median {median:.1f} s, worst {max(later):.1f} s, limit {LIMIT_SECONDS:.0f} s")
    return 1 if median > LIMIT_SECONDS else 0


def start(data: Path) -> tuple[float, float]:
    """Start the platform and stop it. Returns the seconds that each took."""
    began = time.monotonic()
    process = subprocess.Popen(
        [str(ROOT / "modelwright"), "up", "--data-dir", str(data)],
        cwd=ROOT,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line)
        if READY in line:
            break
    else:
        raise SystemExit("".join(["The platform did not start:\n", *lines]))
    ready = time.monotonic() - began
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=120)
    return ready, time.monotonic() - began - ready


if __name__ == "__main__":
    sys.exit(main())
