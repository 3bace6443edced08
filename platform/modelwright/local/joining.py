"""`./modelwright join`: makes this machine a host of a platform elsewhere."""

import json
import socket
import ssl
import urllib.error
import urllib.request
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from modelwright.local import host_file
from modelwright.local.host_file import HostFile
from modelwright.local.layout import Layout

ANSWER_SECONDS = 30
# Where the machines of a swarm fetch the files of their tasks, unless another is named.
SHELF_PORT = 8090


class JoinFailed(Exception):
    """The platform did not let this machine in, or could not be reached; the text says why and what to do."""


def join(
    layout: Layout,
    platform: str,
    *,
    token: str,
    name: str,
    backend: str,
    address: str,
    bridge_port: int,
    shelf: str = "",
    registry: str = "",
    tls_cert: Path | None = None,
    tls_key: Path | None = None,
) -> HostFile:
    """Join with the token, which is used up by it, and keep what a host needs. Raises NoHost and JoinFailed.

    Without a name the host gets the machine's, without an address the one that leads to the platform. With a
    certificate and its key the platform reaches what runs here encrypted.
    """
    host_file.check_free(layout)
    encrypts = _certificate(tls_cert, tls_key)
    layout.create()
    given = address or own_address(platform)
    shelf = shelf or (f"{given}:{SHELF_PORT}" if backend == "swarm" else "")
    if backend == "swarm" and not (given and shelf):
        raise JoinFailed(
            "The machines of the swarm and the platform must reach this one: name its address with --address, and with "
            "--shelf HOST:PORT where the swarm's machines fetch files from it."
        )
    asked = {"token": token, "name": name or socket.gethostname(), "backend": backend, "address": given}
    answer = ask(platform, asked)
    own = {"backend": backend, "address": given, "bridge_port": bridge_port, "shelf": shelf, "registry": registry}
    return host_file.write(layout, answer, **own, **encrypts)


def ask(platform: str, body: dict[str, str]) -> dict[str, Any]:
    """Call the platform. Raises JoinFailed."""
    url = f"{platform.rstrip('/')}/api/v1/hosts/join/"
    if urlsplit(url).scheme not in ("http", "https"):
        raise JoinFailed(f"{platform} is no address of a platform. Write https://… as the hosts page shows it.")
    headers = {"Content-Type": "application/json", "Accept": "application/json"}
    request = urllib.request.Request(url, json.dumps(body).encode(), headers, method="POST")  # noqa: S310 - checked above
    try:
        with urllib.request.urlopen(request, timeout=ANSWER_SECONDS) as response:  # noqa: S310
            answer: dict[str, Any] = json.load(response)
            return answer
    except urllib.error.HTTPError as error:
        raise JoinFailed(_refusal(error)) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        raise JoinFailed(
            f"The platform at {platform} does not answer: {reason}. Check the address, and that this machine may "
            "reach it. The token is still good."
        ) from None


def _certificate(certificate: Path | None, key: Path | None) -> dict[str, str]:
    """Where the files lie, if they are good. Raises JoinFailed: with others nobody would reach the host."""
    if certificate is None and key is None:
        return {}
    if certificate is None or key is None:
        raise JoinFailed("--tls-cert and --tls-key belong together: name both files, or neither.")
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key, password=lambda: "")
    except (OSError, ValueError) as error:
        raise JoinFailed(
            f"{certificate} and {key} cannot be used: {error}. Name a chain of certificates and its private key, both "
            "as PEM and without a password, that this account may read. The token is still good."
        ) from None
    return {"tls_cert": str(certificate.absolute()), "tls_key": str(key.absolute())}


def own_address(platform: str) -> str:
    """The address of this machine on the way to the platform, empty when there is none or it is this machine."""
    parts = urlsplit(platform)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        family, kind, _, _, place = socket.getaddrinfo(parts.hostname, port, type=socket.SOCK_DGRAM)[0]
        with closing(socket.socket(family, kind)) as probe:
            probe.connect(place)
            found = str(probe.getsockname()[0])
    except OSError:
        return ""
    return "" if found.startswith("127.") or found == "::1" else found


def _refusal(error: urllib.error.HTTPError) -> str:
    try:
        problem = json.load(error)
        return f"The platform refused: {problem['detail']} {problem.get('remedy', '')}".strip()
    except (ValueError, KeyError, TypeError):
        return f"The platform answered {error.code} {error.reason}. Check that the address is a platform's."
