"""Removes secrets from the swarm that no service needs any more."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from docker import errors

from modelwright.compute.backends.base import WorkloadKey
from modelwright.compute.backends.docker.engine import Api, is_absent
from modelwright.compute.backends.docker.options import INSTANCE
from modelwright.compute.backends.docker.outcome import moment
from modelwright.compute.backends.swarm import names
from modelwright.compute.backends.swarm.config import SwarmConfig
from modelwright.compute.backends.swarm.engine import is_in_use
from modelwright.compute.backends.swarm.records import SwarmFolders

# A secret is made shortly before the service or the update that names it.
YOUNG_SECONDS = 120.0


class Sweeper:
    """Looks through all secrets of an installation."""

    def __init__(self, api: Api, config: SwarmConfig, folders: SwarmFolders) -> None:
        """Nothing happens yet."""
        self._api, self._config, self._folders = api, config, folders

    def sweep(self, services: Mapping[WorkloadKey, Mapping[str, Any]]) -> None:
        """Removes those of workloads without a service, and those of revisions that are past."""
        for secret in self._api.secrets(filters={"label": f"{INSTANCE}={self._config.instance}"}):
            try:
                key = names.key_of(secret["Spec"]["Labels"])
            except (KeyError, ValueError):
                continue
            service = services.get(key)
            is_past = service is not None and not _names(service, secret["ID"])
            is_young = time.time() - (moment(secret["CreatedAt"]) or 0.0) < YOUNG_SECONDS
            if service is None and self._is_over(key):
                is_young = False
            if (service is None or is_past) and not is_young and not self._folders.is_starting(key):
                self._remove(secret["ID"])

    def _is_over(self, key: WorkloadKey) -> bool:
        status = self._folders.read_status(key)
        return status is not None and status.get("phase") == "ended"

    def _remove(self, secret: str) -> None:
        try:
            self._api.remove_secret(secret)
        except errors.APIError as error:
            if not is_absent(error) and not is_in_use(error):
                raise


def _names(service: Mapping[str, Any], secret: str) -> bool:
    """Whether the service runs with that secret, or would after a rollback."""
    for part in ("Spec", "PreviousSpec"):
        template = (service.get(part) or {}).get("TaskTemplate", {})
        if any(each["SecretID"] == secret for each in template.get("ContainerSpec", {}).get("Secrets") or []):
            return True
    return False
