"""Fetches a file of a data connection: an object of an S3 store, what a web address answers, a file of a directory."""

from __future__ import annotations

import datetime
import hashlib
import hmac
import http.client
import os
import stat
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any

from .errors import ScoringError

BLOCK = 1024 * 1024
TIMEOUT_SECONDS = 60.0
ATTEMPTS, PAUSE_SECONDS = 4, 1.0
# These answers may be others a moment later.
_PASSING = (408, 425, 429, 500, 502, 503, 504)
_EMPTY = hashlib.sha256(b"").hexdigest()
Answer = tuple[IO[bytes], "int | None"]


def fetch(given: Mapping[str, Any], path: str, target: Path, limit: int) -> tuple[str, int]:
    """Bring the file `path` of a connection (`kind`, `config`, `secret`) to `target`; its SHA-256 and its bytes.

    Raises `ScoringError` where it cannot be had or has more bytes than `limit`.
    """
    config, secret = given["config"], given.get("secret") or ""
    if given["kind"] == "directory":
        return _copied(lambda: _opened(config["path"], path), target, limit)
    request = _of_store(config, secret, path) if given["kind"] == "s3" else _of_web(config, secret, path)
    return _copied(lambda: _asked(request()), target, limit)


def _copied(open_it: Callable[[], Answer], target: Path, limit: int) -> tuple[str, int]:
    """Tried again where the connection breaks."""
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return _copy(open_it, target, limit)
        except (OSError, http.client.HTTPException) as error:
            if attempt == ATTEMPTS:
                raise ScoringError(
                    f"The file of the data connection could not be fetched: {_said(error)}.",
                    "See whether its address is right, and whether this host reaches it; then try again.",
                ) from None
            print(f"The data connection does not answer ({_said(error)}); trying again.", flush=True)
            time.sleep(PAUSE_SECONDS * attempt)
    raise AssertionError("the last attempt returns or raises")


def _copy(open_it: Callable[[], Answer], target: Path, limit: int) -> tuple[str, int]:
    digest, size = hashlib.sha256(), 0
    stream, expected = open_it()
    with stream, target.open("wb") as file:
        while block := stream.read(BLOCK):
            size += len(block)
            if size > limit:
                raise ScoringError(
                    f"The file of the data connection is larger than {limit // 1024**2:,} MiB, which is the most.",
                    "Split it, or put the rows into a table and score that.",
                )
            digest.update(block)
            file.write(block)
    if expected is not None and size != expected:
        raise http.client.IncompleteRead(b"", expected - size)
    if not size:
        raise ScoringError("The file of the data connection is empty.", "Give a file with rows.")
    return digest.hexdigest(), size


def _opened(folder: str, path: str) -> Answer:
    """A plain file below the folder, wherever links lead."""
    root = os.path.realpath(folder)
    found = os.path.realpath(os.path.join(root, path))
    try:
        if os.path.commonpath([root, found]) != root or not stat.S_ISREG(os.stat(found).st_mode):
            raise ScoringError(f"{path} is no file below the connection's directory.", "Name another one.")
        return open(found, "rb"), os.stat(found).st_size
    except (FileNotFoundError, NotADirectoryError, PermissionError) as error:
        raise ScoringError(
            f"The host that scores has no file {path} in the directory {folder} that it may read ({error.strerror}).",
            "See whether every host has the directory. In containers there is none: use a file that is uploaded, an S3 "
            "store or a web address.",
        ) from None


class _SameOrigin(urllib.request.HTTPRedirectHandler):
    """Follows a redirection, with the token to the same origin alone."""

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:
        made = super().redirect_request(req, fp, code, msg, headers, newurl)
        if made is not None and _origin(newurl) != _origin(req.full_url):
            made.remove_header("Authorization")
        return made


def _origin(address: str) -> tuple[str, str]:
    parts = urllib.parse.urlsplit(address)
    return parts.scheme, parts.netloc


def _asked(request: urllib.request.Request) -> Answer:
    opener = urllib.request.build_opener(_SameOrigin)
    try:
        answer = opener.open(request, timeout=TIMEOUT_SECONDS)
    except urllib.error.HTTPError as error:
        if error.code in _PASSING:
            raise http.client.HTTPException(f"it answered {error.code}") from None
        raise ScoringError(
            f"The data connection answered {error.code} {error.reason} for the file.",
            "See whether the file is there, and whether the connection's secret may read it.",
        ) from None
    said = answer.headers.get("Content-Length")
    return answer, int(said) if said is not None and said.isdigit() else None


def _of_web(config: Mapping[str, Any], secret: str, path: str) -> Callable[[], urllib.request.Request]:
    """The file below the connection's address; without a path, what the address itself answers."""
    base = urllib.parse.urlsplit(config["url"])
    whole = f"{base.path.rstrip('/')}/{urllib.parse.quote(path)}" if path else base.path or "/"
    address = urllib.parse.urlunsplit((base.scheme, base.netloc, whole, base.query, ""))
    headers = {"Authorization": f"Bearer {secret}"} if secret else {}
    return lambda: urllib.request.Request(address, headers=headers)  # noqa: S310 - the connection's kind has http alone


def _of_store(config: Mapping[str, Any], secret: str, path: str) -> Callable[[], urllib.request.Request]:
    """The object `<prefix><path>`, asked for as Signature Version 4 wants it; unsigned where there is no key."""
    region, bucket = config.get("region") or "us-east-1", config["bucket"]
    name = f"{config.get('prefix') or ''}{path}"
    if config.get("endpoint_url"):
        base = urllib.parse.urlsplit(config["endpoint_url"])
        scheme, host, head = base.scheme, base.netloc, f"{base.path.rstrip('/')}/{bucket}"
    else:
        # With dots in a bucket's name its own host has no certificate.
        is_plain = "." not in bucket
        scheme, store = "https", f"s3.{region}.amazonaws.com"
        host, head = (f"{bucket}.{store}", "") if is_plain else (store, f"/{bucket}")
    whole = f"{head}/{urllib.parse.quote(name, safe='/-_.~')}"
    key = config.get("access_key_id") or ""

    def made() -> urllib.request.Request:
        headers = signed(host, whole, region, key, secret) if key else {}
        return urllib.request.Request(f"{scheme}://{host}{whole}", headers=headers)  # noqa: S310 - http or https

    return made


def signed(
    host: str, path: str, region: str, key: str, secret: str, now: datetime.datetime | None = None
) -> dict[str, str]:
    """The headers of a GET that has no query."""
    at = (now or datetime.datetime.now(datetime.UTC)).strftime("%Y%m%dT%H%M%SZ")
    headers = {"host": host, "x-amz-content-sha256": _EMPTY, "x-amz-date": at}
    names = ";".join(headers)
    lines = "".join(f"{name}:{value}\n" for name, value in headers.items())
    canonical = "\n".join(["GET", path, "", lines, names, _EMPTY])
    scope = f"{at[:8]}/{region}/s3/aws4_request"
    text = "\n".join(["AWS4-HMAC-SHA256", at, scope, hashlib.sha256(canonical.encode()).hexdigest()])
    made = f"AWS4{secret}".encode()
    for part in (at[:8], region, "s3", "aws4_request", text):
        made = hmac.new(made, part.encode(), hashlib.sha256).digest()
    credential = f"Credential={key}/{scope}, SignedHeaders={names}, Signature={made.hex()}"
    return {
        "x-amz-content-sha256": _EMPTY,
        "x-amz-date": at,
        "Authorization": f"AWS4-HMAC-SHA256 {credential}",
    }


def _said(error: Exception) -> str:
    return " ".join(str(getattr(error, "reason", "") or error).split())[:300]
