"""What a machine knows of itself as a host: `host.json`, and beside it the secrets that joining gave it."""

import json
import os
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from modelwright.local.layout import Layout

SECRETS = ("database_url", "redis_url", "blobs_credentials", "secret_key")


class NoHost(Exception):
    """The data directory is no host's, or may not become one; the text says what to do."""


@dataclass(frozen=True)
class HostFile:
    """`host.json`. `web_url` is the platform's address, `address` where other machines reach this one.
    `gateway_url` is where what runs here asks endpoints, empty where the platform did not say.

    The bridge to replicas of this host listens there at `bridge_port`; without an address there is none. Of a swarm's
    manager it is the entrance to the swarm's replicas; `shelf` is where its machines fetch files, as `HOST:PORT`, and
    `registry` where images of environments are pushed to. With the files `tls_cert` and `tls_key` what goes through
    the bridge or the entrance is encrypted.
    """

    host_id: str
    name: str
    web_url: str
    blobs: str
    backend: str = "process"
    address: str = ""
    bridge_port: int = 8100
    shelf: str = ""
    registry: str = ""
    tls_cert: str = ""
    tls_key: str = ""
    gateway_url: str = ""


def path(layout: Layout) -> Path:
    """Where it lies."""
    return layout.data / "host.json"


def removed_mark(layout: Layout) -> Path:
    """Exists once this host's watcher has learnt that the host was removed, and has ended what ran here."""
    return layout.data / "host-removed"


def check_free(layout: Layout) -> None:
    """Raise NoHost when the directory belongs to a platform, or to a host that was not removed."""
    if (layout.postgres / "data").exists() or layout.admin_created.exists():
        raise NoHost(f"{layout.data} holds a platform. Give this host a directory of its own with --data-dir.")
    if path(layout).exists() and not removed_mark(layout).exists():
        raise NoHost(
            f"{layout.data} is the host {read(layout).name} already. Start it with `./modelwright host`; to join "
            f"anew have it removed on the platform's hosts page and delete {path(layout)}."
        )


def write(layout: Layout, answer: dict[str, Any], **own: Any) -> HostFile:
    """Keep the platform's answer: the secrets in files of mode 600, `host.json` last. `own` is what it did not tell."""
    layout.create()
    for name in SECRETS:
        write_private(secret(layout, name), str(answer[name]))
    host = HostFile(
        host_id=str(answer["host_id"]),
        name=str(answer["name"]),
        web_url=str(answer["web_url"]),
        blobs=str(answer["blobs"]),
        gateway_url=str(answer.get("gateway_url", "")),
        **own,
    )
    write_private(path(layout), json.dumps(asdict(host), indent=2) + "\n")
    removed_mark(layout).unlink(missing_ok=True)
    return host


def read(layout: Layout) -> HostFile:
    """Raise NoHost where there is none."""
    try:
        values = json.loads(path(layout).read_text())
        # What a later version asks for has a default in the files of earlier ones.
        return HostFile(**{field.name: values[field.name] for field in fields(HostFile) if field.name in values})
    except FileNotFoundError:
        raise NoHost(
            f"{layout.data} is no host yet. Name a host's directory with --data-dir, or have an administrator add one "
            "on the platform's hosts page and give the command that it shows."
        ) from None
    except (ValueError, TypeError) as error:
        raise NoHost(f"{path(layout)} is damaged ({error}). Restore it, or remove the host and join again.") from None


def secret(layout: Layout, name: str) -> Path:
    """The file of one of `SECRETS`."""
    return layout.secret_key if name == "secret_key" else layout.secrets / f"host-{name.replace('_', '-')}"


def write_private(target: Path, text: str) -> None:
    """Write a file whole that only its owner may read."""
    temporary = target.with_name(f"{target.name}.new")
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
    temporary.replace(target)
