"""Files of registered versions stay as they were."""

from __future__ import annotations

import re
from urllib.parse import unquote

from jobs.tracking.allowlist import FILES
from jobs.tracking.database import reading
from modelwright.core.errors import PermissionRefused


def artifact_name(workspace: str, path: str) -> str:
    """The name of an artifact below its workspace, from the raw path of a call."""
    return unquote(path.partition(f"{FILES}/")[2]).strip("/").removeprefix(f"workspaces/{workspace}/")


_SCHEME = re.compile(r"\Amlflow-artifacts:/+")
_QUERY = """
    SELECT v.name, v.version, v.storage_location, v.source, r.artifact_uri
    FROM model_versions v LEFT JOIN runs r ON r.run_uuid = v.run_id AND v.source LIKE 'runs:/%%'
    WHERE v.workspace = %s AND v.current_stage <> 'Deleted_Internal'
"""


def refuse_registered(workspace: str, path: str) -> None:
    """Raise PermissionRefused where writing to `path` would change the files of a registered version.

    Convenience for honest clients: what is served is a snapshot made at registration, which nothing here can reach.
    """
    name = artifact_name(workspace, path)
    with reading() as cursor:
        rows = cursor.execute(_QUERY, [workspace]).fetchall()
    for row in rows:
        folder = _folder(row["storage_location"] or "", row["source"] or "", row["artifact_uri"] or "")
        folder = folder.removeprefix(f"workspaces/{workspace}/")
        if folder and (name == folder or name.startswith(f"{folder}/")):
            raise PermissionRefused(
                f"The files of {row['name']} version {row['version']} are registered and can no longer be changed.",
                remedy="Log the model again and register it as a new version.",
            )


def _folder(location: str, source: str, artifact_uri: str) -> str:
    if source.startswith("runs:/") and artifact_uri:
        location = f"{artifact_uri.rstrip('/')}/{source.removeprefix('runs:/').partition('/')[2]}"
    return _SCHEME.sub("", location).strip("/") if _SCHEME.match(location) else ""
