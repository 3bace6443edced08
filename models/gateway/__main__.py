"""`python -m models.gateway --listen HOST:PORT --routes FILE --spool DIR`: the data plane until SIGTERM."""

from __future__ import annotations

import argparse
import asyncio
import gc
import logging
import os
import re
import shutil
import signal
import sys
from collections.abc import Callable
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import uvloop

from models.gateway import batching
from models.gateway.addresses import Access, bridge_access
from models.gateway.admission import Bounds
from models.gateway.application import Application
from models.gateway.availability import REPORT_SECONDS
from models.gateway.http import Connection, Limits, Site
from models.gateway.options import host_and_port, process_count
from models.gateway.routes import RouteTable
from models.gateway.siblings import PUBLISH_SECONDS, Siblings
from models.gateway.spool_writer import SEGMENT_BYTES, SpoolWriter
from models.gateway.supervising import supervise
from models.gateway.watching import RouteWatcher

if TYPE_CHECKING:
    from models.gateway.tracing import Tracing

EXIT_LISTEN = 4
EXIT_FILES = 5
DRAIN_SECONDS_MORE = 5.0
DEFAULT_RATIO = 0.01
SECRET = "MODELWRIGHT_SECRET_KEY_FILE"  # noqa: S105 - the name of a variable
CA = "MODELWRIGHT_BRIDGE_CA_FILE"
TRACES = "MODELWRIGHT_TRACES_URL"
RATIO = "MODELWRIGHT_TRACES_RATIO"
METRICS_TOKEN = "MODELWRIGHT_METRICS_TOKEN_FILE"  # noqa: S105 - the name of a variable

logger = logging.getLogger("models.gateway")


def main(arguments: list[str] | None = None) -> int:
    """Run the gateway. Returns 0 after a drain, 4 when the address cannot be had, 5 when a file cannot be read."""
    options = _parse(arguments)
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(message)s")
    # Requests leave no cycles behind; collecting often only costs time.
    gc.set_threshold(50_000, 20, 50)
    try:
        token = options.secret_file.read_text().strip() if options.secret_file else ""
        opens_bridges = bridge_access(token, options.tls_ca)
        metrics_token = _token(options.metrics_token_file)
    except OSError as error:
        logger.error("cannot read a secret: %s; check --secret-file, --tls-ca and --metrics-token-file", error)
        return EXIT_FILES
    if options.processes > 1:
        return _supervise(options, sys.argv[1:] if arguments is None else arguments)
    return uvloop.run(_serve(options, opens_bridges, metrics_token))


def _supervise(options: argparse.Namespace, arguments: list[str]) -> int:
    try:
        return supervise(
            arguments,
            options.processes,
            listen=options.listen,
            name=options.gateway_id,
            drain_seconds=options.timeout + DRAIN_SECONDS_MORE,
        )
    except OSError as error:
        return _no_address(options.listen, error)


def _no_address(listen: tuple[str, int], error: OSError) -> int:
    logger.error("cannot listen on %s:%d: %s; choose another address with --listen", *listen, error)
    return EXIT_LISTEN


async def _serve(options: argparse.Namespace, opens_bridges: Access, metrics_token: str) -> int:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    spool = SpoolWriter(
        options.spool,
        options.gateway_id,
        limit_bytes=options.spool_limit_bytes,
        segment_bytes=options.segment_bytes,
        fsync=options.fsync == "batch",
    )

    siblings = Siblings(options.siblings, options.slot)

    def apply(table: RouteTable) -> None:
        application.apply(table)
        publish()

    def publish() -> None:
        if options.siblings is not None:
            siblings.publish(application.revision, application.exposition(with_replicas=False))

    watcher = RouteWatcher(options.routes, apply)
    tracing = _tracing(options.traces_url, options.traces_ratio)
    application = Application(
        spool,
        timeout=options.timeout,
        routes_error=watcher.look,
        access=opens_bridges,
        siblings=siblings,
        tracing=tracing,
        metrics_token=metrics_token,
        gateway_id=options.gateway_id,
        bounds=Bounds(wait=options.longest_wait, body_bytes=options.waiting_bytes),
    )
    site = Site(application, Limits(body=options.body_limit))
    watcher.check()
    publish()
    host, port = options.listen
    is_one_of_many = options.siblings is not None
    if is_one_of_many:
        _when_input_ends(partial(_left_alone, stop, options.siblings))
    try:
        server = await loop.create_server(
            lambda: Connection(site), [host, *options.also], port, backlog=1024, reuse_port=is_one_of_many or None
        )
    except OSError as error:
        return _no_address(options.listen, error)
    address = server.sockets[0].getsockname()
    is_native = Path(batching.__file__).suffix != ".py"
    logger.info("listening on %s:%d, as %s", *address[:2], "machine code" if is_native else "Python")
    tasks = [
        loop.create_task(work)
        for work in (
            watcher.run(),
            application.fleet.run(),
            site.run(),
            _repeat(publish, PUBLISH_SECONDS),
            _repeat(application.report, REPORT_SECONDS),
        )
    ]
    await stop.wait()
    logger.info("draining")
    server.close()
    site.drain()
    await _drain(application, site, options.timeout)
    for task in tasks:
        task.cancel()
    application.fleet.close()
    application.report()
    spool.close()
    if tracing is not None:
        await loop.run_in_executor(None, tracing.close)
    return 0


def _tracing(url: str, ratio: float) -> Tracing | None:
    """What sends traces to the collector at that address, None without one: then its libraries are not even loaded."""
    if not url:
        return None
    return import_module("models.gateway.tracing").Tracing(url, ratio)  # type: ignore[no-any-return]


async def _repeat(work: Callable[[], None], seconds: float) -> None:
    while True:
        await asyncio.sleep(seconds)
        work()


def _left_alone(stop: asyncio.Event, siblings: Path) -> None:
    """Nobody else takes away the folder of a supervisor that was killed."""
    stop.set()
    shutil.rmtree(siblings, ignore_errors=True)


def _when_input_ends(then: Callable[[], None]) -> None:
    """The supervisor holds the other end of standard input: it closes when that ends, also by a kill."""
    loop = asyncio.get_running_loop()

    def look() -> None:
        if not os.read(sys.stdin.fileno(), 4096):
            loop.remove_reader(sys.stdin.fileno())
            then()

    loop.add_reader(sys.stdin.fileno(), look)


async def _drain(application: Application, site: Site, timeout: float) -> None:
    loop = asyncio.get_running_loop()
    deadline = loop.time() + timeout
    while loop.time() < deadline:
        if application.fleet.is_idle() and not site.connections:
            return
        await asyncio.sleep(0.02)
        if application.fleet.is_idle():
            deadline = min(deadline, loop.time() + 2.0)  # clients that keep half a request are not waited for


def _file(variable: str) -> Path | None:
    return Path(os.environ[variable]) if os.environ.get(variable) else None


def _token(path: Path | None) -> str:
    """Raises OSError, also for an empty file: that would open to all what somebody wanted closed."""
    token = path.read_text().strip() if path else ""
    if path and not token:
        raise OSError(f"{path} is empty")
    return token


def _gateway_id(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_.-]{1,64}", text):
        raise argparse.ArgumentTypeError("letters, digits, dot, dash and underscore only, at most 64")
    return text


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="models.gateway", description=__doc__)
    parser.add_argument("--listen", type=host_and_port, required=True, help="HOST:PORT; port 0 takes a free one")
    parser.add_argument(
        "--also", action="append", default=[], metavar="HOST", help="listen at that port of this address, too"
    )
    parser.add_argument("--routes", type=Path, required=True, help="route table, watched; may not exist yet")
    parser.add_argument("--spool", type=Path, required=True, help="folder of the spool's segments")
    parser.add_argument("--gateway-id", type=_gateway_id, default="gateway", help="begins the names of the segments")
    parser.add_argument("--spool-limit-bytes", type=int, default=2 * 1024**3, help="refuse beyond this size")
    parser.add_argument("--segment-bytes", type=int, default=SEGMENT_BYTES, help="begin a new segment at this size")
    parser.add_argument("--fsync", choices=("off", "batch"), default="off", help="batch: survive a power cut too")
    parser.add_argument("--body-limit", type=int, default=Limits().body, help="largest body in bytes")
    parser.add_argument("--timeout", type=float, default=30.0, help="longest wait for a prediction, in seconds")
    parser.add_argument(
        "--longest-wait", type=float, default=Bounds().wait, help="expected wait, in seconds, beyond which it is 429"
    )
    parser.add_argument("--waiting-bytes", type=int, default=Bounds().body_bytes, help="of bodies that wait, in all")
    parser.add_argument(
        "--processes", type=process_count, default=1, help="that share the port; auto: one, two on many processors"
    )
    parser.add_argument("--siblings", type=Path, help=argparse.SUPPRESS)  # given by the process that starts several
    parser.add_argument("--slot", type=int, default=0, help=argparse.SUPPRESS)
    parser.add_argument("--secret-file", type=Path, default=_file(SECRET), help=f"opens bridges (default: ${SECRET})")
    parser.add_argument("--tls-ca", type=Path, default=_file(CA), help=f"bridges must encrypt (default: ${CA})")
    parser.add_argument(
        "--traces-url",
        default=os.environ.get(TRACES, ""),
        help=f"collector of traces, OTLP over HTTP (default: ${TRACES})",
    )
    parser.add_argument(
        "--traces-ratio",
        type=float,
        default=float(os.environ.get(RATIO) or DEFAULT_RATIO),
        help=f"share of requests that are traced where their caller does not say (default: ${RATIO}, {DEFAULT_RATIO})",
    )
    parser.add_argument(
        "--metrics-token-file",
        type=Path,
        default=_file(METRICS_TOKEN),
        help=f"the bearer token for /metrics, which is open to all without one (default: ${METRICS_TOKEN})",
    )
    options = parser.parse_args(arguments)
    if options.also and not options.listen[1]:
        parser.error("--also needs a port in --listen")
    return options


if __name__ == "__main__":
    sys.exit(main())
