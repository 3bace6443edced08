"""The connection to a manager of the swarm, and what its errors mean."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from docker import errors

from modelwright.compute.backends.base import UnavailableError
from modelwright.compute.backends.docker.engine import told_apart

# What a manager says that has lost the others.
_LEADERLESS = ("does not have a leader", "deadline exceeded", "unavailable")


@contextlib.contextmanager
def swarm_told_apart(what: str) -> Iterator[None]:
    """As `told_apart`, and an engine that cannot act for a swarm at the moment is one that is away."""
    with told_apart(what):
        try:
            yield
        except errors.APIError as error:
            text = str(error.explanation or error)
            if error.status_code == 503:
                raise UnavailableError(
                    f"{what}: the engine of this host is no manager of a swarm. Join it to one, or begin one there."
                ) from error
            if any(part in text for part in _LEADERLESS):
                raise UnavailableError(
                    f"{what}: the swarm has no leader at the moment: too few of its managers answer. Bring them back."
                ) from error
            raise


def described(error: BaseException) -> str:
    """The engine's own words."""
    return str(getattr(error, "explanation", "") or error)


def is_in_use(error: BaseException) -> bool:
    """Whether the swarm keeps a secret, configuration or network because a service names it."""
    return isinstance(error, errors.APIError) and error.status_code in (400, 403) and "in use" in described(error)
