"""The file of a commit that names its dependencies."""

from __future__ import annotations

from modelwright.compute.models import EnvironmentRequest
from modelwright.core.errors import ValidationFailed
from projects import source
from projects.models import Project

_NAMES = (EnvironmentRequest.Kind.REQUIREMENTS, EnvironmentRequest.Kind.PYPROJECT)


def read_dependencies(project: Project, commit: str, files: list[str]) -> tuple[str, str]:
    """(kind of file, its text): `requirements.txt`, else `pyproject.toml`, else an empty `requirements.txt`.

    Raises ValidationFailed where the file is not UTF-8 text.
    """
    for kind in _NAMES:
        if kind.value in files:
            text = source.read_file(project, commit, kind.value).text
            if text is None:
                raise ValidationFailed(
                    f"{kind.value} is not UTF-8 text.", remedy="Save it as UTF-8 and commit it.", field="commit"
                )
            return kind.value, text
    return EnvironmentRequest.Kind.REQUIREMENTS.value, ""
