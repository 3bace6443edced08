"""`python -m models.gateway.bridge --listen HOST:PORT --sockets DIR --secret-file FILE`: until SIGTERM.

One for each host. The gateway reaches replicas of this host through it as `bridge://HOST:PORT/<workload>`.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import signal
import socket
import sys
from pathlib import Path

import uvloop

from models.gateway.bridging import Bridge, Limits, server_tls
from models.gateway.options import host_and_port

EXIT_LISTEN = 4
EXIT_FILES = 5

logger = logging.getLogger("models.gateway.bridge")


def main(arguments: list[str] | None = None) -> int:
    """Run the bridge. Returns 4 when the address cannot be had, 5 when a file cannot be read."""
    options = _parse(arguments)
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(message)s")
    try:
        token = options.secret_file.read_text().strip()
        tls = server_tls(options.tls_cert, options.tls_key) if options.tls_cert else None
    except OSError as error:
        logger.error("cannot read the secret or the certificate: %s; check the paths and who may read them", error)
        return EXIT_FILES
    if not token:
        logger.error("%s is empty; it must hold the installation's secret key", options.secret_file)
        return EXIT_FILES
    limits = Limits(strangers=options.strangers, joined=options.connections, seconds=options.handshake_seconds)
    return uvloop.run(_serve(options.listen, Bridge(options.sockets, token, tls=tls, limits=limits)))


async def _serve(listen: tuple[str, int], bridge: Bridge) -> int:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    host, port = listen
    try:
        listener = socket.create_server((host, port), family=_family(host), backlog=128)
    except OSError as error:
        logger.error("cannot listen on %s:%d: %s; choose another address with --listen", host, port, error)
        return EXIT_LISTEN
    listener.setblocking(False)
    serving = loop.create_task(bridge.serve(listener))
    address = listener.getsockname()
    logger.info("listening on %s:%d", address[0], address[1])
    await stop.wait()
    serving.cancel()
    listener.close()
    bridge.close()
    await asyncio.sleep(0)
    return 0


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="models.gateway.bridge", description=__doc__)
    parser.add_argument("--listen", type=host_and_port, required=True, help="HOST:PORT; port 0 takes a free one")
    parser.add_argument("--sockets", type=Path, required=True, help="folder of the sockets of this host's workloads")
    parser.add_argument("--secret-file", type=Path, required=True, help="the installation's secret key")
    parser.add_argument("--tls-cert", type=Path, help="certificate chain; without it nothing is encrypted")
    parser.add_argument("--tls-key", type=Path, help="its private key")
    parser.add_argument("--connections", type=int, default=Limits.joined, help="most joined connections at once")
    parser.add_argument("--strangers", type=int, default=Limits.strangers, help="most that have not proved anything")
    parser.add_argument("--handshake-seconds", type=float, default=Limits.seconds, help="how long they may take")
    options = parser.parse_args(arguments)
    if (options.tls_cert is None) != (options.tls_key is None):
        parser.error("--tls-cert and --tls-key belong together")
    return options


if __name__ == "__main__":
    sys.exit(main())
