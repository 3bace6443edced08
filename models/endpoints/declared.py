"""The fallback that the project's file declares for an endpoint: a rule, or an older version of a model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from models.endpoints.deploying import TargetRequest
from models.endpoints.models import DeploymentTarget, Endpoint
from models.gateway.fallbacks import RULE, VERSION
from models.registry.models import ModelVersion
from modelwright.core.errors import NotFound, ValidationFailed
from projects.manifest import MANIFEST_NAME, read_fallbacks

_WITHOUT = "To deploy without a fallback until then, name the version in `targets` over REST."


@dataclass(frozen=True, slots=True)
class DeclaredFallback:
    """`data` as a deployment keeps it; `targets` is the version that stands in, where one does."""

    data: dict[str, Any] | None = None
    targets: tuple[TargetRequest, ...] = ()


def declared_fallback(endpoint: Endpoint, version: ModelVersion) -> DeclaredFallback:
    """What the newest commit declares for the endpoint that `version` is deployed to; nothing where it declares none,
    or names that version itself. A rule is checked where it is deployed.

    Raises ValidationFailed for a file of which that cannot be told, or a version that there is not.
    """
    try:
        declared = read_fallbacks(endpoint.project).get(endpoint.name)
    except NotFound:
        return DeclaredFallback()
    except ValidationFailed as error:
        raise ValidationFailed(
            f"Whether the newest commit declares a fallback for {endpoint.name} cannot be told, because its "
            f"{MANIFEST_NAME} cannot be read. {error.message}",
            remedy=f"Correct {MANIFEST_NAME}, commit it and deploy again. {_WITHOUT}",
            field="fallback",
        ) from None
    if declared is None:
        return DeclaredFallback()
    if not isinstance(declared, dict) or "version" not in declared:
        return DeclaredFallback({"kind": RULE, "rule": declared})
    found = _version(endpoint, version, declared)
    if found.pk == version.pk:
        return DeclaredFallback()
    return DeclaredFallback({"kind": VERSION}, (TargetRequest(found, 0, DeploymentTarget.Role.FALLBACK),))


def explained(error: ValidationFailed, endpoint: Endpoint, declared: DeclaredFallback) -> ValidationFailed:
    """The error, with words on where the fallback that cannot be deployed comes from, if it is about that."""
    if declared.data is None or [one.field for one in error.errors] != ["fallback"]:
        return error
    return ValidationFailed(
        f"{MANIFEST_NAME} of the newest commit declares a fallback for {endpoint.name}, and it cannot be deployed with "
        f"this version. {error.message}",
        remedy=f"{error.remedy} Correct {MANIFEST_NAME}, commit it and deploy again. {_WITHOUT}",
        field="fallback",
    )


def _version(endpoint: Endpoint, version: ModelVersion, declared: dict[str, Any]) -> ModelVersion:
    number, model = declared["version"], declared.get("model", version.model.name)
    is_well_formed = isinstance(number, int) and not isinstance(number, bool) and isinstance(model, str)
    found = None
    if is_well_formed and declared.keys() <= {"version", "model"}:
        versions = ModelVersion.objects.filter(model__project=endpoint.project, model__name=model, number=number)
        found = versions.select_related("model").first()
    if found is None:
        raise ValidationFailed(
            f"The fallback that {MANIFEST_NAME} declares for {endpoint.name} is no version of the project.",
            remedy="Write `{version: 3}`, and `model: …` beside it where it is of another model.",
            field="fallback",
        )
    return found
