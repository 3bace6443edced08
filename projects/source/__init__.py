"""A project's files: one bare Git repository each, read by commit and written as whole commits.

Nothing is ever checked out here; runs unpack the archive of a commit on their host.
"""

from projects.source.archives import archive, store_archive
from projects.source.comparing import compare, diff
from projects.source.merging import merge_texts
from projects.source.moving import stored_file, write_restored, write_stored
from projects.source.reading import (
    MAX_FILE_BYTES,
    check_commit,
    head,
    history,
    init_repository,
    list_files,
    list_tree,
    read_file,
    repository_path,
)
from projects.source.records import Author, ChangedFile, Commit, CommitDiff, Comparison, Entry, FileContent
from projects.source.refs import Reference, list_references, resolve
from projects.source.streaming import FileStream
from projects.source.writing import MAX_CHANGES, MAX_MESSAGE, check_head, commit_files, move_head, write_commit

__all__ = [
    "MAX_CHANGES",
    "MAX_FILE_BYTES",
    "MAX_MESSAGE",
    "Author",
    "ChangedFile",
    "Commit",
    "CommitDiff",
    "Comparison",
    "Entry",
    "FileContent",
    "FileStream",
    "Reference",
    "archive",
    "check_commit",
    "check_head",
    "commit_files",
    "compare",
    "diff",
    "head",
    "history",
    "init_repository",
    "list_files",
    "list_references",
    "list_tree",
    "merge_texts",
    "move_head",
    "read_file",
    "repository_path",
    "resolve",
    "store_archive",
    "stored_file",
    "write_commit",
    "write_restored",
    "write_stored",
]
