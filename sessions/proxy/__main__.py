"""`python -m sessions.proxy --listen HOST:PORT --url URL --data DIR --key-file FILE`: until SIGTERM."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import signal
import ssl
import sys
from pathlib import Path

import uvloop
from redis.asyncio import Redis

from modelwright.core.addresses import address
from sessions import logins, table
from sessions.proxy.admitting import Door
from sessions.proxy.application import SWEEP_SECONDS, Proxy, connections
from sessions.proxy.passages import Limits
from sessions.proxy.site import BadAddress, Site, site
from sessions.proxy.upstream import client
from sessions.proxy.watching import Watcher

EXIT_LISTEN = 4
EXIT_FILES = 5
CA = "MODELWRIGHT_BRIDGE_CA_FILE"
KEY_FILE = "MODELWRIGHT_SESSIONS_KEY_FILE"
URL = "MODELWRIGHT_SESSIONS_URL"
REDIS_SECONDS = 2.0

logger = logging.getLogger("sessions.proxy")


def main(arguments: list[str] | None = None) -> int:
    """Run the proxy. Returns 0 after SIGTERM, 4 when the address cannot be had, 5 when a file cannot be read."""
    options = _parse(arguments)
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(message)s")
    # It has a stack trace for each request that a stranger breaks; what fails in the proxy the proxy logs itself.
    logging.getLogger("aiohttp.server").setLevel(logging.CRITICAL)
    try:
        secret = options.key_file.read_text().strip()
        redis_url = address("REDIS_URL", "redis://127.0.0.1:6379/0")
        tls = ssl.create_default_context(cafile=str(options.bridge_ca)) if options.bridge_ca else None
    except (OSError, ValueError) as error:
        logger.error("cannot read a file: %s; check --key-file, --bridge-ca and REDIS_PASSWORD_FILE", error)
        return EXIT_FILES
    if not secret:
        logger.error("%s is empty; it must hold the key of sessions", options.key_file)
        return EXIT_FILES
    return uvloop.run(_serve(options, secret, redis_url, tls))


async def _serve(options: argparse.Namespace, secret: str, redis_url: str, tls: ssl.SSLContext | None) -> int:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)

    watcher = Watcher(table.table_path(options.data), logins.logins_path(options.data))
    redis: Redis = Redis.from_url(redis_url, socket_timeout=REDIS_SECONDS, socket_connect_timeout=REDIS_SECONDS)
    workloads = client(watcher.entry, tls)
    door = Door(options.url, secret, redis, watcher, options.web_url)
    limits = Limits(
        for_each=options.at_once,
        in_all=options.in_all,
        body_bytes=options.body_limit,
        message_bytes=options.message_limit,
    )
    proxy = Proxy(options.url, door, watcher, workloads, limits)
    watcher.check()
    watcher.when_changed(proxy.sweep)
    host, port = options.listen
    try:
        server = await loop.create_server(connections(proxy), host, port, backlog=1024)
    except OSError as error:
        logger.error("cannot listen on %s:%d: %s; choose another address with --listen", host, port, error)
        await workloads.close()
        await redis.aclose()
        return EXIT_LISTEN
    where = server.sockets[0].getsockname()
    logger.info("listening on %s:%d", where[0], where[1])
    tasks = [loop.create_task(watcher.run()), loop.create_task(_sweep(proxy))]
    await stop.wait()
    server.close()
    await proxy.leave()
    for task in tasks:
        task.cancel()
    await workloads.close()
    await redis.aclose()
    return 0


async def _sweep(proxy: Proxy) -> None:
    """A pass may run out without any change of a file."""
    while True:
        await asyncio.sleep(SWEEP_SECONDS)
        proxy.sweep()


def _site(text: str) -> Site:
    try:
        return site(text)
    except BadAddress as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _host_and_port(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not port.isdigit():
        raise argparse.ArgumentTypeError(f"{text} is not HOST:PORT")
    return host.strip("[]") or "127.0.0.1", int(port)


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    environment, limits = os.environ, Limits()
    data = Path(environment.get("MODELWRIGHT_DATA_DIR") or ".modelwright")
    key_file = Path(environment.get(KEY_FILE) or data / "secrets" / "sessions-key")
    url = environment.get(URL) or "http://localhost:8002"
    web_url = environment.get("MODELWRIGHT_WEB_URL") or "http://127.0.0.1:8000"
    parser = argparse.ArgumentParser(prog="sessions.proxy", description=__doc__)
    parser.add_argument("--listen", type=_host_and_port, required=True, help="HOST:PORT; port 0 takes a free one")
    parser.add_argument(
        "--url", type=_site, default=url, help=f"of sessions: each has a name below this host (default: ${URL}, {url})"
    )
    parser.add_argument("--web-url", default=web_url, help="of the platform (default: $MODELWRIGHT_WEB_URL)")
    parser.add_argument("--data", type=Path, default=data, help="data directory, which holds the table")
    parser.add_argument(
        "--key-file", type=Path, default=key_file, help=f"key that tickets are signed with (default: ${KEY_FILE})"
    )
    authority = Path(environment[CA]) if environment.get(CA) else None
    parser.add_argument(
        "--bridge-ca", type=Path, default=authority, help=f"certificates of other hosts' bridges (default: ${CA})"
    )
    parser.add_argument("--at-once", type=int, default=limits.for_each, help="most requests to one key at once")
    parser.add_argument("--in-all", type=int, default=limits.in_all, help="most requests at once")
    parser.add_argument("--body-limit", type=int, default=limits.body_bytes, help="largest body in bytes")
    parser.add_argument(
        "--message-limit", type=int, default=limits.message_bytes, help="largest message of a WebSocket"
    )
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
