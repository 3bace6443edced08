"""A Git server of the tests' own: `git http-backend` behind TLS, with a password, and with what servers do wrong."""

from __future__ import annotations

import base64
import datetime
import ipaddress
import os
import ssl
import subprocess
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

NAMES = ("localhost", "git.example.org")


@dataclass
class Hold:
    """Where a server waits."""

    asked: threading.Event = field(default_factory=threading.Event)
    may_go: threading.Event = field(default_factory=threading.Event)


@dataclass
class GitServer:
    """Serves the bare repositories of `root` at `https://localhost:<port>/<name>.git`."""

    root: Path
    certificate: Path
    port: int = 0
    # Who may fetch, as `name:password`; None for everybody.
    credentials: str | None = None
    # Where the server sends everybody on to, and how long it thinks before it sends a pack.
    redirect: str = ""
    pause: float = 0
    # Has the server wait with a pack, once it has said that somebody asked, until it may go on.
    hold: Hold | None = None
    # What was asked for: the path and the header `Authorization`.
    asked: list[tuple[str, str]] = field(default_factory=list)

    def address(self, name: str = "theirs", host: str = "localhost") -> str:
        """The address of a repository."""
        return f"https://{host}:{self.port}/{name}.git"


def certificate(folder: Path) -> Path:
    """A certificate with its key in one file, for the names of the server; it is its own authority."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    names: list[x509.GeneralName] = [x509.DNSName(each) for each in NAMES]
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([*names, x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file = folder / "server.pem"
    file.write_bytes(private + built.public_bytes(serialization.Encoding.PEM))
    return file


def start(server: GitServer) -> ThreadingHTTPServer:
    """Begin to serve, at a free port of this machine; `shutdown()` ends it."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 60

        def do_GET(self) -> None:
            _answer(self, server)

        do_POST = do_GET

        def log_message(self, format: str, *args: object) -> None:
            pass

    running = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(server.certificate)
    running.socket = context.wrap_socket(running.socket, server_side=True, do_handshake_on_connect=False)
    server.port = running.server_port
    threading.Thread(target=running.serve_forever, daemon=True).start()
    return running


def _answer(request: BaseHTTPRequestHandler, server: GitServer) -> None:
    given = request.headers.get("Authorization", "")
    server.asked.append((request.path, given))
    if server.redirect:
        return _say(request, 302, {"Location": server.redirect})
    expected = server.credentials and f"Basic {base64.b64encode(server.credentials.encode()).decode()}"
    if expected and given != expected:
        return _say(request, 401, {"WWW-Authenticate": 'Basic realm="git"'})
    parts = urlsplit(request.path)
    body = request.rfile.read(int(request.headers.get("Content-Length", 0)))
    if parts.path.endswith("git-upload-pack") and b"want " in body:
        time.sleep(server.pause)
        if (hold := server.hold) is not None:
            hold.asked.set()
            hold.may_go.wait(120)
    done = subprocess.run(
        ["git", "http-backend"],
        input=body,
        env={
            "PATH": os.environ["PATH"],
            "GIT_PROJECT_ROOT": str(server.root),
            "GIT_HTTP_EXPORT_ALL": "1",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": "safe.directory",
            "GIT_CONFIG_VALUE_0": "*",
            "REQUEST_METHOD": request.command,
            "PATH_INFO": parts.path,
            "QUERY_STRING": parts.query,
            "CONTENT_TYPE": request.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "HTTP_CONTENT_ENCODING": request.headers.get("Content-Encoding", ""),
            "HTTP_GIT_PROTOCOL": request.headers.get("Git-Protocol", ""),
        },
        capture_output=True,
        check=False,
    )
    head, _, answer = done.stdout.partition(b"\r\n\r\n")
    headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n") if ": " in line)
    status = int(headers.pop("Status", "200").split()[0])
    return _say(request, status, headers, answer)


def _say(request: BaseHTTPRequestHandler, status: int, headers: dict[str, str], body: bytes = b"") -> None:
    request.send_response(status)
    for name, value in headers.items():
        request.send_header(name, value)
    request.send_header("Content-Length", str(len(body)))
    request.end_headers()
    request.wfile.write(body)
