"""What Git said when it could not fetch, in words that say what to do next."""

from __future__ import annotations

import re
from collections.abc import Sequence

from modelwright.core.errors import PlatformError, ValidationFailed
from projects.importing.running import too_large
from projects.source.incoming import MAX_PACK_BYTES

_UNSEEN = re.compile(r"[^\x20-\x7e]")
_AGAIN = "Import again; where it stays like that, clone the repository yourself and push it to the project."
_KNOWN: Sequence[tuple[str, str, str]] = (
    (
        r"could not read Username|could not read Password|Authentication failed|returned error: 40[13]",
        "The server does not let the platform in: the repository is private, or the name, password or token is wrong.",
        "Set the secret variable anew with a password or token that may read the repository, and give the name that "
        "belongs to it; then import again.",
    ),
    (
        r"returned error: 30\d|unable to update url base from redirection",
        "The server sends the platform on to another address, which it does not follow.",
        "Open the address in a browser, and give the one where it ends.",
    ),
    (
        r"returned error: 404|repository '.*' not found|not valid: is this a git repository",
        "There is no Git repository at that address, or it is hidden from whoever does not sign in.",
        "Check the address; for a private repository choose the secret that may read it.",
    ),
    (
        r"couldn't find remote ref",
        "The repository has no such branch.",
        "Check the branch's name, or leave it empty for the repository's main branch.",
    ),
    (
        r"SSL|certificate|gnutls|TLS",
        "The server's certificate is not one that the platform trusts.",
        "Use the name that the certificate is for. For a server inside have the administrator name its authority "
        "(MODELWRIGHT_IMPORT_CA_FILE).",
    ),
    (
        r"Failed to connect|Could not resolve|Connection refused|timed out|Connection reset|Empty reply|No route to",
        "The server cannot be reached.",
        "Check the address and whether the server runs and lets this platform in; then import again.",
    ),
    (
        r"Operation too slow|early EOF|unexpected disconnect|curl 18|curl 56|curl 92|RPC failed",
        "The connection broke off before everything was there.",
        _AGAIN,
    ),
)
_TOO_LARGE = re.compile(r"died of signal (?:25|31)|File too large|exceeds maximum|out of memory|mmap failed")
_UNSOUND = re.compile(r"fsck error|error: object [0-9a-f]{40}: (\w+)")


def explained(said: str, *, hidden: Sequence[str]) -> PlatformError:
    """The error for what Git said. What is `hidden` does not stand in it, whoever said it."""
    if _TOO_LARGE.search(said):
        return too_large(MAX_PACK_BYTES)
    words = _words(said, hidden)
    if _UNSOUND.search(said):
        return ValidationFailed(
            f"The repository is not sound: {words}",
            remedy="Check it with `git fsck`, mend it there, then import again.",
        )
    own = "\n".join(line for line in said.splitlines() if line.startswith(("fatal:", "error:")))
    for pattern, what, remedy in _KNOWN:
        if re.search(pattern, own):
            return ValidationFailed(f"{what} Git says: {words}", remedy=remedy)
    return ValidationFailed(f"Git could not fetch it: {words}", remedy=_AGAIN)


def _words(said: str, hidden: Sequence[str]) -> str:
    lines = [line for line in said.splitlines() if line.startswith(("fatal:", "error:"))]
    text = lines[0] if lines else "it ended without a word."
    for secret in filter(None, hidden):
        text = text.replace(secret, "***")
    text = _UNSEEN.sub("?", text).removeprefix("fatal: ").removeprefix("error: ")
    return text[:300].rstrip(".") + "."
