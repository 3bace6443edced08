"""What a workload of a project is given of its variables, and the record of it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from uuid import UUID

from django.db import transaction

from modelwright.accounts.actors import Actor
from modelwright.accounts.models import User
from modelwright.compute.models import Workload
from modelwright.core.crypto import decrypt
from projects.models import Project, SecretRead, Variable
from projects.variables.names import why_reserved


@dataclass(frozen=True, slots=True)
class Given:
    """A project's variables in the clear, for the `create_workload` of one workload and for nothing else.

    `variables` and `files` go to `secret_variables` and `secret_files` (plain ones too: whatever people wrote is kept
    encrypted), `masked` to `masked`: values that its log must not show. `names` are the secrets among them.
    """

    variables: Mapping[str, str] = field(repr=False)
    files: Mapping[str, str] = field(repr=False)
    masked: tuple[str, ...] = field(repr=False)
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Subject:
    """What a workload is of: the kind (`run`, `session`, `application`), its id, and the name that people know.

    An `import` is of no workload.
    """

    kind: str
    id: UUID
    name: str


def environment_of(project: Project, *, taken: Collection[str] = ()) -> Given:
    """The variables of the project for one of its workloads, without those in `taken`, which it sets itself.

    Whoever calls this writes `record_reads` in the same transaction as the workload.
    """
    variables: dict[str, str] = {}
    files: dict[str, str] = {}
    masked: list[str] = []
    names: list[str] = []
    for row in Variable.objects.filter(project=project).order_by("name"):
        # One that was set before its name was reserved does not get through either.
        if row.name in taken or why_reserved(row.name):
            continue
        value = decrypt(row.value)
        (files if row.delivery == Variable.Delivery.FILE else variables)[row.name] = value
        if row.is_secret:
            names.append(row.name)
            masked.append(value)
    return Given(variables, files, tuple(masked), tuple(names))


@transaction.atomic
def record_reads(
    project: Project,
    names: Collection[str],
    *,
    workload: Workload | None,
    subject: Subject,
    attempt: int = 1,
    for_whom: User | None = None,
    acting_user: Actor,
) -> None:
    """Note that the workload was given these secrets of the project; nothing where there are none.

    `workload` is None where the platform itself uses them for somebody: an import signs in with one.
    `for_whom` where that is not whoever acts: a retry is the platform's, the run somebody's. The record is a table of
    its own that only grows, so this writes no audit row besides.
    """
    if not names:
        return
    person = for_whom or acting_user.user
    SecretRead.objects.create(
        project=project,
        workload_id=workload.pk if workload else None,
        attempt=attempt,
        subject_kind=subject.kind,
        subject_id=subject.id,
        subject=subject.name[:255],
        names=sorted(names),
        person=person.username if person else acting_user.name,
        person_id=person.pk if person else None,
    )
