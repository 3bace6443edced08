"""Writes of this room: sessions, from their start to what is left of them."""

from sessions.services.committing import commit_saved, merge_branch, want_packages
from sessions.services.ending import delete_session, note_ended, request_stop
from sessions.services.noting import Beat, Command, Read, note_beat, note_commands, note_reads
from sessions.services.policies import set_policy
from sessions.services.starting import SessionRequest, resume_session, start_session

__all__ = [
    "Beat",
    "Command",
    "Read",
    "SessionRequest",
    "commit_saved",
    "delete_session",
    "merge_branch",
    "note_beat",
    "note_commands",
    "note_ended",
    "note_reads",
    "request_stop",
    "resume_session",
    "set_policy",
    "start_session",
    "want_packages",
]
