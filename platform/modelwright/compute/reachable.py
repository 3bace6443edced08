"""What a machine that joins is told of this installation: addresses that it can reach, or which one it cannot.

A default that cannot be reached from elsewhere is refused; what an administrator set for hosts is taken at its word.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qsl, quote, urlsplit, urlunsplit

from django.conf import settings

from modelwright.core.errors import Conflict

LOOPBACK = ("localhost", "::1", "0.0.0.0")  # noqa: S104 - compared, not bound


@dataclass(frozen=True, slots=True)
class Addresses:
    """What a host needs to reach. `database_url` and `redis_url` hold passwords."""

    database_url: str = field(repr=False)
    redis_url: str = field(repr=False)
    web_url: str
    blobs: str
    # Where what runs on hosts asks endpoints, empty where it cannot.
    gateway_url: str = ""
    # What the file of MODELWRIGHT_BLOBS_CREDENTIALS_FILE holds, empty without one.
    blobs_credentials: str = field(default="", repr=False)


def addresses() -> Addresses:
    """The addresses for hosts. Raises Conflict, which names the setting, for one that no other machine can reach."""
    return Addresses(
        database_url=_database_url(),
        redis_url=_redis_url(),
        web_url=_web_url(),
        blobs=_blobs(),
        gateway_url=settings.HOSTS_GATEWAY_URL or ("" if _is_here(settings.GATEWAY_URL) else settings.GATEWAY_URL),
        blobs_credentials=_credentials(),
    )


def obstacles() -> list[Conflict]:
    """All that keeps other machines from joining this installation, not the first alone; empty where they can."""
    found = []
    for read in (_database_url, _redis_url, _web_url, _blobs):
        try:
            read()
        except Conflict as error:
            found.append(error)
    return found


def _database_url() -> str:
    return settings.HOSTS_DATABASE_URL or _elsewhere(settings.DATABASE_URL, "PostgreSQL", "DATABASE_URL")


def _redis_url() -> str:
    return settings.HOSTS_REDIS_URL or _elsewhere(settings.REDIS_URL, "Redis", "REDIS_URL")


def _web_url() -> str:
    return settings.HOSTS_WEB_URL or _elsewhere(settings.WEB_URL, "the platform's pages", "WEB_URL")


def _blobs() -> str:
    return settings.HOSTS_BLOBS or _shared_blobs(settings.BLOBS)


def with_role(url: str, role: str, password: str) -> str:
    """The same server, signed in to as `role`."""
    parts = urlsplit(url)
    place = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{quote(role, safe='')}:{quote(password, safe='')}@{place}"))


def _is_here(url: str) -> bool:
    """Whether no other machine reaches that address."""
    host = urlsplit(url).hostname or ""
    return not host or host in LOOPBACK or host.startswith("127.") or url.startswith("unix:")


def _elsewhere(url: str, what: str, setting: str) -> str:
    if _is_here(url):
        raise Conflict(
            f"No other machine can reach {what} of this installation: it listens on this machine alone.",
            remedy=f"Start it with `./modelwright up --hosts-address <address of this machine>`, or set "
            f"`MODELWRIGHT_HOSTS_{setting}` to where other machines reach it.",
        )
    return url


def _credentials() -> str:
    path = settings.BLOBS_CREDENTIALS_FILE
    return Path(path).read_text() if path else ""


def _shared_blobs(blobs: str) -> str:
    endpoint = dict(parse_qsl(urlsplit(blobs).query)).get("endpoint", "")
    if endpoint:
        _elsewhere(endpoint, "the store of files", "BLOBS")
    if not blobs.startswith("s3://"):
        raise Conflict(
            "No other machine can reach the stored files of this installation: they are in a folder of this machine.",
            remedy="Keep them in an S3-compatible store, or in a folder that every host mounts at the same path, and "
            "set `MODELWRIGHT_HOSTS_BLOBS` to it.",
        )
    return blobs
