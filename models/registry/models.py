"""Tables: registered models, their versions, their aliases."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from models.registry.states import CompiledState, VersionState
from modelwright.compute.models import EnvironmentRequest, Workload
from modelwright.core.models import BaseModel
from projects.models import Project


class RegisteredModel(BaseModel):
    """A name under which a project registers versions. MLflow allows more in it than other names may have."""

    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="registered_models")
    name = models.CharField(max_length=256)
    description = models.TextField(blank=True, default="")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["project", "name"], name="registered_model_name")]

    def __str__(self) -> str:
        return self.name


class ModelVersion(BaseModel):
    """A registered version: what it was made by, its files by digest, and what they hold.

    `manifest_digest` names the snapshot of all files, `artifact_digest` the trained part alone. `signature` is
    `{"inputs": [{name, type, required, …}], "outputs": […]}` or None. Only `transitions.py` writes `state`.
    """

    model = models.ForeignKey(RegisteredModel, on_delete=models.PROTECT, related_name="versions")
    number = models.PositiveIntegerField()
    description = models.TextField(blank=True, default="")
    state = models.CharField(max_length=16, choices=VersionState.choices, default=VersionState.IMPORTING)
    detail = models.TextField(blank=True, default="")

    source = models.CharField(max_length=500)
    source_run_id = models.UUIDField(null=True, db_index=True)
    mlflow_run_id = models.CharField(max_length=64, blank=True, default="")
    # Whose token registered it, or who started the run whose token did; None where nobody knows.
    registered_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    mlflow_model_id = models.CharField(max_length=64, blank=True, default="")

    manifest_digest = models.CharField(max_length=64, blank=True, default="")
    artifact_digest = models.CharField(max_length=64, blank=True, default="", db_index=True)
    size = models.BigIntegerField(default=0)

    flavor = models.CharField(max_length=64, blank=True, default="")
    signature = models.JSONField(null=True)
    example = models.JSONField(null=True)
    requirements = models.TextField(blank=True, default="")
    python_version = models.CharField(max_length=16, blank=True, default="")
    metrics = models.JSONField(default=dict)
    parameters = models.JSONField(default=dict)
    algorithm = models.JSONField(null=True)
    algorithm_name = models.CharField(max_length=255, blank=True, default="")

    environment_request = models.ForeignKey(
        EnvironmentRequest, null=True, on_delete=models.PROTECT, related_name="model_versions"
    )
    inspection = models.ForeignKey(Workload, null=True, on_delete=models.SET_NULL, related_name="+")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["model", "number"], name="model_version_number")]

    def __str__(self) -> str:
        return f"{self.model.name} version {self.number}"


class CompiledModel(BaseModel):
    """The ONNX form of a version, and the proof that it answers the same. Only `transitions.py` writes `state`.

    `reason` says in words what came of it. `proof` is `{"rows", "answered", "refused", "digest", "labels_different",
    "refusals_different", "largest_difference", "tolerance", "versions": {library: version}, "worst": {"row", "what"}}`.
    `manifest_digest` names the stored `model.onnx` and `compiled.json`; empty where there is nothing to serve.
    """

    version = models.OneToOneField(ModelVersion, on_delete=models.CASCADE, related_name="compiled")
    state = models.CharField(max_length=16, choices=CompiledState.choices, default=CompiledState.PENDING)
    reason = models.TextField(blank=True, default="")
    proof = models.JSONField(default=dict)
    manifest_digest = models.CharField(max_length=64, blank=True, default="")
    size = models.BigIntegerField(default=0)
    workload = models.ForeignKey(Workload, null=True, on_delete=models.SET_NULL, related_name="+")
    # What its replicas run in: onnxruntime as it was proved with, and next to nothing else.
    environment_request = models.ForeignKey(EnvironmentRequest, null=True, on_delete=models.PROTECT, related_name="+")
    ended_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"{self.version} compiled"

    @property
    def served_by(self) -> str:
        """What stands on each prediction that it made."""
        return f"onnx:{self.manifest_digest}"


class FormerCompiledModel(BaseModel):
    """A compiled form that answered before its version was compiled again: evidence of predictions that it made."""

    version = models.ForeignKey(ModelVersion, on_delete=models.CASCADE, related_name="former_compiled")
    manifest_digest = models.CharField(max_length=64)
    size = models.BigIntegerField(default=0)
    environment_request = models.ForeignKey(EnvironmentRequest, null=True, on_delete=models.PROTECT, related_name="+")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["version", "manifest_digest"], name="former_compiled_model")]

    def __str__(self) -> str:
        return f"{self.version} compiled before"


class ModelAlias(BaseModel):
    """A name such as `champion` that points to one version of a model at a time."""

    model = models.ForeignKey(RegisteredModel, on_delete=models.CASCADE, related_name="aliases")
    name = models.CharField(max_length=255)
    version = models.ForeignKey(ModelVersion, on_delete=models.CASCADE, related_name="aliases")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["model", "name"], name="model_alias_name")]

    def __str__(self) -> str:
        return self.name
