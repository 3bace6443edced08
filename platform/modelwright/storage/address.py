"""`MODELWRIGHT_BLOBS`: which store of blobs an installation uses, as one text."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

from modelwright.core.errors import ValidationFailed

_BUCKET = re.compile(r"\A[a-z0-9][a-z0-9._-]{1,61}[a-z0-9]\Z")
_FORM = "Write s3://bucket/prefix?endpoint=https://host:port&region=name, or a folder's absolute path."


@dataclass(frozen=True, slots=True)
class Bucket:
    """A place in an S3-compatible store. `prefix` is empty or ends with `/`; `endpoint` is empty for Amazon's own."""

    name: str
    prefix: str = ""
    endpoint: str = ""
    region: str = "us-east-1"

    def __str__(self) -> str:
        where = f" at {self.endpoint}" if self.endpoint else ""
        return f"s3://{self.name}/{self.prefix}{where}"


@dataclass(frozen=True, slots=True)
class Keys:
    """Credentials for a bucket. They never show in a text."""

    access_key: str
    secret_key: str = field(repr=False)
    session_token: str = field(default="", repr=False)


def parse(address: str, default: Path) -> Path | Bucket:
    """The folder or bucket that `address` names, `default` when it is empty. Raises ValidationFailed."""
    if not address:
        return default
    if address.startswith("s3://"):
        return _bucket(address)
    if not address.startswith("/"):
        raise ValidationFailed(f"{address!r} names no place for blobs.", remedy=_FORM, field="MODELWRIGHT_BLOBS")
    return Path(address)


def _bucket(address: str) -> Bucket:
    parts = urlsplit(address)
    options = dict(parse_qsl(parts.query))
    unknown = sorted(options.keys() - {"endpoint", "region"})
    problem = ""
    if parts.username or parts.password:
        problem = "An address holds no credentials: they stand in MODELWRIGHT_BLOBS_CREDENTIALS_FILE."
    elif not _BUCKET.match(parts.netloc):
        problem = f"{parts.netloc!r} is no name of a bucket."
    elif unknown:
        problem = f"{', '.join(unknown)} is no part of an address of blobs."
    elif options.get("endpoint") and urlsplit(options["endpoint"]).scheme not in ("http", "https"):
        problem = f"The endpoint {options['endpoint']!r} is no http or https address."
    if problem:
        raise ValidationFailed(problem, remedy=_FORM, field="MODELWRIGHT_BLOBS")
    prefix = parts.path.strip("/")
    return Bucket(
        parts.netloc,
        f"{prefix}/" if prefix else "",
        options.get("endpoint", "").rstrip("/"),
        options.get("region", "us-east-1"),
    )


def read_keys(path: Path) -> Keys | None:
    """The keys in a file of the usual form: `aws_access_key_id = …`, `aws_secret_access_key = …`, a line each.

    A heading such as `[default]` may stand above. None for an empty file: then the SDK looks elsewhere. Raises
    ValidationFailed when the file is missing or lacks one.
    """
    try:
        lines = path.read_text().splitlines()
    except OSError as error:
        raise ValidationFailed(
            f"The credentials of the blobs cannot be read from {path}: {error.strerror}.",
            remedy="Make that file, or correct MODELWRIGHT_BLOBS_CREDENTIALS_FILE.",
        ) from None
    if not any(line.strip() for line in lines):
        return None
    values = {name.strip(): value.strip() for name, _, value in (line.partition("=") for line in lines)}
    try:
        return Keys(values["aws_access_key_id"], values["aws_secret_access_key"], values.get("aws_session_token", ""))
    except KeyError as error:
        raise ValidationFailed(
            f"{path} holds no {error.args[0]}.", remedy="Write aws_access_key_id = … and aws_secret_access_key = …."
        ) from None
