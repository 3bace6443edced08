"""By which path a version answers for an endpoint, and why: the original model, or its compiled form proved equal."""

from __future__ import annotations

from dataclasses import dataclass

from models.endpoints.models import Endpoint, Replica
from models.endpoints.sizing import in_order
from models.registry.compiling import FLAVORS, conclude
from models.registry.models import CompiledModel, ModelVersion
from modelwright.accounts.actors import Actor

ORIGINAL = "original"


@dataclass(frozen=True)
class Path:
    """What replicas of the version should answer by. `served_by` is what stands on each prediction."""

    served_by: str
    why: str
    compiled: CompiledModel | None = None

    @property
    def is_compiled(self) -> bool:
        """Whether it is the compiled form."""
        return self.served_by != ORIGINAL


def path_of(endpoint: Endpoint, version: ModelVersion, compiled: CompiledModel | None = None) -> Path:
    """The path that the version should be served by now; its compiled form is looked up unless it is at hand."""
    if endpoint.serving_path == Endpoint.ServingPath.ORIGINAL:
        return Path(ORIGINAL, "The endpoint is set to answer by the original model always.")
    if endpoint.gpus:
        return Path(ORIGINAL, "The endpoint's replicas have GPUs, which the compiled model would not use.")
    compiled = compiled or getattr(version, "compiled", None)
    if compiled is None:
        return Path(ORIGINAL, _why_not_compiled(version))
    if compiled.state != "equal":
        return Path(ORIGINAL, _WAITING.get(compiled.state) or compiled.reason)
    request = compiled.environment_request
    if request is None or request.state != "ready":
        error = f" {request.error}" if request is not None and request.state == "failed" else ""
        return Path(ORIGINAL, f"It is proved equal; what the compiled model runs in is not there yet.{error}")
    return Path(compiled.served_by, compiled.reason, compiled)


@dataclass(frozen=True)
class Answering:
    """By which path a version answers now, empty while none does, and by which one it should."""

    version: ModelVersion
    served_by: str
    path: Path
    on_its_way: bool

    @property
    def is_as_wanted(self) -> bool:
        """Whether there is nothing to wait for."""
        return self.served_by in ("", self.path.served_by)


_WAITING = {
    "pending": "It is about to be compiled; the compiled model takes over once it is proved equal.",
    "compiling": "It is being compiled; the compiled model takes over once it is proved equal.",
}


def _why_not_compiled(version: ModelVersion) -> str:
    if version.flavor in FLAVORS:
        return "It has not been compiled."
    return f"Models of the flavour {version.flavor or 'unknown'} are not compiled; {', '.join(FLAVORS)} are."


def give_up(path: Path, *, reason: str, acting_user: Actor) -> Path:
    """The compiled model does not start: the original answers from now on, and the version's page says why."""
    if path.compiled is None:
        return path
    why = f"It was proved equal, but its replica did not start, so the original model answers. {reason}"
    conclude(path.compiled, "failed", reason=why, acting_user=acting_user)
    return Path(ORIGINAL, why)


def chosen(replicas: list[Replica], wanted: str, needed: int = 1) -> list[Replica]:
    """Of the replicas that answer, those to ask: all by one path, at most `needed`, from as many hosts as there are.

    It is the wanted path where that has as many as are needed, or as many as the other. One that is about to end is
    asked only while there is no other.
    """
    staying = [each for each in replicas if each.workload.cancel_requested_at is None] or replicas
    best = [each for each in staying if each.served_by == wanted]
    others = [each for each in staying if each.served_by != wanted]
    if others and len(best) < min(needed, len(others)):
        best = [each for each in others if each.served_by == others[-1].served_by]
    return in_order(best)[:needed]


def needless(replica: Replica, *, wanted: str, in_use: str) -> bool:
    """Whether the replica answers by a path that is neither wanted any more nor in use still."""
    return replica.served_by not in (wanted, in_use) and replica.workload.cancel_requested_at is None
