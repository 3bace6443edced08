"""`modelwright.yaml`: what is right is understood, what is wrong is named with its remedy."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from modelwright.core.errors import NotFound, ValidationFailed
from projects.manifest import Step, parse_manifest
from projects.prototypes import list_prototypes

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "project-file.md"

FULL = b"""
name: churn
description: Who leaves
report: {algorithm: A tree, fit: Good, limits: Many}
steps:
- name: ingest
  script: src/ingest.py
  timeout: 15m
- name: train
  kind: run
  description: Fits
  script: train.py
  arguments: [--depth, 3, --rate, 0.1, "true"]
  profile: small
  timeout: 90
  image: registry.example.org/team/train:1
  retries: 2
  inputs: [ingest]
- name: serve
  kind: deploy
  model: churn
  endpoint: churn
  inputs: [train]
"""


def test_a_whole_manifest_is_understood() -> None:
    manifest = parse_manifest(FULL)
    assert manifest.name == "churn"
    assert manifest.report.limits == "Many"
    assert [step.name for step in manifest.steps] == ["ingest", "train", "serve"]
    assert manifest.step("ingest").timeout_seconds == 900
    assert manifest.step("train") == Step(
        name="train",
        kind="run",
        description="Fits",
        script="train.py",
        arguments=("--depth", "3", "--rate", "0.1", "true"),
        profile="small",
        timeout_seconds=90,
        image="registry.example.org/team/train:1",
        retries=2,
        inputs=("ingest",),
    )
    assert manifest.step("serve").endpoint == "churn"
    with pytest.raises(NotFound, match="no step called 'x'"):
        manifest.step("x")


STEP = b"name: p\nsteps:\n- name: a\n  script: a.py\n"


@pytest.mark.parametrize(
    ("text", "field"),
    [
        (b"steps: []", "name"),
        (b"name: Not Valid", "name"),
        (b"name: 12", "name"),
        (b"name: p\nstepps: []", "stepps"),
        (b"name: p\nsteps: {a: 1}", "steps"),
        (b"name: p\nsteps: [a]", "steps[0]"),
        (b"name: p\nreport: text", "report"),
        (b"name: p\nreport: {algorithm: 1}", "report.algorithm"),
        (b"name: p\nsteps:\n- script: a.py", "steps[0].name"),
        (b"name: p\nsteps:\n- name: a", "steps[0].script"),
        (b"name: p\nsteps:\n- name: a\n  script: ../a.py", "steps[0].script"),
        (b"name: p\nsteps:\n- name: a\n  script: a.sh", "steps[0].script"),
        (STEP + b"  kind: fly", "steps[0].kind"),
        (STEP + b"  timeout: never", "steps[0].timeout"),
        (STEP + b"  timeout: 0", "steps[0].timeout"),
        (STEP + b"  timeout: 9999999h", "steps[0].timeout"),
        (STEP + b"  timeout: true", "steps[0].timeout"),
        (STEP + b"  timeout: -5", "steps[0].timeout"),
        (STEP + b"  retries: 11", "steps[0].retries"),
        (STEP + b"  retries: yes", "steps[0].retries"),
        (STEP + b"  retries: 1.5", "steps[0].retries"),
        (STEP + b"  image: 7", "steps[0].image"),
        (STEP + b"  arguments: --x", "steps[0].arguments"),
        (STEP + b"  arguments: [yes]", "steps[0].arguments[0]"),
        (STEP + b"  arguments: [[1]]", "steps[0].arguments[0]"),
        (STEP + b"  arguments: [2026-11-26]", "steps[0].arguments[0]"),
        (STEP + b"  profile: A", "steps[0].profile"),
        (STEP + b"  inputs: [later]\n- name: later\n  script: b.py", "steps[0].inputs"),
        (STEP + b"  inputs: [a]", "steps[0].inputs"),
        (STEP + b"- name: a\n  script: b.py", "steps[1].name"),
        (STEP + b"  model: m", "steps[0].model"),
        (b"name: p\nsteps:\n- name: a\n  kind: deploy\n  model: m", "steps[0].endpoint"),
        (STEP + b"  kind: test", "steps[0].model"),
        (b"name: p\nsteps:\n- name: a\n  kind: test\n  model: m", "steps[0].script"),
        (b"name: p\nsteps:\n- name: a\n  kind: deploy\n  model: m\n  endpoint: e\n  script: x.py", "steps[0].script"),
        (b"name: p\nsteps:\n" + b"".join(b"- {name: s%d, script: a.py}\n" % i for i in range(51)), "steps"),
    ],
)
def test_each_wrong_entry_is_named_with_its_remedy(text: bytes, field: str) -> None:
    with pytest.raises(ValidationFailed) as failed:
        parse_manifest(text)
    assert [error.field for error in failed.value.errors] == [field]
    assert failed.value.errors[0].remedy
    assert f"`{field}`" in failed.value.message


def test_all_wrong_entries_are_told_at_once() -> None:
    with pytest.raises(ValidationFailed) as failed:
        parse_manifest(b"nam: x\nsteps:\n- name: a\n  script: a.py\n  kind: fly\n- 7\n")
    assert {error.field for error in failed.value.errors} == {"name", "nam", "steps[0].kind", "steps[1]"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"", "not a mapping"),
        (b"- a", "not a mapping"),
        (b"name: [", "Line 1"),
        (b"name: a\n\tx: 1", "Line 2"),
        (b"\xff", "UTF-8"),
        (b"name: a\nname: b", "given twice"),
        (b"x: &a [1]\nname: *a", "aliases"),
        (b"name: !!python/object/apply:os.system [id]", "constructor"),
        (b"name: !!timestamp x", "YAML"),
        (b"a: " + b"[" * 30_000, "YAML"),
        (b"name: p # " + b"x" * 100_000, "bytes"),
        (b"name: a\x00b", "YAML"),
        (b"{[1]: 2}", "YAML"),
    ],
)
def test_what_is_no_yaml_is_told_with_the_line(text: bytes, words: str) -> None:
    with pytest.raises(ValidationFailed, match=words) as failed:
        parse_manifest(text)
    assert failed.value.remedy


def test_a_growing_document_is_refused_quickly() -> None:
    bomb = b"a: &a [x,x]\n" + b"".join(b"%c: &%c [*%c,*%c]\n" % (98 + i, 98 + i, 97 + i, 97 + i) for i in range(20))
    with pytest.raises(ValidationFailed, match="aliases"):
        parse_manifest(bomb)


def test_every_prototype_is_whole() -> None:
    for prototype in list_prototypes():
        assert prototype.manifest.name == prototype.name
        assert prototype.manifest.report.algorithm
        assert prototype.manifest.report.fit
        assert prototype.manifest.report.limits
        assert {step.script for step in prototype.manifest.steps if step.script} <= set(prototype.files)
        assert b"==" in prototype.files["requirements.txt"]


def test_the_documentation_names_every_entry_and_its_example_is_valid() -> None:
    text = DOCUMENT.read_text()
    for entry in Step.__dataclass_fields__:
        assert f"`{entry.removesuffix('_seconds')}`" in text
    example = re.search(r"```yaml\n(.*?)```", text, re.DOTALL)
    assert example is not None
    assert parse_manifest(example[1].encode()).steps


GRAPHS = b"""
name: xray
graphs:
  xray:
    start: sure
    nodes: {sure: {kind: router, on: request, cases: [], otherwise: {answer: {finding: none}}}}
"""


def test_graphs_are_plain_data_whose_entries_are_words() -> None:
    nodes = parse_manifest(GRAPHS).graphs["xray"]["nodes"]
    assert nodes["sure"] == {
        "kind": "router",
        "on": "request",
        "cases": [],
        "otherwise": {"answer": {"finding": "none"}},
    }


@pytest.mark.parametrize("value", [b"2026-11-27", b".nan", b"!!binary aGk=", b"[" * 30 + b"]" * 30])
def test_what_is_no_plain_data_in_a_graph_is_refused(value: bytes) -> None:
    with pytest.raises(ValidationFailed, match=r"graphs\.xray"):
        parse_manifest(b"name: xray\ngraphs: {xray: {start: " + value + b"}}")
