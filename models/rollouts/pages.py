"""What the pages of rollouts share."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import HttpRequest
from django.urls import reverse

from models.endpoints.pages import EndpointPage, endpoint_crumbs
from models.rollouts import selectors
from models.rollouts.models import Rollout
from models.rollouts.states import OPEN
from modelwright.accounts.permissions import Permission
from modelwright.accounts.views import person_of
from modelwright.core.pages import Crumbs


def rollout_crumbs(rollout: Rollout, *more: tuple[str, str]) -> Crumbs:
    """The way to a page of the rollout."""
    section = ("Rollouts", reverse("endpoint-rollouts", args=[rollout.endpoint_id]))
    own = (f"Rollout {rollout.number}", reverse("rollout", args=[rollout.pk]))
    return endpoint_crumbs(rollout.endpoint, section, own, *more)


class RolloutPage(EndpointPage):
    """A page of one rollout."""

    def rollout(
        self, request: HttpRequest, rollout_id: UUID, permission: Permission = Permission.PROJECT_VIEW
    ) -> Rollout:
        """The rollout, in whose project the person holds `permission`."""
        return selectors.get_rollout(person_of(request), rollout_id, permission)

    def standing(self, rollout: Rollout) -> dict[str, Any]:
        """What the live part of a page shows."""
        return {
            "rollout": rollout,
            "is_open": rollout.state in OPEN,
            "is_last": rollout.step >= len(rollout.steps),
            "shown_steps": [
                {**step, "number": number + 1, "look": self._look(rollout, number)}
                for number, step in enumerate(rollout.steps)
            ],
            "findings": rollout.evidence.get("findings", []),
            "smoke": rollout.evidence.get("smoke"),
            "candidate": rollout.evidence.get("candidate"),
            "base": rollout.evidence.get("base"),
            "looked_at": rollout.evidence.get("at"),
        }

    @staticmethod
    def _look(rollout: Rollout, number: int) -> str:
        if number < rollout.step or rollout.state in ("promoted", "completed"):
            return "done"
        if number > rollout.step:
            return "not yet"
        if rollout.state in OPEN:
            return "now" if rollout.step_began_at else "starts"
        return "broken off"
