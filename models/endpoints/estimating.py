"""How long it takes until a deployment serves: no time where its versions are warm, else what starts took before."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median

from django.db.models import QuerySet

from models.endpoints.models import Deployment, Endpoint, Replica
from models.endpoints.paths import ORIGINAL, Path, path_of
from models.registry.models import ModelVersion
from modelwright.compute.models import EnvironmentCopy, EnvironmentRequest, Workload

# So many of the last starts are looked at: of the version itself, and of others like it.
OWN_STARTS, LIKE_STARTS = 5, 20


@dataclass(frozen=True)
class VersionEstimate:
    """Of one version. `seconds` from the request for a replica until it answers, None where nothing like it was ever
    started; `basis` says in words what that was taken from."""

    version: ModelVersion
    is_warm: bool
    seconds: float | None
    basis: str


@dataclass(frozen=True)
class Estimate:
    """Of a deployment: as long as the slowest of its versions takes, for they start side by side."""

    deployment: Deployment
    versions: tuple[VersionEstimate, ...]

    @property
    def is_warm(self) -> bool:
        """Whether it serves at once."""
        return all(each.is_warm for each in self.versions)

    @property
    def seconds(self) -> float | None:
        """None where nobody can tell."""
        known = [each.seconds for each in self.versions if each.seconds is not None]
        return max(known) if len(known) == len(self.versions) else None

    @property
    def words(self) -> str:
        """For a person who is about to press."""
        if self.is_warm:
            return "at once: it is warm"
        if self.seconds is None:
            return "nobody knows how long: nothing like it was ever started here"
        return f"in about {in_words(self.seconds)}: a replica must be started first"

    @property
    def details(self) -> list[str]:
        """What the figures were taken from, of each version that is not warm."""
        return [f"{each.version}: {each.basis}" for each in self.versions if not each.is_warm]


def estimates(endpoint: Endpoint, deployments: Sequence[Deployment]) -> list[Estimate]:
    """Of each of the deployments, if it were asked for now."""
    versions = {target.model_version_id: target.model_version for one in deployments for target in one.targets.all()}
    warm = set(answering(endpoint).values_list("model_version_id", flat=True))
    found = {id_: _of_version(endpoint, version, is_warm=id_ in warm) for id_, version in versions.items()}
    return [Estimate(one, tuple(found[target.model_version_id] for target in one.targets.all())) for one in deployments]


def is_warm(deployment: Deployment) -> bool:
    """Whether all its versions answer now."""
    versions = set(deployment.targets.values_list("model_version_id", flat=True))
    return versions <= set(answering(deployment.endpoint).values_list("model_version_id", flat=True))


def in_words(seconds: float) -> str:
    """`8 s`, `3 min`."""
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"


def answering(endpoint: Endpoint) -> QuerySet[Replica]:
    """The replicas that are known to answer and stay."""
    return Replica.objects.filter(
        endpoint=endpoint,
        purpose=Replica.Purpose.SERVE,
        workload__finished_at=None,
        workload__cancel_requested_at=None,
        silent_since=None,
    ).exclude(healthy_at=None)


def _of_version(endpoint: Endpoint, version: ModelVersion, *, is_warm: bool) -> VersionEstimate:
    if is_warm:
        return VersionEstimate(version, True, 0.0, "it answers already")
    path = path_of(endpoint, version)
    seconds, basis = _start(version, path)
    request = path.compiled.environment_request if path.compiled else version.environment_request
    if request is not None and not _is_on_a_host(request):
        build = _build_seconds(request)
        basis += "; its environment is on no host and must be made first"
        basis += f", which took {in_words(build)} before" if build else ", nobody knows for how long"
        seconds = seconds + build if seconds is not None and build else None
    return VersionEstimate(version, False, seconds, basis)


def _start(version: ModelVersion, path: Path) -> tuple[float | None, str]:
    started = Replica.objects.exclude(healthy_at=None).order_by("-id")
    own = _seconds(started.filter(model_version=version, served_by=path.served_by)[:OWN_STARTS])
    if own:
        return median(own), f"the median of its own last {len(own)} start{'s' if len(own) > 1 else ''}"
    if path.is_compiled:
        like = _seconds(started.exclude(served_by=ORIGINAL)[:LIKE_STARTS])
    else:
        like = _seconds(started.filter(served_by=ORIGINAL, model_version__flavor=version.flavor)[:LIKE_STARTS])
    if like:
        kind = "compiled models" if path.is_compiled else f"models of the flavour {version.flavor}"
        return median(like), f"it was never started here; the median of {len(like)} starts of {kind}"
    return None, "nothing like it was ever started here"


def _seconds(replicas: Iterable[Replica]) -> list[float]:
    return [(each.healthy_at - each.created_at).total_seconds() for each in replicas if each.healthy_at is not None]


def _is_on_a_host(request: EnvironmentRequest) -> bool:
    copies = EnvironmentCopy.objects.filter(environment=request.environment_id, state="ready", host__state="active")
    return request.environment_id is not None and copies.exists()


def _build_seconds(request: EnvironmentRequest) -> float | None:
    builds = Workload.objects.filter(kind="environment", environment_request=request, state="succeeded")
    found = [
        (each.finished_at - each.queued_at).total_seconds()
        for each in builds.order_by("-id")[:OWN_STARTS]
        if each.finished_at is not None
    ]
    return median(found) if found else None
