"""Values of command-line options that several programs take."""

from __future__ import annotations

import argparse


def host_and_port(text: str) -> tuple[str, int]:
    """`HOST:PORT`; an empty host is this machine alone. Raises ArgumentTypeError."""
    host, _, port = text.rpartition(":")
    if not port.isdigit():
        raise argparse.ArgumentTypeError(f"{text} is not HOST:PORT")
    return host.strip("[]") or "127.0.0.1", int(port)
