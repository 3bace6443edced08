"""Asking for an import, ending one, and making what was fetched the project's newest commit."""

from __future__ import annotations

from django.db import transaction
from django.db.models import QuerySet

from modelwright.accounts.actors import Actor
from modelwright.accounts.permissions import Permission
from modelwright.audit.actions import AuditAction
from modelwright.audit.services import Target, record
from modelwright.core.crypto import decrypt
from modelwright.core.errors import Conflict, ValidationFailed
from modelwright.core.saving import insert
from projects import source
from projects.importing import joining, transitions
from projects.importing.guarding import check_address
from projects.importing.running import Cancelled
from projects.models import Project, SourceImport, Variable
from projects.selectors import authorize
from projects.services import author_of
from projects.source.incoming import Incoming
from projects.source.refs import check_name
from projects.variables.giving import Subject, record_reads


@transaction.atomic
def request_import(
    project: Project,
    *,
    address: str,
    branch: str = "",
    username: str = "",
    secret: str = "",
    replace: bool = False,
    acting_user: Actor,
) -> SourceImport:
    """Have the files and the history of a repository elsewhere brought in; the watcher does it.

    Raises ValidationFailed, Conflict where one is under way, PermissionRefused.
    """
    role = authorize(acting_user, Permission.PROJECT_EDIT, project)
    person = acting_user.user
    if person is None:
        raise ValidationFailed("Nobody asks for this import.", remedy="Import as a person.")
    address = check_address(address)
    if branch:
        check_name(branch, field="branch")
    if ":" in username or not username.isprintable():
        raise ValidationFailed(
            "The name to sign in with holds a colon or a character that cannot be seen.",
            remedy="Give the name alone; the password or token is the secret's value.",
            field="username",
        )
    if secret and not _secrets(project, secret).exists():
        raise ValidationFailed(
            f"The project has no secret variable {secret[:60]}.",
            remedy="Set it on the project's page of variables first.",
            field="secret",
        )
    one = SourceImport(
        project=project,
        address=address,
        branch=branch,
        username=username,
        secret=secret,
        replace=replace,
        maker=person,
    )
    insert(one, taken="An import into this project is under way. Wait for its end, or cancel it.")
    _record(
        one,
        AuditAction.PROJECT_IMPORT_REQUESTED,
        acting_user,
        role,
        after={"address": one.address, "branch": branch, "secret": secret, "replace": replace},
    )
    return one


@transaction.atomic
def cancel(one: SourceImport, *, acting_user: Actor) -> SourceImport:
    """End an import before its time; nothing of it stays. Raises Conflict where it is over, PermissionRefused."""
    role = authorize(acting_user, Permission.PROJECT_EDIT, one.project)
    if not transitions.cancel(one, f"{acting_user.name} cancelled it."):
        raise Conflict("The import is over.", remedy="See what came of it on the project's page of imports.")
    _record(one, AuditAction.PROJECT_IMPORT_CANCELLED, acting_user, role, after={"address": one.address})
    one.refresh_from_db()
    return one


@transaction.atomic
def read_secret(one: SourceImport, *, acting_user: Actor) -> str:
    """The password or token to sign in with, and the record of its being read; empty for a public repository.

    Raises ValidationFailed where the secret is gone, PermissionRefused where who asked may not edit any more.
    """
    authorize(acting_user, Permission.PROJECT_EDIT, one.project)
    if not one.secret:
        return ""
    found = _secrets(one.project, one.secret).first()
    if found is None:
        raise ValidationFailed(f"The secret {one.secret} is gone.", remedy="Set it again, then import again.")
    record_reads(
        one.project,
        [one.secret],
        workload=None,
        subject=Subject("import", one.pk, f"import of {one.address}"),
        acting_user=acting_user,
    )
    return decrypt(found.value)


@transaction.atomic
def take_over(one: SourceImport, new: Incoming, imported: str, *, acting_user: Actor) -> None:
    """Make `imported` the project's newest commit, or one with its files and both histories behind it.

    No commit of the project's own goes. Raises Conflict where that would take away what the project changed itself,
    PermissionRefused, Cancelled where nobody wants it any more.
    """
    project = one.project
    role = authorize(acting_user, Permission.PROJECT_EDIT, project)
    # From here on nobody cancels it: its row is locked until all of it is done, or none.
    if not transitions.go_on(one, "Taking it over"):
        raise Cancelled
    # One write at a time, as with commits that are made here.
    Project.objects.select_for_update().get(pk=project.pk)
    head = source.head(project)
    way = joining.way_of(project, head, imported, replace=one.replace, see=new.see)
    notes = joining.left_behind(project, imported, see=new.see)
    if way.outcome == SourceImport.Outcome.NOTHING_NEW:
        _succeed(one, head or imported, imported, way, notes)
        return
    new.keep()
    commit = joining.write(
        project, imported, way, message=f"Import {one.address}\n\nat {imported}", author=author_of(acting_user)
    )
    _succeed(one, commit, imported, way, notes)
    _record(
        one,
        AuditAction.PROJECT_IMPORTED,
        acting_user,
        role,
        before={"commit": head},
        after={"commit": commit, "imported": imported, "address": one.address, "outcome": str(way.outcome)},
    )
    # Last, so that no commit is the newest one without its audit row.
    source.move_head(project, commit, head)


def _succeed(one: SourceImport, commit: str, imported: str, way: joining.Way, notes: str) -> None:
    if not transitions.succeed(one, commit=commit, imported=imported, outcome=way.outcome, notes=notes):
        raise Cancelled


def _secrets(project: Project, name: str) -> QuerySet[Variable]:
    return Variable.objects.filter(project=project, name=name, is_secret=True)


def _record(
    one: SourceImport,
    action: AuditAction,
    acting_user: Actor,
    role: str,
    *,
    before: dict[str, object] | None = None,
    after: dict[str, object],
) -> None:
    project = one.project
    record(
        acting_user=acting_user,
        action=action,
        target=Target("project", project.pk, project.name),
        before=before,
        after=after,
        role=role,
        workspace_id=project.workspace_id,
        project_id=project.pk,
    )
