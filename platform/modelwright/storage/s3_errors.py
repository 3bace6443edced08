"""What an S3-compatible store answered instead, in words that say what to do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import botocore.exceptions

from modelwright.core.errors import Unavailable
from modelwright.storage.address import Bucket

_REFUSED = {
    "AccessDenied",
    "AllAccessDisabled",
    "ExpiredToken",
    "InvalidAccessKeyId",
    "InvalidToken",
    "SignatureDoesNotMatch",
    "401",
    "403",
}
_MISSING = {"NoSuchKey", "NoSuchUpload", "404", "NotFound"}


class Missing(Exception):
    """There is no such object."""


@contextmanager
def translated(bucket: Bucket) -> Iterator[None]:
    """Raise Missing or Unavailable for what the SDK raises inside."""
    try:
        yield
    except botocore.exceptions.ClientError as error:
        raise _answer(bucket, error) from error
    except (botocore.exceptions.NoCredentialsError, botocore.exceptions.PartialCredentialsError) as error:
        raise Unavailable(
            f"There are no credentials for the blobs in {bucket}.",
            remedy="Name a file with them in MODELWRIGHT_BLOBS_CREDENTIALS_FILE.",
        ) from error
    except botocore.exceptions.BotoCoreError as error:
        raise Unavailable(
            f"The blobs in {bucket} cannot be reached: {error}",
            remedy="Check that the store runs and that this host reaches its address, then try again.",
        ) from error


def missing_bucket(bucket: Bucket) -> Unavailable:
    """There is no such bucket."""
    return Unavailable(
        f"There is no bucket {bucket.name!r} for the blobs in {bucket}.",
        remedy="Create the bucket, or correct MODELWRIGHT_BLOBS.",
    )


def _answer(bucket: Bucket, error: botocore.exceptions.ClientError) -> Exception:
    code = str(error.response.get("Error", {}).get("Code", ""))
    said = str(error.response.get("Error", {}).get("Message", "")) or code
    if code in _MISSING:
        return Missing(code)
    if code == "NoSuchBucket":
        return missing_bucket(bucket)
    if code in _REFUSED:
        return Unavailable(
            f"The blobs in {bucket} refuse this installation's credentials: {said} ({code}).",
            remedy="Check the keys in MODELWRIGHT_BLOBS_CREDENTIALS_FILE and what they allow in this bucket.",
        )
    if code == "RequestTimeTooSkewed":
        return Unavailable(f"The clock of this host and that of {bucket} differ.", remedy="Set this host's clock.")
    return Unavailable(
        f"The blobs in {bucket} answered {said} ({code}).",
        remedy="Look at the store's own log, then try again.",
    )
