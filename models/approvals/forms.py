"""Forms of the approval pages. Services decide; these only parse."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms

from models.approvals.cards import MAX_SECTION, SECTIONS
from models.approvals.models import ApprovalPolicy, Check
from models.approvals.promotions import MAX_REASON
from models.approvals.stages import CHECK_WORDS, STAGING_FIRST, Stage, words_of
from projects.models import Project


def reason_field(help_text: str, *, required: bool = False) -> forms.CharField:
    """Why somebody decides what they decide."""
    return forms.CharField(
        label="Reason",
        max_length=MAX_REASON,
        required=required,
        help_text=help_text,
        widget=forms.Textarea(attrs={"rows": 3}),
    )


class RequestForm(forms.Form):
    """What a version is to be approved for."""

    stage = forms.ChoiceField(
        label="Stage",
        choices=Stage.choices,
        help_text="Lab and staging are approved at once where their checks are passed. For production a second person "
        "decides.",
    )
    reason = reason_field("What is better about it? Whoever decides reads it.")


class ApproveForm(forms.Form):
    """A decision for a promotion; where checks are missing, it takes an override."""

    def __init__(self, missing: list[str], *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if missing:
            self.fields["override"] = forms.BooleanField(
                label="Approve although it has not passed: " + ", ".join(words_of(kind) for kind in missing),
                required=False,
                help_text="It stands as an override in the audit log.",
            )
        self.fields["reason"] = reason_field(
            "Needed for an override." if missing else "It stands in the audit log.", required=False
        )


class ReasonForm(forms.Form):
    """Why something is refused, withdrawn or taken back."""

    def __init__(self, *args: Any, required: bool = True, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["reason"] = reason_field("It stands in the audit log.", required=required)


class CardForm(forms.Form):
    """The sections of a card, and the revision that the writer has seen."""

    revision = forms.IntegerField(widget=forms.HiddenInput, min_value=0)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for section in SECTIONS:
            self.fields[section.key] = forms.CharField(
                label=section.title,
                max_length=MAX_SECTION,
                required=False,
                help_text=section.question + ("" if section.needed else " May stay empty."),
                widget=forms.Textarea(attrs={"rows": 5}),
            )
            # It may be saved without for now; not approved.
            self.fields[section.key].is_needed = section.needed  # type: ignore[attr-defined]

    @staticmethod
    def values_of(revision: int, sections: Mapping[str, str], drafts: Mapping[str, str]) -> dict[str, Any]:
        """What the form shows first: what is written, else what the platform knows."""
        return {"revision": revision, **drafts, **sections}

    def sections(self) -> dict[str, str]:
        """The texts by section."""
        return {section.key: self.cleaned_data[section.key] for section in SECTIONS}


class PolicyForm(forms.Form):
    """Which checks the stages need."""

    def __init__(self, project: Project, policy: ApprovalPolicy, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        recorded = Check.objects.filter(version__model__project=project).values_list("kind", flat=True).distinct()
        kinds = [*CHECK_WORDS, "smoke", *policy.staging, *policy.production, *recorded.order_by("kind")[:50]]
        choices = [(kind, words_of(kind)) for kind in dict.fromkeys(kinds)]
        for stage in (Stage.STAGING, Stage.PRODUCTION):
            self.fields[stage.value] = forms.MultipleChoiceField(
                label=f"For {stage.label.lower()}",
                choices=[each for each in choices if stage == Stage.PRODUCTION or each[0] != STAGING_FIRST],
                required=False,
                initial=getattr(policy, stage.value),
                widget=forms.CheckboxSelectMultiple,
                help_text="A second person approves in any case."
                if stage == Stage.PRODUCTION
                else "Once they are passed, staging is approved as it is asked for.",
            )
