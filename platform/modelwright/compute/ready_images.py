"""Images that an administrator has made ready, which jobs and sessions may name in place of an environment."""

from __future__ import annotations

import fnmatch
import re

from django.conf import settings

from modelwright.compute.models import Host
from modelwright.core.errors import ValidationFailed

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/:@-]{0,254}")


def offered_images() -> list[str]:
    """What `MODELWRIGHT_IMAGES` allows, as patterns; nothing where no host could run an image."""
    return list(settings.IMAGES) if _has_containers() else []


def check_image(image: str) -> str:
    """The image, when `MODELWRIGHT_IMAGES` allows it and a host with containers is there. Raises ValidationFailed.

    Empty is allowed: the run's environment is then made from its requirements.
    """
    if not image:
        return image
    if not _NAME.fullmatch(image) or not any(fnmatch.fnmatchcase(image, one) for one in settings.IMAGES):
        allowed = ", ".join(settings.IMAGES)
        remedy = f"Name one of: {allowed}." if allowed else "Have an administrator allow some in MODELWRIGHT_IMAGES."
        raise ValidationFailed(f"{image[:100]!r} is not an image that may be named here.", remedy=remedy, field="image")
    if not _has_containers():
        raise ValidationFailed(
            "No host runs workloads in containers, so none can run an image.",
            remedy="Leave the image out, or have an administrator start a host with --backend docker.",
            field="image",
        )
    return image


def _has_containers() -> bool:
    there = Host.objects.exclude(state__in=("offline", "removed"))
    return bool(there.exclude(backend=Host.Backend.PROCESS).exists())
