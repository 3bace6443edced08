"""What all workloads of an installation share in the swarm: a closed network, programs, and the way to the shelf."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from docker import errors

from modelwright.compute.backends.base import SourceError
from modelwright.compute.backends.docker import entry as first
from modelwright.compute.backends.docker.config import MIB
from modelwright.compute.backends.docker.engine import Api, is_conflict
from modelwright.compute.backends.shim import masking
from modelwright.compute.backends.swarm import entry, names, relay
from modelwright.compute.backends.swarm.config import Shelf, SwarmConfig

FOLDER = entry.FOLDER
ENTRY = f"{FOLDER}/entry.py"
FIRST = f"{FOLDER}/{entry.FIRST}"
MASKING = f"{FOLDER}/{first.MASKING}"
RELAY = f"{FOLDER}/relay.py"
RELAY_PORT = 8080
WAY_BYTES = 128 * MIB
SECOND = 1_000_000_000
NOWHERE = Shelf("127.0.0.1", 9)


@dataclass(frozen=True)
class Program:
    """A file that every task gets from the swarm itself: a configuration, which cannot be changed."""

    config_id: str
    name: str
    path: str

    def reference(self) -> dict[str, Any]:
        """As a task names it."""
        return {
            "ConfigID": self.config_id,
            "ConfigName": self.name,
            "File": {"Name": self.path, "UID": "0", "GID": "0", "Mode": 0o444},
        }


def ensure_programs(api: Api, config: SwarmConfig) -> list[Program]:
    """The first processes of tasks."""
    return [
        ensure_program(api, config, Path(entry.__file__), ENTRY),
        ensure_program(api, config, Path(first.__file__), FIRST),
        ensure_program(api, config, Path(masking.__file__), MASKING),
    ]


def ensure_network(api: Api, config: SwarmConfig, name: str, *, is_closed: bool) -> str:
    """The id of an overlay network. From a closed one nothing else is reached, not even the nodes."""
    found = [each for each in api.networks(names=[name]) if each["Name"] == name and each["Driver"] == "overlay"]
    if found:
        return str(found[0]["Id"])
    try:
        made = api.create_network(
            name,
            driver="overlay",
            internal=is_closed,
            attachable=is_closed,
            labels=names.part_labels(config, "network"),
            options={"encrypted": ""} if config.is_encrypted else None,
        )
    except errors.APIError as error:
        if is_conflict(error):
            return ensure_network(api, config, name, is_closed=is_closed)
        raise
    return str(made["Id"])


def way_to_shelf(api: Api, config: SwarmConfig, shelf: Shelf | None) -> str:
    """Where tasks fetch their files, as `host:port`. Raises SourceError where nothing is handed out."""
    if shelf is None:
        raise SourceError(
            "This host hands out no files to the machines of its swarm. Have an administrator start its keeper with "
            "--shelf HOST:PORT, or choose an image that holds all that the workload needs."
        )
    return ensure_relay(api, config, shelf)


def ensure_relay(api: Api, config: SwarmConfig, shelf: Shelf | None) -> str:
    """A service in the tasks' network, on every machine, that leads to the shelf alone; its `host:port`.

    It also keeps the network on every machine: engines up to 20.10 refuse a task with GPUs where the network is new.
    """
    shelf = shelf or NOWHERE
    name = f"{config.instance}-relay"
    program = ensure_program(api, config, Path(relay.__file__), RELAY)
    command = ["python3", "-I", "-S", RELAY, str(RELAY_PORT), shelf.host, str(shelf.port)]
    template = way_template(api, config, command, program)
    for service in api.services(filters={"name": name}):
        if service["Spec"]["Name"] == name:
            if service["Spec"]["TaskTemplate"]["ContainerSpec"].get("Command") != command:
                version = service["Version"]["Index"]
                api.update_service(service["ID"], version, template, name=name, fetch_current_spec=True)
            return f"tasks.{name}:{RELAY_PORT}"
    try:
        api.create_service(
            template,
            name=name,
            labels=names.part_labels(config, "relay"),
            mode={"Global": {}},
            endpoint_spec={"Mode": "dnsrr"},
        )
    except errors.APIError as error:
        if not is_conflict(error):
            raise
    return f"tasks.{name}:{RELAY_PORT}"


def way_template(api: Api, config: SwarmConfig, command: list[str], program: Program) -> dict[str, Any]:
    """A task between the closed network and the world."""
    networks = [
        ensure_network(api, config, config.network_name, is_closed=True),
        ensure_network(api, config, f"{config.instance}-outside", is_closed=False),
    ]
    return {
        "ContainerSpec": {
            "Image": config.image,
            "Command": command,
            "Configs": [program.reference()],
            "User": f"{config.uid}:{config.gid}",
            "CapabilityDrop": ["ALL"],
            "ReadOnly": True,
            "Init": True,
        },
        "Resources": {"Limits": {"MemoryBytes": WAY_BYTES, "Pids": 64}},
        "RestartPolicy": {"Condition": "any", "Delay": SECOND},
        "Networks": [{"Target": network} for network in networks],
    }


def ensure_program(api: Api, config: SwarmConfig, source: Path, path: str) -> Program:
    """The file as tasks get it at `path`. Another content is another configuration."""
    text = source.read_bytes()
    name = f"modelwright-{Path(path).stem}-{hashlib.sha256(text).hexdigest()[:16]}"
    found = _config_id(api, name)
    if found is None:
        try:
            found = str(api.create_config(name, text, labels=names.part_labels(config, "program"))["ID"])
        except errors.APIError as error:
            found = _config_id(api, name) if is_conflict(error) else None
            if found is None:
                raise
    return Program(found, name, path)


def _config_id(api: Api, name: str) -> str | None:
    for known in api.configs(filters={"name": name}):
        if known["Spec"]["Name"] == name:
            return str(known["ID"])
    return None
