"""A project's files: one bare Git repository each, read by commit and written as whole commits.

Nothing is ever checked out here; runs unpack the archive of a commit on their host.
"""

from projects.source.archives import archive, store_archive
from projects.source.reading import (
    MAX_FILE_BYTES,
    check_commit,
    diff,
    head,
    history,
    init_repository,
    list_files,
    list_tree,
    read_file,
    repository_path,
)
from projects.source.records import Author, ChangedFile, Commit, CommitDiff, Entry, FileContent
from projects.source.writing import MAX_CHANGES, MAX_MESSAGE, commit_files, move_head, write_commit

__all__ = [
    "MAX_CHANGES",
    "MAX_FILE_BYTES",
    "MAX_MESSAGE",
    "Author",
    "ChangedFile",
    "Commit",
    "CommitDiff",
    "Entry",
    "FileContent",
    "archive",
    "check_commit",
    "commit_files",
    "diff",
    "head",
    "history",
    "init_repository",
    "list_files",
    "list_tree",
    "move_head",
    "read_file",
    "repository_path",
    "store_archive",
    "write_commit",
]
