"""A Redis user for each host, so that taking one host's access away takes nobody else's.

Only where MODELWRIGHT_HOSTS_REDIS_USERS says that the platform's own access to Redis may make users;
`./modelwright up --hosts-address` and docker-compose.yml set it. Redis keeps users in memory alone, so rows of hosts
are the truth: `tick` makes what is missing, also after Redis was started anew, from the digest that the row has.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from typing import Any, NamedTuple

import redis
from django.conf import settings

from modelwright.compute.models import Host
from modelwright.core.errors import Unavailable
from modelwright.core.queues import DEFAULT, host_queue

logger = logging.getLogger(__name__)
SECONDS = 5.0
# Kombu keeps each priority of a queue in a list of its own, whose name goes on so.
PRIORITIES = "\x06\x16*"
# What Celery's transport does: lists, sets, hashes and transactions, and kombu's own scripts; nothing that looks into
# names of keys, empties or configures the server, or concerns other clients.
COMMANDS = (
    *("-@all", "+@read", "+@write", "+@transaction", "+@pubsub", "+@connection", "+time"),
    *("-@dangerous", "-@admin", "-@scripting", "-keys", "-scan", "-randomkey", "-dbsize"),
    *("+evalsha", "+eval", "+script|load", "+script|exists"),
)


class Made(NamedTuple):
    """A user's password, which nobody keeps, and the digest of it that the host's row keeps."""

    password: str
    digest: str


def can_make() -> bool:
    """Whether hosts get users of their own here."""
    return bool(settings.HOSTS_REDIS_USERS)


def make(user: str, host_name: str) -> Made:
    """Makes the user, or gives it another password. Raises Unavailable."""
    password = secrets.token_urlsafe(24)
    made = Made(password, sha256(password.encode()).hexdigest())
    with _administration() as client:
        _set(client, user, host_name, made.digest)
    return made


def end(user: str) -> None:
    """Ends the user's connections and deletes it. Doing it twice is harmless. Raises Unavailable."""
    with _administration() as client:
        _acl(client, "DELUSER", user)


def tick() -> int:
    """Make the users of hosts that Redis does not have; how many. No audit row: that the host joined is on record."""
    hosts = list(Host.objects.exclude(state="removed").exclude(redis_user="")) if can_make() else []
    try:
        return _make_missing(hosts) if hosts else 0
    except Unavailable:
        return 0  # The log has it; the next tick tries again.


def _make_missing(hosts: list[Host]) -> int:
    with _administration() as client:
        known = {_text(name) for name in _acl(client, "USERS")}
        missing = [host for host in hosts if host.redis_user not in known]
        for host in missing:
            _set(client, host.redis_user, host.name, host.redis_digest)
            logger.info("the access of host %s to Redis is made anew", host.name)
    return len(missing)


def rules(host_name: str, database: str = "0") -> list[str]:
    """What a host's worker needs, as Redis writes it: the queue of all, those of hosts (it places work on others too),
    what kombu keeps of queues and of messages that were not done, and the channels of Celery's control."""
    control = f"worker@{host_name}.celery.pidbox"
    keys = (
        *(DEFAULT, f"{DEFAULT}{PRIORITIES}", f"{host_queue('')}*", control, f"{control}{PRIORITIES}"),
        *("*.reply.celery.pidbox", f"*.reply.celery.pidbox{PRIORITIES}", "_kombu.binding*"),
        *("unacked", "unacked_index", "unacked_mutex"),
    )
    channels = (f"/{database}.celery.pidbox", f"/{database}.celeryev/*")
    return [*(f"~{_literal(key)}" for key in keys), *(f"&{channel}" for channel in channels), *COMMANDS]


def _literal(key: str) -> str:
    # A host's name may hold none of these (`joining.HOST_NAME`); one that does gets no more by it.
    return key.replace("[", "\\[").replace("?", "\\?")


def _set(client: redis.Redis, user: str, host_name: str, digest: str) -> None:
    database = str(client.connection_pool.connection_kwargs.get("db") or 0)
    _acl(client, "SETUSER", user, "reset", "resetchannels", "on", f"#{digest}", *rules(host_name, database))


def _acl(client: redis.Redis, *words: str) -> Any:
    # The client's own `acl_setuser` cannot give a digest in place of a password.
    return client.execute_command("ACL", *words)  # type: ignore[no-untyped-call]  # it has no types there


@contextmanager
def _administration() -> Iterator[redis.Redis]:
    client = redis.Redis.from_url(settings.REDIS_URL, socket_timeout=SECONDS, socket_connect_timeout=SECONDS)
    try:
        yield client
    except redis.RedisError as error:
        logger.warning("the users of hosts cannot be changed in Redis: %s", error)
        raise Unavailable(
            "Redis does not let the platform change the access of hosts.",
            remedy="See that Redis answers and is 6.2 or newer, and that REDIS_URL signs in as somebody who may make "
            "users, or set MODELWRIGHT_HOSTS_REDIS_USERS=no; the log says more.",
        ) from error
    finally:
        client.close()


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
