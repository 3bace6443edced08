"""`python -m modelwright_runtime.scoring --model DIR`: score what the platform says, chunk by chunk.

With `--compiled DIR` instead of `--model` it predicts by the compiled model of the folder, as a replica would.
MODELWRIGHT_PLATFORM is the platform's address, MODELWRIGHT_SCORING_TOKEN the job's own token and
MODELWRIGHT_SCORING_CONNECTION, for a table, how to reach it. Exits with 0 when all rows are stored, 3 when the job
cannot go on (the platform is told why), 4 when it is not wanted any more.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from modelwright_runtime.server.compiled import load_compiled
from modelwright_runtime.server.loading import LoadError, load

from .client import Gone, Platform
from .errors import ScoringError
from .work import Work

EXIT_CANNOT, EXIT_GONE = 3, 4


def main(arguments: list[str] | None = None) -> int:
    """Score one batch job. See the module for what it returns."""
    parser = argparse.ArgumentParser(prog="modelwright_runtime.scoring")
    models = parser.add_mutually_exclusive_group(required=True)
    models.add_argument("--model", type=Path, help="MLflow model directory (holds MLmodel)")
    models.add_argument("--compiled", type=Path, help="directory of the compiled model, in place of --model")
    options = parser.parse_args(arguments)
    platform = Platform.of_environment()
    try:
        return _score(platform, options)
    except Gone as error:
        print(f"Not wanted any more: {error}", file=sys.stderr)
        return EXIT_GONE


def _score(platform: Platform, options: argparse.Namespace) -> int:
    try:
        description = platform.job()
        model = load_compiled(options.compiled) if options.compiled else load(options.model)
        Work(platform, description, model).run()
    except (ScoringError, LoadError) as error:
        message, remedy = getattr(error, "message", str(error)), getattr(error, "remedy", "")
        print(f"{message} {remedy}", file=sys.stderr, flush=True)
        platform.end(message=message, remedy=remedy)
        return EXIT_CANNOT
    return 0


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    # Threads of the model's libraries must not keep a job alive that is done.
    os._exit(code)
