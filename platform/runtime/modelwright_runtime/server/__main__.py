"""`python -m modelwright_runtime.server --socket PATH --model DIR`: load, warm up, then listen until SIGTERM.

With `--compiled DIR` instead of `--model` it answers by the compiled model of the folder, on onnxruntime alone.
With `--listen HOST:PORT`, besides or instead of `--socket`, it takes connections of the network that begin with the
handshake of `modelwright_runtime.handshake`. MODELWRIGHT_REPLICA_TOKEN is its token, MODELWRIGHT_WORKLOAD its name.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import logging
import os
import signal
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from .batching import Predictions
from .compiled import load_compiled
from .listener import Listener, Network, SocketError, check_path
from .loading import LoadError, load

EXIT_LOAD = 3
EXIT_SOCKET = 4
TOKEN = "MODELWRIGHT_REPLICA_TOKEN"  # noqa: S105 - the name of a variable
NAME = "MODELWRIGHT_WORKLOAD"

logger = logging.getLogger("modelwright_runtime.server")


def main(arguments: list[str] | None = None) -> int:
    """Run a model server. Returns 0 after a drain, 3 when the model cannot be loaded, 4 when it cannot listen."""
    options = _parse(arguments)
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(message)s")
    # A batch is too small for threads inside the libraries to pay off.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    try:
        if options.socket is not None:
            check_path(options.socket)
        network = _network(options.listen) if options.listen else None
        model = load_compiled(options.compiled) if options.compiled else load(options.model)
        _leave_out_of_collections()
        # A compiled model is arithmetic alone: it neither waits for others nor sleeps.
        predictions = Predictions(model, max_rows=options.max_rows, at_once=options.compiled is not None)
        listener = Listener(
            options.socket,
            predictions,
            version_id=options.version_id,
            served_by=options.served_by or ("onnx" if options.compiled else "original"),
            network=network,
        )
        _run(_serve(listener, options.drain_seconds))
    except LoadError as error:
        logger.error("%s", error)
        return EXIT_LOAD
    except SocketError as error:
        logger.error("%s", error)
        return EXIT_SOCKET
    return 0


def _run(work: Coroutine[Any, Any, None]) -> None:
    """By uvloop where the environment has it, which takes less time for a frame than a compiled model; environments of
    compiled models do, those of others are what their model was made in."""
    try:
        from uvloop import run
    except ImportError:
        asyncio.run(work)
    else:
        run(work)


async def _serve(listener: Listener, drain_seconds: float) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    listener.predictions.start()
    await listener.open()
    for port in listener.ports():
        logger.info("listening on port %s", port)
    logger.info("ready")
    await stop.wait()
    logger.info("draining")
    if not await listener.drain(timeout=drain_seconds):
        logger.warning("stopped with a prediction still running after %s s", drain_seconds)


def _leave_out_of_collections() -> None:
    """What is there now stays. To look through the modules of TensorFlow for cycles takes a quarter of a second, in
    which nothing is answered, and under load that came once a second."""
    gc.collect()
    gc.freeze()


def _network(listen: str) -> Network:
    """Raises `SocketError` when anybody could speak to it. The model's own code is not given the token."""
    host, _, port = listen.rpartition(":")
    token, name = os.environ.pop(TOKEN, ""), os.environ.get(NAME, "")
    if not host or not port.isdigit():
        raise SocketError(f"--listen takes HOST:PORT, not {listen!r}")
    if not token or not name:
        raise SocketError(f"listening on the network needs {TOKEN} and {NAME}: without them anybody could ask it")
    return Network(host.strip("[]"), int(port), name, token)


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="modelwright_runtime.server", description=__doc__)
    parser.add_argument("--socket", type=Path, help="path of the Unix socket to listen on")
    parser.add_argument("--listen", default="", metavar="HOST:PORT", help="TCP address to listen on; asks for a token")
    model = parser.add_mutually_exclusive_group(required=True)
    model.add_argument("--model", type=Path, help="MLflow model directory (holds MLmodel)")
    model.add_argument("--compiled", type=Path, help="directory of a compiled model (holds model.onnx)")
    parser.add_argument("--served-by", default="", help="by which path it answers, told in every pong")
    parser.add_argument("--version-id", default="", help="id of the model version, told in every pong")
    parser.add_argument("--max-rows", type=int, default=1024, help="most rows in one call of the model")
    parser.add_argument("--drain-seconds", type=float, default=30.0, help="longest wait for running predictions")
    options = parser.parse_args(arguments)
    if options.socket is None and not options.listen:
        parser.error("say where to listen: --socket, --listen or both")
    return options


if __name__ == "__main__":
    code = main()
    logging.shutdown()
    # Threads of the model's libraries must not keep a drained replica alive.
    sys.stdout.flush()
    os._exit(code)
