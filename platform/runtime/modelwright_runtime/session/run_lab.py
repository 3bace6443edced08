"""Runs JupyterLab as its own module would, without what takes most of its start and serves nobody here."""

from __future__ import annotations

import runpy
import sys


def main() -> None:
    """Become JupyterLab."""
    # jsonschema would load a grammar of addresses with other than Latin letters, to check values of that kind, which
    # no schema of Lab has. It takes two thirds of the whole start; where it is missing, jsonschema does without.
    sys.modules["rfc3987_syntax"] = None  # type: ignore[assignment]  # says that there is no such module
    runpy.run_module("jupyterlab", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
