"""A host hands in what its ended workloads left: the log, and what upper rooms need of their working folders.

Everything goes into the blob store, so that whoever collects it can run anywhere. It may be repeated, by several
processes at once, and may stop at any point: the next tick goes on.
"""

from __future__ import annotations

import json
import logging
import tarfile
from collections.abc import Iterator
from itertools import islice

from django.conf import settings
from django.db import InterfaceError, OperationalError, transaction
from django.db.models import QuerySet
from django.utils import timezone

from modelwright.compute.backends.base import Backend, BackendError, Phase, WorkloadKey
from modelwright.compute.backends.trees import remove_tree
from modelwright.compute.fetching import archive_source
from modelwright.compute.layout import local_backend, log_file, socket_path, work_folder
from modelwright.compute.models import LogPiece, Workload
from modelwright.compute.observing import observe, read_regular
from modelwright.compute.results import COMPILED, OBSERVED, RESULT
from modelwright.compute.states import ENDS
from modelwright.core.errors import Unavailable, ValidationFailed
from modelwright.storage.manifests import Entry, Manifest, snapshot
from modelwright.storage.settings import blob_store

logger = logging.getLogger(__name__)

BATCH = 20
MAX_RESULT_BYTES = 8 * 1024 * 1024
_LEAVE_A_RESULT = (
    Workload.Kind.ENVIRONMENT,
    Workload.Kind.INSPECTION,
    Workload.Kind.REEXECUTION,
    Workload.Kind.COMPILATION,
    Workload.Kind.REPLAY,
)
# By kind, a folder of which so many bytes may be kept besides.
_LEAVE_A_FOLDER = {Workload.Kind.COMPILATION: COMPILED}
MAX_FOLDER_BYTES = 4 * 1024**3
MAX_FOLDER_FILES = 100


def tick_runs(backend: Backend | None = None) -> int:
    """Hand in ended runs of this host; return how many. Their files may be large, so they have a loop of their own."""
    return _tick(_waiting().filter(kind=Workload.Kind.RUN), backend)


def tick_others(backend: Backend | None = None) -> int:
    """Hand in what else ended on this host; return how many."""
    return _tick(_waiting().exclude(kind=Workload.Kind.RUN), backend)


def _waiting() -> QuerySet[Workload]:
    ended = Workload.objects.filter(host__name=settings.HOST_NAME, state__in=ENDS, handed_in_at=None)
    return ended.order_by("finished_at")


def _tick(waiting: QuerySet[Workload], backend: Backend | None) -> int:
    done = 0
    trouble: Exception | None = None
    for workload in list(waiting[:BATCH]):
        try:
            done += hand_in(workload, backend or local_backend())
        except (InterfaceError, OperationalError):
            raise
        except (Unavailable, BackendError, OSError) as error:
            # The store, or this host's disk. It stays, so that the next tick tries again.
            trouble = error
        except Exception:
            # What one workload left must not keep the others from being handed in.
            logger.exception("handing in workload %s", workload.key_name)
    if trouble is not None and not done:
        # Whoever turns this then waits for longer, and says so once.
        raise trouble
    return done


def hand_in(workload: Workload, backend: Backend) -> bool:
    """Store what the ended workload left on this host. False when it was done before or some of it still runs.

    Raises Unavailable, UnavailableError and OSError when the store or this host's disk does not answer.
    """
    if _still_runs(workload, backend):
        return False
    log_sha256 = _store_log(workload)
    # What was collected without it, because this host was taken as gone, is not wanted any more.
    results_sha256 = _store_results(workload) if workload.collected_at is None else ""
    remove_tree(socket_path(workload.key_name).parent)
    with transaction.atomic():
        ended = Workload.objects.filter(pk=workload.pk, fence=workload.fence, handed_in_at=None)
        done = ended.update(handed_in_at=timezone.now(), log_sha256=log_sha256, results_sha256=results_sha256) > 0
        if done and log_sha256:  # Else what was sent is all that is left of it.
            LogPiece.objects.filter(workload=workload).delete()
    return done


def _still_runs(workload: Workload, backend: Backend) -> bool:
    """Whether it was given up while this host was not heard of, and has not been stopped since."""
    if workload.state != "lost" or workload.fence is None:
        return False
    status = backend.status(WorkloadKey(str(workload.pk), workload.fence))
    return status is not None and status.phase is not Phase.ENDED


def _store_log(workload: Workload) -> str:
    path = log_file(workload)
    if path is None:
        return ""
    try:
        return blob_store().put_file(path).sha256
    except ValidationFailed:
        return ""  # It never started, so there is none.


def _store_results(workload: Workload) -> str:
    store = blob_store()
    entries = []
    for name, content in _results(workload):
        blob = store.put_bytes(content)
        entries.append(Entry(name, blob.size, blob.sha256))
    entries.extend(_folder(workload))
    return store.put_bytes(Manifest(tuple(sorted(entries))).content).sha256 if entries else ""


def _results(workload: Workload) -> Iterator[tuple[str, bytes]]:
    work = work_folder(workload)
    if work is None or not work.is_dir():
        return
    if workload.kind in (Workload.Kind.RUN, Workload.Kind.SESSION):
        yield OBSERVED, json.dumps(observe(work, _source_files(workload)).as_json()).encode()
    elif workload.kind in _LEAVE_A_RESULT:
        content = read_regular(work / RESULT, MAX_RESULT_BYTES)
        if content:
            yield RESULT, content


def _folder(workload: Workload) -> Iterator[Entry]:
    """The files of the folder that its kind leaves, however large; none of one that is not as it should be."""
    name, work = _LEAVE_A_FOLDER.get(Workload.Kind(workload.kind)), work_folder(workload)
    if name is None or work is None or workload.state != "succeeded" or not (work / name).is_dir():
        return
    folder = work / name
    try:
        facts = [path.lstat() for path in islice(folder.rglob("*"), MAX_FOLDER_FILES + 1)]
        if folder.is_symlink() or len(facts) > MAX_FOLDER_FILES or sum(f.st_size for f in facts) > MAX_FOLDER_BYTES:
            raise ValidationFailed(f"{name} is a link, or larger than {MAX_FOLDER_BYTES} bytes.")
        _, manifest = snapshot(blob_store(), folder)
    except ValidationFailed as error:
        logger.warning("the folder %s of workload %s is not kept: %s", name, workload.key_name, error.message)
        return
    yield from (Entry(f"{name}/{entry.path}", entry.size, entry.sha256) for entry in manifest.entries)


def _source_files(workload: Workload) -> Iterator[str]:
    """The paths of the workload's source; none where its archive is damaged."""
    sha256 = (workload.spec.get("source") or {}).get("archive")
    if not sha256:
        return
    try:
        with tarfile.open(archive_source(sha256).path, "r:") as archive:
            yield from (member.name for member in archive)
    except (Unavailable, tarfile.TarError) as error:
        logger.warning("the files of workload %s's source are not known: %s", workload.key_name, error)
