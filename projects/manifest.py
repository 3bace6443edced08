"""`modelwright.yaml`, the one file in which a project declares its steps. docs/project-file.md explains it (tested)."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass, field
from typing import Any

from modelwright.core.errors import NotFound
from projects import source
from projects.manifest_fields import Mapping, problem, read_document, read_thing
from projects.models import Project

MANIFEST_NAME = "modelwright.yaml"
MAX_STEPS = 50
MAX_FALLBACKS = 100
MAX_GRAPHS = 20
MAX_TIMEOUT_SECONDS = 7 * 24 * 3600
MAX_RETRIES = 10
RUN, TEST, DEPLOY = "run", "test", "deploy"


@dataclass(frozen=True, slots=True)
class Report:
    """What a reader should know of the project's model before they use it; each in Markdown-free prose."""

    algorithm: str = ""
    fit: str = ""
    limits: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """One declared step. `script` and `arguments` belong to the kinds `run` and `test`, `endpoint` to `deploy`, `model`
    to `test` and `deploy`.

    `profile` names a resource profile, empty for the default; `timeout_seconds` None for the default. `image` names a
    ready image, empty for an environment made from the requirements. `retries` is how often a run that was lost with
    its host starts again. `inputs` names earlier steps whose outputs this one reads.
    """

    name: str
    kind: str
    description: str = ""
    script: str = ""
    arguments: tuple[str, ...] = ()
    profile: str = ""
    timeout_seconds: int | None = None
    image: str = ""
    retries: int = 0
    inputs: tuple[str, ...] = ()
    model: str = ""
    endpoint: str = ""


@dataclass(frozen=True, slots=True)
class Manifest:
    """The whole file, checked. `graphs` are by name what docs/graphs.md says, `fallbacks` by endpoint what
    docs/rollouts.md says; each is checked where it is deployed."""

    name: str
    description: str = ""
    report: Report = field(default_factory=Report)
    steps: tuple[Step, ...] = ()
    graphs: dict[str, Any] = field(default_factory=dict)
    fallbacks: dict[str, Any] = field(default_factory=dict)

    def step(self, name: str) -> Step:
        """The step called `name`. Raises NotFound."""
        for step in self.steps:
            if step.name == name:
                return step
        raise NotFound(
            f"{MANIFEST_NAME} declares no step called {name!r}.",
            remedy=f"It declares {', '.join(s.name for s in self.steps) or 'none'}.",
        )


def parse_manifest(data: bytes) -> Manifest:
    """Parse the file's content. Raises ValidationFailed, whose `errors` name each wrong entry with its remedy."""
    document = read_document(data)
    name = document.name("name", required=True)
    description = document.text("description")
    report = document.mapping("report")
    steps: list[Step] = []
    for entry in document.mappings("steps", MAX_STEPS):
        steps.append(_step(entry, [step.name for step in steps]))
    parsed = Manifest(
        name=name,
        description=description,
        report=Report(algorithm=report.text("algorithm"), fit=report.text("fit"), limits=report.text("limits")),
        steps=tuple(steps),
        graphs=document.named("graphs", MAX_GRAPHS),
        fallbacks=document.named("fallbacks", MAX_FALLBACKS),
    )
    report.finish()
    document.finish()
    document.raise_errors(MANIFEST_NAME)
    return parsed


def read_manifest(project: Project, commit: str | None = None) -> Manifest:
    """The manifest of a commit of the project, the newest by default; its scripts are there.

    Raises NotFound where the commit has none, ValidationFailed where it is wrong.
    """
    commit = source.check_commit(project, commit)
    files = source.list_files(project, commit)
    manifest = parse_manifest(_content(project, commit, files))
    missing = [
        problem(
            f"steps[{number}].script", f"There is no file {step.script} in the commit.", "Commit it, or correct it."
        )
        for number, step in enumerate(manifest.steps)
        if step.kind in (RUN, TEST) and step.script not in files
    ]
    if missing:
        Mapping.raise_all(missing, MANIFEST_NAME)
    return manifest


def read_fallbacks(project: Project) -> dict[str, Any]:
    """What the newest commit declares of fallbacks, by endpoint. Wrong entries elsewhere in the file do not matter.

    Raises NotFound where the commit has no manifest, ValidationFailed where it is no YAML or these entries are wrong.
    """
    commit = source.check_commit(project, None)
    document = read_document(_content(project, commit, source.list_files(project, commit)))
    fallbacks = document.named("fallbacks", MAX_FALLBACKS)
    document.raise_errors(MANIFEST_NAME)
    return fallbacks


def parse_fallback_rule(text: str) -> Any:
    """What stands below an endpoint's name in `fallbacks`, by itself; checked where it is deployed.

    Raises ValidationFailed with the line of what is no YAML.
    """
    return read_thing(text.encode(errors="replace"), "The rule")


def _content(project: Project, commit: str, files: Container[str]) -> bytes:
    if MANIFEST_NAME not in files:
        raise NotFound(
            f"The project {project.name} has no file {MANIFEST_NAME}, so it declares no steps.",
            remedy=f"Commit a {MANIFEST_NAME}; docs/project-file.md shows one.",
        )
    return source.read_file(project, commit, MANIFEST_NAME).data


def _step(entry: Mapping, earlier: list[str]) -> Step:
    name = entry.name("name", required=True)
    if name and name in earlier:
        entry.refuse("name", f"There are two steps called {name}.", "Give each step a name of its own.")
    kind = entry.choice("kind", (RUN, TEST, DEPLOY), default=RUN)
    is_run = kind in (RUN, TEST)
    step = Step(
        name=name,
        kind=kind,
        description=entry.text("description"),
        script=entry.script("script") if is_run else "",
        arguments=entry.arguments("arguments") if is_run else (),
        profile=entry.name("profile"),
        timeout_seconds=entry.duration("timeout", MAX_TIMEOUT_SECONDS) if is_run else None,
        image=entry.text("image") if is_run else "",
        retries=entry.whole_number("retries", MAX_RETRIES) if is_run else 0,
        inputs=entry.names("inputs"),
        model=entry.name("model", required=True) if kind in (TEST, DEPLOY) else "",
        endpoint=entry.name("endpoint", required=True) if kind == DEPLOY else "",
    )
    for unknown in set(step.inputs) - set(earlier):
        entry.refuse("inputs", f"{unknown} is no step above this one.", "Name steps that stand above this one.")
    entry.finish()
    return step
