"""Model cards: what a reader must know of a version before it decides anything, section by section."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from django.db import IntegrityError, transaction

from models.approvals.checks import record_check
from models.approvals.models import Check, ModelCard
from models.approvals.selectors import newest_checks
from models.approvals.stages import CARD
from models.registry.models import ModelVersion
from models.registry.services import audit, target_of
from modelwright.accounts.actors import Actor
from modelwright.accounts.permissions import Permission
from modelwright.audit.actions import AuditAction
from modelwright.core.errors import PreconditionFailed, ValidationFailed
from projects.selectors import authorize

MAX_SECTION = 10_000


@dataclass(frozen=True, slots=True)
class Section:
    """One section: a Markdown text under a title. A card is filled once every needed one has a text."""

    key: str
    title: str
    question: str
    needed: bool = True


# After "Model Cards for Model Reporting" (Mitchell et al., 2019).
SECTIONS = (
    Section("purpose", "Intended use", "Which decision does it help with, and who uses it?"),
    Section("limits", "Limits", "Where must it not be used? What does it not know?"),
    Section("data", "Training data", "Where does the data come from, of which time, with what gaps?"),
    Section("evaluation", "Evaluation", "How was it measured, on which data, and how good is it for whom?"),
    Section("risks", "Risks", "Who is harmed by a wrong answer, and what is done about it?"),
    Section("owner", "Owner", "Who answers for it, and how are they reached?"),
    Section("algorithm", "Algorithm", "How does it come to its answers?", needed=False),
    Section("notes", "Notes", "What else should be known?", needed=False),
)
_KEYS = frozenset(section.key for section in SECTIONS)


def newest_card(version: ModelVersion) -> ModelCard | None:
    """The newest revision, None where nobody has written one."""
    card: ModelCard | None = ModelCard.objects.filter(version=version).order_by("-number").first()
    return card


def unfilled(sections: Mapping[str, str]) -> list[Section]:
    """The needed sections without a text."""
    return [section for section in SECTIONS if section.needed and not sections.get(section.key, "").strip()]


@transaction.atomic
def save_card(
    version: ModelVersion, *, sections: Mapping[str, str], expected: int | None = None, acting_user: Actor
) -> ModelCard:
    """Save a new revision and record the check `card` where what it says of it is new.

    `sections` replaces all of them: what is left out is empty. `expected` is the revision that the writer has seen, 0
    for none. The same text again makes no revision. Raises PermissionRefused, ValidationFailed, PreconditionFailed
    where somebody has saved another revision since.
    """
    project = version.model.project
    role = authorize(acting_user, Permission.MODEL_EDIT, project)
    wanted = _checked(sections)
    ModelVersion.objects.select_for_update(of=("self",), no_key=True).get(pk=version.pk)
    before = newest_card(version)
    number = before.number if before else 0
    if expected is not None and expected != number:
        raise PreconditionFailed(
            f"The card was changed since: it is at revision {number}, and you have seen {expected}.",
            remedy="Read it again and apply your change to it.",
        )
    if before is not None and before.sections == wanted:
        return before
    card = _insert(version, number + 1, wanted, acting_user)
    old = before.sections if before else {}
    changed = sorted(key for key in old.keys() | wanted.keys() if old.get(key) != wanted.get(key))
    audit(
        AuditAction.MODEL_CARD_CHANGED,
        target_of(version),
        project,
        acting_user=acting_user,
        role=role,
        before={"revision": number},
        after={"revision": card.number, "sections": changed},
    )
    _record(version, card, acting_user)
    return card


def _insert(version: ModelVersion, number: int, sections: dict[str, str], acting_user: Actor) -> ModelCard:
    try:
        with transaction.atomic():
            card: ModelCard = ModelCard.objects.create(
                version=version,
                number=number,
                sections=sections,
                author=acting_user.user,
                author_name=acting_user.name[:100],
            )
    except IntegrityError:
        raise PreconditionFailed(
            "Somebody else saved the card at the same moment.", remedy="Read it again and apply your change to it."
        ) from None
    return card


def _record(version: ModelVersion, card: ModelCard, acting_user: Actor) -> None:
    empty = unfilled(card.sections)
    outcome = Check.Outcome.FAILED if empty else Check.Outcome.PASSED
    last = newest_checks(version).get(CARD)
    if last is None and empty:
        return  # It was never whole, and is missing as it was.
    if last is not None and last.outcome == outcome == Check.Outcome.FAILED:
        return
    detail = f"Empty: {', '.join(section.title for section in empty)}." if empty else "All needed sections are filled."
    record_check(version, CARD, outcome, detail, {"revision": card.number}, acting_user=acting_user)


def _checked(sections: Mapping[str, str]) -> dict[str, str]:
    unknown = sections.keys() - _KEYS
    if unknown:
        raise ValidationFailed(
            f"A card has no section {', '.join(sorted(unknown))[:200]}.",
            remedy=f"Its sections are {', '.join(section.key for section in SECTIONS)}.",
            field="sections",
        )
    for key, text in sections.items():
        if len(text) > MAX_SECTION or "\0" in text:
            raise ValidationFailed(
                f"The section {key} is longer than {MAX_SECTION:,} characters, or holds a NUL.",
                remedy="Shorten it, and link to what is longer.",
                field=f"sections.{key}",
            )
    texts = {key: text.replace("\r\n", "\n").strip() for key, text in sections.items()}
    return {section.key: texts[section.key] for section in SECTIONS if texts.get(section.key)}
