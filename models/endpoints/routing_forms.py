"""The form of an endpoint's routing: who is answered by which version, and what answers when it fails."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import yaml
from django import forms

from models.endpoints.forms import MAX_REASON
from models.endpoints.models import Deployment, DeploymentTarget, EndpointKey
from models.endpoints.steering import answering_targets
from models.gateway.fallbacks import RULE, VERSION
from models.gateway.routing import COLUMN, HEADER
from models.registry.models import ModelVersion

_CODE = {"class": "code", "spellcheck": "false", "autocomplete": "off", "autocapitalize": "none"}
_ORDER = ("when", "all", "then", "otherwise")
_PIN = "pin_"


class RoutingForm(forms.Form):
    """Routing, pins and fallback of one deployment. Where it has a graph, only the fallback can be chosen."""

    seen = forms.UUIDField(widget=forms.HiddenInput)
    assign_by = forms.ChoiceField(
        label="Same version for the same",
        required=False,
        choices=[("", "Nobody: each request is drawn by weight"), (HEADER, "Header"), (COLUMN, "Column of the input")],
        help_text="With more than one version that answers: the same person, device or customer always meets the same.",
    )
    assign_name = forms.CharField(
        label="Name of header or column",
        required=False,
        max_length=200,
        widget=forms.TextInput(attrs=_CODE),
        help_text="A header begins with `x-`, such as `x-user-id`.",
    )
    salt = forms.CharField(
        label="Salt",
        required=False,
        max_length=200,
        widget=forms.TextInput(attrs=_CODE),
        help_text="Another one shares people out anew.",
    )
    pins_header = forms.BooleanField(
        label="Clients may choose a version",
        required=False,
        help_text="By the header `X-Modelwright-Version`, among the versions that answer here.",
    )
    fallback = forms.ChoiceField(
        label="When the model fails",
        required=False,
        choices=[("", "Nothing: the client is told"), (RULE, "A rule answers"), (VERSION, "Another version answers")],
        help_text="Also when no replica is there, and while the endpoint is stopped.",
    )
    rule = forms.CharField(
        label="Rule",
        required=False,
        max_length=64 * 1024,
        widget=forms.Textarea(attrs={**_CODE, "rows": 6}),
        help_text="As below an endpoint's name in `fallbacks` of modelwright.yaml, such as "
        "`when: [{column: income, below: 1200}]`, `then: {prediction: refuse}` and `otherwise: {prediction: accept}`, "
        "each on a line of its own.",
    )
    stand_in = forms.ChoiceField(label="Version that stands in", required=False)
    reason = forms.CharField(
        label="Reason",
        max_length=MAX_REASON,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text="It stands in the time line.",
    )

    def __init__(
        self,
        base: Deployment,
        keys: Sequence[EndpointKey],
        versions: Iterable[ModelVersion],
        *args: Any,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self._base, self._pins = base, {f"{_PIN}{key.pk.hex}": key for key in keys}
        answering = answering_targets(base)
        if base.graph:
            for name in ("assign_by", "assign_name", "salt", "pins_header"):
                del self.fields[name]
            self._pins = {}
        choices = [
            ("", "As all others"),
            *((str(each.model_version_id), str(each.model_version)) for each in answering),
        ]
        for name, key in self._pins.items():
            label = f"Requests with the key {key.name}"
            self.fields[name] = forms.ChoiceField(label=label, required=False, choices=choices)
        taken = {each.model_version_id for each in base.targets.all() if each.role != DeploymentTarget.Role.FALLBACK}
        others = [(str(version.pk), str(version)) for version in versions if version.pk not in taken]
        self.fields["stand_in"].choices = [("", "None chosen"), *others]  # type: ignore[attr-defined]
        last = ("fallback", "rule", "stand_in", "reason")
        self.order_fields([*(name for name in self.fields if name not in last), *last])

    @staticmethod
    def values_of(base: Deployment) -> dict[str, Any]:
        """What the form shows first: what the deployment has."""
        assign, pins = base.routing.get("assign") or {}, base.routing.get("pins") or {}
        fallback = base.fallback or {}
        stand_in = next((each for each in base.targets.all() if each.role == DeploymentTarget.Role.FALLBACK), None)
        return {
            "seen": base.pk,
            "assign_by": assign.get("by", ""),
            "assign_name": assign.get("name", ""),
            "salt": assign.get("salt", ""),
            "pins_header": pins.get("header", True),
            **{f"{_PIN}{key.replace('-', '')}": version for key, version in (pins.get("keys") or {}).items()},
            "fallback": fallback.get("kind", ""),
            "rule": _written(fallback["rule"]) if fallback.get("kind") == RULE else "",
            "stand_in": str(stand_in.model_version_id) if stand_in else "",
        }

    def routing(self) -> dict[str, Any]:
        """The routing as a deployment keeps it."""
        if self._base.graph:
            return dict(self._base.routing)
        values = self.cleaned_data
        found: dict[str, Any] = {}
        if values["assign_by"]:
            name = values["assign_name"].strip()
            found["assign"] = {
                "by": values["assign_by"],
                "name": name.lower() if values["assign_by"] == HEADER else name,
                "salt": values["salt"],
            }
        keys = {str(key.pk): values[name] for name, key in self._pins.items() if values[name]}
        if keys or not values["pins_header"]:
            found["pins"] = {"header": values["pins_header"], "keys": keys}
        return found


def _written(rule: Any) -> str:
    """The rule as YAML, its entries in the order in which people write them."""
    if isinstance(rule, dict):
        rule = {name: rule[name] for name in (*_ORDER, *(rule.keys() - set(_ORDER))) if name in rule}
    return yaml.safe_dump(rule, sort_keys=False, allow_unicode=True, default_flow_style=None)
