"""The archive of a commit: everything that Git has of it, the same bytes each time, made once."""

from __future__ import annotations

import importlib
import os
import subprocess
import tarfile
from pathlib import Path

import pytest
from django.apps import apps
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from modelwright.compute.models import Workload
from modelwright.core.errors import Unavailable
from modelwright.core.ids import new_id
from modelwright.storage.settings import blob_store
from projects import source
from projects.models import Project
from projects.source import Author
from workspaces.models import Workspace

pytestmark = pytest.mark.django_db
ANN = Author("Ann", "ann@example.org")


@pytest.fixture
def project() -> Project:
    workspace = Workspace.objects.create(name="acme")
    project: Project = Project.objects.create(workspace=workspace, name="p")
    source.init_repository(project)
    return project


def git(project: Project, *arguments: str, stdin: str = "") -> str:
    command = ["git", "-C", str(source.repository_path(project)), *arguments]
    who = {f"GIT_{role}_{what}": "t" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    done = subprocess.run(command, input=stdin, env={**os.environ, **who}, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def commit_of(project: Project, *entries: tuple[str, str, str]) -> str:
    """A commit of any modes: (mode, path, content); a folder is made of the paths below it by Git itself."""
    lines = []
    for mode, path, content in entries:
        object_id = content if mode == "160000" else git(project, "hash-object", "-w", "--stdin", stdin=content)
        lines.append(f"{mode} {object_id}\t{path}")
    git(project, "read-tree", "--empty")
    git(project, "update-index", "--add", "--index-info", stdin="\n".join(lines) + "\n")
    return git(project, "commit-tree", git(project, "write-tree"), "-m", "first")


def members(sha256: str) -> dict[str, tarfile.TarInfo]:
    with tarfile.open(blob_store().local_copy(sha256)) as tar:
        return {member.name: member for member in tar}


def content(sha256: str, name: str) -> bytes:
    with tarfile.open(blob_store().local_copy(sha256)) as tar:
        file = tar.extractfile(name)
        assert file is not None
        return file.read()


def test_links_executables_and_long_names_are_kept_and_a_submodule_is_an_empty_folder(project: Project) -> None:
    long = "/".join(["ordner-mit-ümlaut" * 4] * 3) + "/datei.txt"
    commit = commit_of(
        project,
        ("100644", "train.py", "print(1)\n"),
        ("100755", "bin/run", "#!/bin/sh\n"),
        ("120000", "latest", "bin/run"),
        ("160000", "vendored", "1" * 40),
        ("100644", long, "x" * 100_000),
        ("100644", "empty", ""),
    )
    sha256 = source.archive(project, commit)
    found = members(sha256)
    assert set(found) == {"train.py", "bin/run", "latest", "vendored", long, "empty"}
    assert (found["train.py"].mode, found["bin/run"].mode) == (0o644, 0o755)
    assert (found["latest"].issym(), found["latest"].linkname) == (True, "bin/run")
    assert found["vendored"].isdir()
    assert content(sha256, "train.py") == b"print(1)\n"
    assert content(sha256, long) == b"x" * 100_000
    assert content(sha256, "empty") == b""


def test_attributes_of_a_commit_neither_leave_files_out_nor_rewrite_them(project: Project) -> None:
    attributes = "train.py export-ignore\nversion.py export-subst\n*.txt text eol=crlf\n"
    changes = {
        ".gitattributes": attributes.encode(),
        "train.py": b"1\n",
        "version.py": b"$Format:%H$\n",
        "a.txt": b"a\nb\n",
    }
    commit = source.commit_files(project, changes, message="m", author=ANN, expected_head=None)
    sha256 = source.archive(project, commit)
    assert {name: content(sha256, name) for name in members(sha256)} == changes


def test_the_same_files_give_the_same_archive_whatever_the_commit(project: Project) -> None:
    first = commit_of(project, ("100644", "a", "1"))
    other = git(project, "commit-tree", f"{first}^{{tree}}", "-m", "another message", "-p", first)
    assert source.archive(project, first) == source.archive(project, other)


def test_a_commit_is_archived_once_and_then_looked_up(project: Project) -> None:
    commit = commit_of(project, ("100644", "a", "1"))
    sha256 = source.archive(project, commit)
    source.repository_path(project).rename(source.repository_path(project).with_suffix(".gone"))
    with CaptureQueriesContext(
        connection,
    ) as queries:
        assert source.archive(project, commit) == sha256
    assert len(queries) == 1


def test_an_empty_commit_has_an_archive(project: Project) -> None:
    git(project, "read-tree", "--empty")
    commit = git(project, "commit-tree", git(project, "write-tree"), "-m", "nothing")
    assert members(source.archive(project, commit)) == {}


def test_an_object_that_is_missing_is_told(project: Project) -> None:
    commit = commit_of(project, ("100644", "a", "1"))
    object_id = git(project, "rev-parse", f"{commit}:a")
    path = source.repository_path(project) / "objects" / object_id[:2] / object_id[2:]
    path.unlink()
    with pytest.raises(Unavailable, match="content of a"):
        source.archive(project, commit)


def test_the_archive_of_a_project_that_has_no_row_can_be_stored(tmp_path: Path) -> None:
    project = Project(id=new_id(), name="p")
    source.init_repository(project)
    commit = commit_of(project, ("100644", "a", "1"))
    assert content(source.store_archive(source.repository_path(project), commit), "a") == b"1"


def test_a_run_that_waited_through_the_upgrade_gets_its_archive(project: Project) -> None:
    migration = importlib.import_module("projects.migrations.0002_source_archives")
    commit = commit_of(project, ("100644", "a", "1"))
    waiting, without, done = (
        Workload.objects.create(
            kind="run",
            name="r",
            cpu=1,
            memory_bytes=1,
            created_by="t",
            collected_at=collected_at,
            spec={"command": ["x"], "environment": {}, "source": {"repository": str(repository), "commit": commit}},
        )
        for repository, collected_at in (
            (source.repository_path(project), None),
            ("/nowhere", None),
            (source.repository_path(project), timezone.now()),
        )
    )
    migration.archive_waiting_runs(apps, None)
    for row in (waiting, without, done):
        row.refresh_from_db()
    assert waiting.spec == {
        "command": ["x"],
        "environment": {},
        "source": {"archive": source.archive(project, commit)},
    }
    assert "repository" in without.spec["source"]
    assert "repository" in done.spec["source"]
