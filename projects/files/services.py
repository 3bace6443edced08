"""Writes to a project's files that no new content is sent for, and files that are sent together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from django.db import transaction

from modelwright.accounts.actors import Actor
from modelwright.core.errors import Conflict, ValidationFailed
from projects import services, source
from projects.models import Project
from projects.source.paths import check_path

MAX_UPLOADS = 100


class Upload(NamedTuple):
    """A file that was sent."""

    name: str
    data: bytes


@transaction.atomic
def rename_file(
    project: Project, path: str, new_path: str, *, message: str, expected_head: str, acting_user: Actor
) -> str:
    """Commit the file under another path, with its content and mode; return the commit's id.

    Raises NotFound, Conflict where the new path is taken or somebody was faster, ValidationFailed, PermissionRefused.
    """
    check_path(new_path, field="new_path")
    if path == new_path:
        raise ValidationFailed("That is its path already.", remedy="Give another one.", field="new_path")

    def write(author: source.Author) -> str:
        source.check_head(project, expected_head)
        file = source.stored_file(project, expected_head, path)
        if new_path in source.list_files(project, expected_head):
            raise Conflict(f"There is a file {new_path} already.", remedy="Choose another path.", field="new_path")
        return source.write_stored(
            project, {path: None, new_path: file}, message=message, author=author, expected_head=expected_head
        )

    about = {"message": message[:500], "paths": sorted((path, new_path)), "changes": 2, "renamed": [path, new_path]}
    return services.put_commit(project, write, about=about, expected_head=expected_head, acting_user=acting_user)


@transaction.atomic
def restore(project: Project, commit: str, path: str, *, message: str, expected_head: str, acting_user: Actor) -> str:
    """Commit the file at `path`, or all files where it is empty, as they were in `commit`; return the new commit's id.

    Nothing of the history goes. Raises NotFound, Conflict where somebody was faster, ValidationFailed where that
    changes nothing, PermissionRefused.
    """
    commit = source.check_commit(project, commit)

    def write(author: source.Author) -> str:
        if not path:
            return source.write_restored(project, commit, message=message, author=author, expected_head=expected_head)
        file = source.stored_file(project, commit, path)
        return source.write_stored(project, {path: file}, message=message, author=author, expected_head=expected_head)

    about = {"message": message[:500], "paths": [path] if path else [], "restored": commit}
    return services.put_commit(project, write, about=about, expected_head=expected_head, acting_user=acting_user)


@transaction.atomic
def upload(
    project: Project,
    folder: str,
    files: Sequence[Upload],
    *,
    replace: bool,
    message: str,
    expected_head: str,
    acting_user: Actor,
) -> str:
    """Commit files into a folder (empty for the root) under their names; return the commit's id.

    Raises Conflict where one is there and `replace` is off, or somebody was faster; ValidationFailed,
    PermissionRefused.
    """
    if len(files) > MAX_UPLOADS:
        raise ValidationFailed(
            f"At most {MAX_UPLOADS} files are taken at once.",
            remedy="Send them in turns, or push them.",
            field="uploads",
        )
    paths = [check_path(f"{folder}/{file.name}" if folder else file.name, field="uploads") for file in files]
    twice = sorted({path for path in paths if paths.count(path) > 1})
    if twice:
        raise ValidationFailed(f"{twice[0]} is given twice.", remedy="Send each file once.", field="uploads")
    source.check_head(project, expected_head)
    taken = sorted(set(paths) & set(source.list_files(project, expected_head)))
    if taken and not replace:
        raise Conflict(
            f"There is a file {taken[0]} already.",
            remedy="Say that it may be replaced, or give the file another name.",
            field="uploads",
        )
    changes = {path: file.data for path, file in zip(paths, files, strict=True)}
    return services.commit(project, changes, message=message, expected_head=expected_head, acting_user=acting_user)
