"""A repository elsewhere for the tests of imports, with somebody who commits to it."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from modelwright.accounts.actors import Actor
from projects.importing import services, transitions
from projects.importing.carrying_out import carry_out
from projects.models import SourceImport
from tests.projects.conftest import Cast
from tests.projects.git_server import GitServer


@dataclass(frozen=True)
class Upstream:
    """A bare repository behind the server, and a working copy of it."""

    server: GitServer
    folder: Path

    def git(self, *arguments: str) -> str:
        """What Git says in the working copy."""
        who = {
            f"GIT_{role}_{part}": f"ann{end}"
            for role in ("AUTHOR", "COMMITTER")
            for part, end in (("NAME", ""), ("EMAIL", "@example.org"))
        }
        done = subprocess.run(
            ["git", "-c", "protocol.file.allow=always", *arguments],
            cwd=self.folder,
            env={"PATH": os.environ["PATH"], "HOME": str(self.folder), "GIT_CONFIG_NOSYSTEM": "1", **who},
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.strip()

    def commit(self, files: dict[str, bytes | str | None], branch: str = "main") -> str:
        """Commit and push files: bytes for content, text for what a link points to, None for gone. Return the id."""
        for name, content in files.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if path.is_symlink() or path.exists():
                path.unlink()
            if isinstance(content, str):
                path.symlink_to(content)
            elif content is not None:
                path.write_bytes(content)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", "Theirs")
        self.git("push", "--quiet", "origin", f"HEAD:refs/heads/{branch}")
        return self.git("rev-parse", "HEAD")


def upstream(server: GitServer, folder: Path) -> Upstream:
    """Make the repository `theirs`, which has nothing yet."""
    work = folder / "work"
    work.mkdir()
    made = Upstream(server, work)
    made.git("init", "--quiet", "--bare", "--initial-branch=main", str(server.root / "theirs.git"))
    made.git("init", "--quiet", "--initial-branch=main")
    made.git("remote", "add", "origin", str(server.root / "theirs.git"))
    return made


def imported(cast: Cast, address: str, **more: object) -> SourceImport:
    """Ask for an import as the contributor and carry it out, here and now."""
    given = {"acting_user": Actor.person(cast.contributor), **more}
    one = services.request_import(cast.project, address=address, **given)  # type: ignore[arg-type]
    assert transitions.begin(one)
    carry_out(one)
    one.refresh_from_db()
    return one
