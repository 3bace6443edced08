"""Values of command-line options that several programs take."""

from __future__ import annotations

import argparse
import os

FEW_PROCESSORS = 4
MOST_PROCESSES = 64


def host_and_port(text: str) -> tuple[str, int]:
    """`HOST:PORT`; an empty host is this machine alone. Raises ArgumentTypeError."""
    host, _, port = text.rpartition(":")
    if not port.isdigit():
        raise argparse.ArgumentTypeError(f"{text} is not HOST:PORT")
    return host.strip("[]") or "127.0.0.1", int(port)


def process_count(text: str) -> int:
    """A number of processes; `auto` is one on a machine of few processors, else two. Raises ArgumentTypeError."""
    if text == "auto":
        return 1 if len(os.sched_getaffinity(0)) <= FEW_PROCESSORS else 2
    if not text.isdigit() or not 1 <= int(text) <= MOST_PROCESSES:
        raise argparse.ArgumentTypeError(f"{text} is neither auto nor a number from 1 to {MOST_PROCESSES}")
    return int(text)
