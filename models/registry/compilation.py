"""Compiles versions in workloads, in their own environments with the converter besides, and takes what came of it."""

from __future__ import annotations

import re
from typing import Any

from django.conf import settings
from django.db import transaction

from models.registry import transitions
from models.registry.compiling import FLAVORS, conclude
from models.registry.models import CompiledModel, ModelVersion
from modelwright.accounts.actors import Actor
from modelwright.compute import selectors as compute
from modelwright.compute.collecting import collect_each
from modelwright.compute.models import GIB, EnvironmentRequest, Workload
from modelwright.compute.results import COMPILED, RESULT, kept_folder, read_result
from modelwright.compute.services import DEFAULT_PYTHON, create_workload, request_environment
from modelwright.core.errors import PlatformError

COMPILER = Actor.system("model compilation")
# Little is reserved: it must not keep a run waiting, and nobody waits for it.
CPU, MEMORY_BYTES, MEMORY_PER_FILE_BYTE, TIMEOUT_SECONDS = 0.1, GIB, 12, 3600
AT_ONCE = 10
# TreeEnsemble in double precision, which the proof of boosted trees stands on, came with these.
CONVERTERS = ("onnx>=1.17", "onnxruntime>=1.20")
# For estimators of scikit-learn that the platform has no exact form of.
BORROWED = "skl2onnx>=1.17"
# What a compiled replica runs in besides the onnxruntime of the proof.
SERVING = ("numpy", "orjson", "uvloop>=0.21")
VERDICTS = ("equal", "different", "impossible")
_PIN = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)((?:\[[^\]]*\])?==[^\s\\;]+(?:\s*;[^\\#\n]*)?)", re.M)
_VERSION = re.compile(r"\A[0-9][0-9A-Za-z.+!-]{0,40}\Z")


def tick() -> None:
    """Start what waits to be compiled, and take what ended."""
    if settings.COMPILE_MODELS:
        note_new()
        start_pending()
    collect()


def note_new() -> None:
    """Every version that is ready and of a flavour that qualifies is to be compiled once."""
    new = ModelVersion.objects.filter(state="ready", flavor__in=FLAVORS, compiled=None).exclude(manifest_digest="")
    for version in new.order_by("-pk")[:AT_ONCE]:
        CompiledModel.objects.get_or_create(version=version)


def start_pending() -> None:
    """Queue the workloads of what is pending. What cannot be queued is failed, with the reason."""
    waiting = CompiledModel.objects.filter(state="pending").order_by("-version_id").values_list("pk", flat=True)
    for pk in waiting[:AT_ONCE]:
        try:
            _start(pk)
        except PlatformError as error:
            compiled = CompiledModel.objects.select_related("version__model__project").get(pk=pk)
            conclude(compiled, "failed", reason=f"{error.message} {error.remedy}".strip(), acting_user=COMPILER)


@transaction.atomic
def _start(pk: Any) -> None:
    rows = CompiledModel.objects.select_for_update(of=("self",), skip_locked=True).filter(pk=pk, state="pending")
    rows = rows.select_related("version__model__project", "version__environment_request__environment")
    compiled = rows.first()
    if compiled is None:
        return
    version, project = compiled.version, compiled.version.model.project
    if version.environment_request is None:
        conclude(compiled, "failed", reason="The version has no environment.", acting_user=COMPILER)
        return
    model = f"{{model:{version.manifest_digest}}}"
    workload = create_workload(
        kind=Workload.Kind.COMPILATION,
        name=f"compilation of {version}",
        command=[
            *("{python}", "-m", "modelwright_runtime.compiling"),
            *("--model", model, "--out", COMPILED, "--result", RESULT),
        ],
        cpu=CPU,
        memory_bytes=MEMORY_BYTES + MEMORY_PER_FILE_BYTE * version.size,
        timeout_seconds=TIMEOUT_SECONDS,
        environment_request=environment_for(version.environment_request, acting_user=COMPILER),
        models=[version.manifest_digest],
        acting_user=COMPILER,
        workspace_id=project.workspace_id,
        project_id=project.pk,
    )
    transitions.compiling(compiled, workload=workload)


def requirements_with_converters(request: EnvironmentRequest) -> str:
    """The version's own packages, each at its own version, and the converters in whichever version goes with them."""
    lock = request.environment.lock if request.environment else ""
    pins = _PIN.findall(lock)
    lines = [f"{name}{rest.rstrip()}" for name, rest in pins] or request.requirements.splitlines()
    own = {name.lower() for name, _ in pins}
    wanted = [*CONVERTERS, BORROWED] if "scikit-learn" in own else CONVERTERS
    return "\n".join([*lines, *(each for each in wanted if each.partition(">")[0] not in own), ""])


def environment_for(request: EnvironmentRequest, *, acting_user: Actor) -> EnvironmentRequest:
    """What a version with this environment is compiled in."""
    python = request.environment.python_version if request.environment else request.python_version
    text = requirements_with_converters(request)
    return request_environment(requirements=text, python=".".join(python.split(".")[:2]), acting_user=acting_user)


def serving_requirements(onnxruntime: str) -> str:
    """What a compiled replica runs in: the same for all models that were proved with this version."""
    return "\n".join([f"onnxruntime=={onnxruntime}", *SERVING, ""])


def collect() -> int:
    """Take what ended compilations left, as their hosts handed it in; return how many."""
    return collect_each(Workload.Kind.COMPILATION, take=_take, give_up=_give_up)


def _compiled(workload: Workload) -> CompiledModel | None:
    rows = CompiledModel.objects.select_related("version__model__project")
    found: CompiledModel | None = rows.filter(workload=workload).first()
    return found


def _give_up(workload: Workload, error: Exception) -> None:
    if (compiled := _compiled(workload)) is not None:
        conclude(compiled, "failed", reason=f"It left what cannot be stored: {error}", acting_user=COMPILER)


def _take(workload: Workload) -> None:
    compiled = _compiled(workload)
    if compiled is None:
        return
    result = read_result(workload, RESULT)
    verdict, proof = result.get("verdict"), result.get("proof")
    if workload.state != "succeeded" or verdict not in VERDICTS or not isinstance(proof, dict):
        _failed(compiled, workload, result)
        return
    reason = str(result.get("reason") or "")
    if verdict != "equal":
        conclude(compiled, verdict, reason=reason, proof=proof, acting_user=COMPILER)
        return
    digest, size = kept_folder(workload, COMPILED)
    versions = proof.get("versions")
    onnxruntime = str(versions.get("onnxruntime", "")) if isinstance(versions, dict) else ""
    if not digest or not _VERSION.match(onnxruntime):
        raise ValueError("it says that it is equal, and left no compiled model")
    request = request_environment(
        requirements=serving_requirements(onnxruntime), python=DEFAULT_PYTHON, acting_user=COMPILER
    )
    facts = {"proof": proof, "manifest_digest": digest, "size": size, "environment_request": request}
    conclude(compiled, verdict, reason=reason, acting_user=COMPILER, **facts)


def _failed(compiled: CompiledModel, workload: Workload, result: dict[str, Any]) -> None:
    request = workload.environment_request
    if request is not None and request.state == "failed":
        # The version's own environment stands, so it is the converters that do not go with it.
        why = f"The converter ({', '.join(CONVERTERS)}) cannot be installed beside the version's own packages."
        reason = f"{why}\n{request.error}".strip()
        conclude(compiled, "impossible", reason=reason, acting_user=COMPILER)
        return
    said = str(result.get("error") or "") or workload.detail or compute.log_tail(workload, 5)
    reason = f"The compilation {workload.get_state_display().lower()}: {said[:2000]}"
    conclude(compiled, "failed", reason=reason, acting_user=COMPILER)
