"""The service through which replicas are reached from outside of the tasks' network, and what it encrypts with."""

from __future__ import annotations

import hashlib
import logging
import ssl
from pathlib import Path
from typing import Any, NamedTuple

from docker import errors

from modelwright.compute.backends.base import UnavailableError
from modelwright.compute.backends.docker.config import GIB
from modelwright.compute.backends.docker.engine import Api, is_absent, is_conflict
from modelwright.compute.backends.swarm import entrance, names
from modelwright.compute.backends.swarm.config import SwarmConfig
from modelwright.compute.backends.swarm.engine import is_in_use
from modelwright.compute.backends.swarm.shared import FOLDER, ensure_program, way_template

logger = logging.getLogger(__name__)

PROGRAM = f"{FOLDER}/entrance.py"
PORT = 8100
CERTIFICATE = "/run/secrets/entrance.pem"
PART = "entrance"
# Python holds a third of a MiB for each connection that it encrypts; a limit is no reservation.
ENCRYPTED_BYTES = GIB


class Pem(NamedTuple):
    """A secret of the swarm that holds a chain of certificates and the private key."""

    secret_id: str
    secret_name: str


def ensure_entrance(api: Api, config: SwarmConfig, replica_port: int) -> None:
    """A service on this machine, at its port `config.entrance`, that leads from outside to the tasks alone.

    So whoever asks replicas need not be in the tasks' network. The port is this machine's own: no virtual address.
    Raises UnavailableError for a certificate that cannot be used, unless the entrance has had one already.
    """
    service = _find(api, config)
    _ensure(api, config, service, replica_port, _pem(api, config, service))


def keep_certificate(api: Api, config: SwarmConfig) -> None:
    """Gives the entrance, where there is one, the certificate that the files hold now, and forgets earlier ones.

    The entrance starts anew by that. While the files cannot be used, such as between two writes, nothing changes.
    """
    if config.certificate is None or (service := _find(api, config)) is None:
        return
    pem = _pem(api, config, service)
    if pem is not None and _present_pem(service) != pem:
        port = _replica_port(service["Spec"]["TaskTemplate"]["ContainerSpec"]["Command"])
        _ensure(api, config, service, port, pem)
    if pem is not None:
        _forget_others(api, config, pem.secret_id)


def _ensure(api: Api, config: SwarmConfig, service: dict[str, Any] | None, replica_port: int, pem: Pem | None) -> None:
    wanted = _wanted(api, config, replica_port, pem)
    if service is None:
        try:
            api.create_service(name=_name(config), labels=names.part_labels(config, PART), **wanted)
        except errors.APIError as error:
            if not is_conflict(error):
                raise
    elif not _leads_as_wanted(service["Spec"], wanted):
        version = service["Version"]["Index"]
        api.update_service(service["ID"], version, name=_name(config), fetch_current_spec=True, **wanted)


def _wanted(api: Api, config: SwarmConfig, replica_port: int, pem: Pem | None) -> dict[str, Any]:
    command = ["python3", "-I", "-S", PROGRAM, str(PORT), str(replica_port), *([CERTIFICATE] if pem else [])]
    template = way_template(api, config, command, ensure_program(api, config, Path(entrance.__file__), PROGRAM))
    template["ContainerSpec"]["Secrets"] = [_reference(config, pem)] if pem else []
    if pem:
        template["Resources"]["Limits"]["MemoryBytes"] = ENCRYPTED_BYTES
    template["Placement"] = {"Constraints": [f"node.id=={api.info()['Swarm']['NodeID']}"]}
    port = {"Protocol": "tcp", "TargetPort": PORT, "PublishedPort": config.entrance, "PublishMode": "host"}
    return {"task_template": template, "endpoint_spec": {"Mode": "dnsrr", "Ports": [port]}}


def _reference(config: SwarmConfig, pem: Pem) -> dict[str, Any]:
    file = {"Name": CERTIFICATE, "UID": str(config.uid), "GID": str(config.gid), "Mode": 0o400}
    return {"SecretID": pem.secret_id, "SecretName": pem.secret_name, "File": file}


def _leads_as_wanted(spec: dict[str, Any], wanted: dict[str, Any]) -> bool:
    """Whether what matters of the service is as wanted: engines add much to what they are told."""

    def essence(template: dict[str, Any], endpoint: dict[str, Any]) -> tuple[object, ...]:
        container = template["ContainerSpec"]
        return (
            container["Command"],
            [each["ConfigID"] for each in container.get("Configs") or []],
            [each["SecretID"] for each in container.get("Secrets") or []],
            template.get("Placement", {}).get("Constraints"),
            [each["PublishedPort"] for each in endpoint.get("Ports") or []],
        )

    present = essence(spec["TaskTemplate"], spec["EndpointSpec"])
    return present == essence(wanted["task_template"], wanted["endpoint_spec"])


def _pem(api: Api, config: SwarmConfig, service: dict[str, Any] | None) -> Pem | None:
    """The secret with what the files hold now, None where nothing is encrypted.

    Files that cannot be used leave the entrance what it has; where it has nothing, that raises UnavailableError.
    """
    if config.certificate is None or config.key is None:
        return None
    try:
        text = read_pem(config.certificate, config.key)
    except UnavailableError as error:
        if service is None or (present := _present_pem(service)) is None:
            raise
        logger.warning("%s It goes on with the one that it has.", error)
        return present
    name = f"{_name(config)}-{hashlib.sha256(text).hexdigest()[:16]}"
    if (found := _secret_id(api, name)) is None:
        try:
            found = str(api.create_secret(name, text, labels=names.part_labels(config, PART))["ID"])
        except errors.APIError as error:
            found = _secret_id(api, name) if is_conflict(error) else None
            if found is None:
                raise
    return Pem(found, name)


def _present_pem(service: dict[str, Any]) -> Pem | None:
    secrets = service["Spec"]["TaskTemplate"]["ContainerSpec"].get("Secrets") or []
    return Pem(secrets[0]["SecretID"], secrets[0]["SecretName"]) if secrets else None


def read_pem(certificate: Path, key: Path) -> bytes:
    """Both in one file, as the entrance reads them. Raises UnavailableError where they cannot be used."""
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key, password=_no_password)
        return certificate.read_bytes().rstrip() + b"\n" + key.read_bytes()
    except (OSError, ValueError) as error:
        raise UnavailableError(
            f"The certificate {certificate} with the key {key} cannot be used for the entrance: {error}. Put files "
            "there that this host may read and that belong together."
        ) from error


def _no_password() -> str:
    raise ValueError("the key has a password")


def _secret_id(api: Api, name: str) -> str | None:
    for known in api.secrets(filters={"name": name}):
        if known["Spec"]["Name"] == name:
            return str(known["ID"])
    return None


def _forget_others(api: Api, config: SwarmConfig, current: str) -> None:
    labels = names.part_labels(config, PART)
    for known in api.secrets(filters={"label": [f"{name}={value}" for name, value in labels.items()]}):
        if known["ID"] != current:
            try:
                api.remove_secret(known["ID"])
            except errors.APIError as error:
                if not is_absent(error) and not is_in_use(error):
                    raise


def _replica_port(command: list[str]) -> int:
    return int(command[command.index(PROGRAM) + 2])


def _name(config: SwarmConfig) -> str:
    return f"{config.instance}-entrance"


def _find(api: Api, config: SwarmConfig) -> dict[str, Any] | None:
    for service in api.services(filters={"name": _name(config)}):
        if service["Spec"]["Name"] == _name(config):
            found: dict[str, Any] = service
            return found
    return None
