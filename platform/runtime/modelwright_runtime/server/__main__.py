"""`python -m modelwright_runtime.server --socket PATH --model DIR`: load, warm up, then listen until SIGTERM."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import signal
import sys
from pathlib import Path

from .batching import Predictions
from .listener import Listener, SocketError, check_path
from .loading import LoadError, load

EXIT_LOAD = 3
EXIT_SOCKET = 4

logger = logging.getLogger("modelwright_runtime.server")


def main(arguments: list[str] | None = None) -> int:
    """Run a model server. Returns 0 after a drain, 3 when the model cannot be loaded, 4 when it cannot listen."""
    options = _parse(arguments)
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(message)s")
    # A batch is too small for threads inside the libraries to pay off.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    try:
        check_path(options.socket)
        model = load(options.model)
        predictions = Predictions(model, max_rows=options.max_rows)
        asyncio.run(_serve(Listener(options.socket, predictions, version_id=options.version_id), options.drain_seconds))
    except LoadError as error:
        logger.error("%s", error)
        return EXIT_LOAD
    except SocketError as error:
        logger.error("%s", error)
        return EXIT_SOCKET
    return 0


async def _serve(listener: Listener, drain_seconds: float) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    listener.predictions.start()
    await listener.open()
    logger.info("ready")
    await stop.wait()
    logger.info("draining")
    if not await listener.drain(timeout=drain_seconds):
        logger.warning("stopped with a prediction still running after %s s", drain_seconds)


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="modelwright_runtime.server", description=__doc__)
    parser.add_argument("--socket", type=Path, required=True, help="path of the Unix socket to listen on")
    parser.add_argument("--model", type=Path, required=True, help="MLflow model directory (holds MLmodel)")
    parser.add_argument("--version-id", default="", help="id of the model version, told in every pong")
    parser.add_argument("--max-rows", type=int, default=1024, help="most rows in one call of the model")
    parser.add_argument("--drain-seconds", type=float, default=30.0, help="longest wait for running predictions")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    code = main()
    logging.shutdown()
    # Threads of the model's libraries must not keep a drained replica alive.
    sys.stdout.flush()
    os._exit(code)
