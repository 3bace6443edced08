"""Tables: endpoints, their keys, their deployments, and the replicas that serve them."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from models.endpoints.states import DeploymentState, EndpointState
from models.registry.models import ModelVersion
from modelwright.compute.models import GIB, Workload
from modelwright.core.models import BaseModel, NamedModel
from projects.models import Project
from workspaces.models import Workspace


class Endpoint(NamedModel):
    """A stable address `/<workspace>/<name>/predict`. What answers there is its live deployment.

    `retention_days` bounds how long its predictions are kept, None for the installation's default. The values of
    `redacted_columns` never reach the record. Of each version that takes requests `wanted_replicas` run, which stays
    between `min_replicas` and `max_replicas` and follows what is in flight and how long it waits.
    `availability_target` is in percent, None where nothing is promised.
    """

    class ServingPath(models.TextChoices):
        """By which path its versions answer."""

        AUTO = "auto", "Compiled where proved equal"
        ORIGINAL = "original", "Always the original model"

    class Stage(models.TextChoices):
        """How much must be known of a version before it may answer here."""

        LAB = "lab", "Lab"
        STAGING = "staging", "Staging"
        PRODUCTION = "production", "Production"

    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="endpoints")
    # The project's, for the name's sake: clients know the workspace and not the project.
    workspace = models.ForeignKey(Workspace, on_delete=models.PROTECT, related_name="endpoints")
    state = models.CharField(max_length=16, choices=EndpointState.choices, default=EndpointState.ACTIVE)
    # Of each replica. CPU is a guaranteed share, memory a hard limit to which four times the model's files are added.
    cpu = models.FloatField(default=0.25)
    memory_bytes = models.BigIntegerField(default=GIB)
    # Whole ones, and labels that the host must have: those of the size called `profile`, as it was when it was chosen.
    gpus = models.PositiveSmallIntegerField(default=0)
    labels = models.JSONField(default=dict, blank=True)
    profile = models.CharField(max_length=63, blank=True, default="")
    serving_path = models.CharField(max_length=16, choices=ServingPath.choices, default=ServingPath.AUTO)
    retention_days = models.PositiveIntegerField(null=True, blank=True)
    redacted_columns = models.JSONField(default=list, blank=True)
    stage = models.CharField(max_length=16, choices=Stage.choices, default=Stage.LAB)
    min_replicas = models.PositiveSmallIntegerField(default=1)
    max_replicas = models.PositiveSmallIntegerField(default=1)
    wanted_replicas = models.PositiveSmallIntegerField(default=1)
    # Requests in flight of each replica, and milliseconds in the queue, above which another replica is wanted.
    target_concurrency = models.FloatField(default=16.0)
    target_queue_ms = models.FloatField(default=100.0)
    availability_target = models.FloatField(null=True, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["workspace", "name"], name="endpoint_name")]

    @property
    def path(self) -> str:
        """`<workspace>/<name>`, its name in the route table."""
        return f"{self.workspace.name}/{self.name}"


class EndpointKey(BaseModel):
    """A key that clients predict with. Only its digest is kept; it is shown once.

    The internal one belongs to the platform's own page and can be computed from the installation's secret alone.
    """

    endpoint = models.ForeignKey(Endpoint, on_delete=models.CASCADE, related_name="keys")
    name = models.CharField(max_length=100)
    digest = models.CharField(max_length=64, unique=True)
    hint = models.CharField(max_length=16)
    is_internal = models.BooleanField(default=False)
    created_by = models.CharField(max_length=100)
    revoked_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return self.name


class Deployment(BaseModel):
    """What an endpoint is to serve from now on. Only its state and times change; `transitions.py` alone writes them.

    `routing`, `fallback` and `graph` are as docs/rollouts.md says. `evidence` is what the decision was made on. A step
    of a rollout names it (`rollout_id`).
    """

    class Kind(models.TextChoices):
        """Whether it brings something new, repeats an earlier one, or is a step of a rollout."""

        DEPLOY = "deploy", "Deployment"
        ROLLBACK = "rollback", "Rollback"
        STEP = "step", "Rollout step"

    endpoint = models.ForeignKey(Endpoint, on_delete=models.PROTECT, related_name="deployments")
    number = models.PositiveIntegerField()
    kind = models.CharField(max_length=16, choices=Kind.choices, default=Kind.DEPLOY)
    repeats = models.ForeignKey("self", null=True, on_delete=models.PROTECT, related_name="+")
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    actor_name = models.CharField(max_length=100)
    reason = models.TextField(blank=True, default="")
    routing = models.JSONField(default=dict, blank=True)
    fallback = models.JSONField(null=True, blank=True)
    graph = models.JSONField(null=True, blank=True)
    evidence = models.JSONField(default=dict, blank=True)
    rollout_id = models.UUIDField(null=True, blank=True, db_index=True)
    # Of the endpoint when it was asked for.
    stage = models.CharField(max_length=16, choices=Endpoint.Stage.choices, default=Endpoint.Stage.LAB)
    # A rollback of an emergency needed neither checks nor a second person.
    is_emergency = models.BooleanField(default=False)
    state = models.CharField(max_length=16, choices=DeploymentState.choices, default=DeploymentState.PENDING)
    # Why it failed, or what it is waiting for.
    detail = models.TextField(blank=True, default="")
    live_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["endpoint", "number"], name="deployment_number"),
            models.UniqueConstraint(fields=["endpoint"], condition=models.Q(state="live"), name="deployment_one_live"),
        ]

    def __str__(self) -> str:
        return f"{self.endpoint.name} deployment {self.number}"


class DeploymentTarget(BaseModel):
    """One version of a deployment and its share of the requests."""

    class Role(models.TextChoices):
        """What the version's answers are for."""

        LIVE = "live", "Live"
        CANARY = "canary", "Canary"
        SHADOW = "shadow", "Shadow"
        FALLBACK = "fallback", "Fallback"
        NODE = "node", "Node of a graph"

    deployment = models.ForeignKey(Deployment, on_delete=models.CASCADE, related_name="targets")
    model_version = models.ForeignKey(ModelVersion, on_delete=models.PROTECT, related_name="deployment_targets")
    weight = models.PositiveIntegerField(default=100)
    role = models.CharField(max_length=16, choices=Role.choices, default=Role.LIVE)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["deployment", "model_version"], name="deployment_target_version")
        ]


class Replica(BaseModel):
    """A model server of one version for one endpoint. Its state is its workload's."""

    class Purpose(models.TextChoices):
        """Who looks after it: the reconciler, or a drill that takes it away again."""

        SERVE = "serve", "Serve"
        DRILL = "drill", "Drill"

    endpoint = models.ForeignKey(Endpoint, on_delete=models.PROTECT, related_name="replicas")
    model_version = models.ForeignKey(ModelVersion, on_delete=models.PROTECT, related_name="replicas")
    workload = models.OneToOneField(Workload, on_delete=models.PROTECT, related_name="replica")
    # Its address, see models.gateway.addresses.
    socket = models.CharField(max_length=400, blank=True, default="")
    healthy_at = models.DateTimeField(null=True)
    # Set while one that has answered does so no more, see `silence`.
    silent_since = models.DateTimeField(null=True, blank=True)
    # `original` or `onnx:<digest of the compiled model>`.
    served_by = models.CharField(max_length=80, default="original")
    purpose = models.CharField(max_length=16, choices=Purpose.choices, default=Purpose.SERVE)

    @property
    def answers(self) -> bool:
        """Whether it is known to answer."""
        return self.healthy_at is not None and self.silent_since is None


class PublishedRoutes(models.Model):
    """The one row that says what the route table held when it was last published, and under which revision."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    revision = models.BigIntegerField(default=0)
    endpoints = models.JSONField(default=dict)
    published_at = models.DateTimeField(auto_now=True)

    def __str__(self) -> str:
        return f"revision {self.revision}"
