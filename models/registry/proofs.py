"""What pages show of a version's compiled form."""

from __future__ import annotations

from typing import Any

from models.registry import compiling
from models.registry.models import CompiledModel, ModelVersion


def compiled_of(version: ModelVersion) -> CompiledModel | None:
    """The version's compiled model with its workload."""
    rows = CompiledModel.objects.select_related("workload", "environment_request__environment")
    return rows.filter(version=version).first()


def compiled_context(version: ModelVersion) -> dict[str, Any]:
    """What the version's page shows of it."""
    compiled = compiled_of(version)
    return {
        "compiled": compiled,
        "qualifies": compiling.qualifies(version),
        "flavors": ", ".join(compiling.FLAVORS),
        "proof": proof_facts(compiled) if compiled else [],
    }


def proof_facts(compiled: CompiledModel) -> list[tuple[str, Any]]:
    """The proof as labels and values. What a workload wrote is shown as text alone."""
    proof = compiled.proof if isinstance(compiled.proof, dict) else {}
    versions = proof.get("versions")
    told = {
        "Rows of the probe set": proof.get("rows"),
        "of which both refuse": proof.get("refused"),
        "Labels that differ": proof.get("labels_different"),
        "Rows that one of the two alone refuses": proof.get("refusals_different"),
        "Largest difference of scores": proof.get("largest_difference"),
        "allowed": proof.get("tolerance"),
        "Probe set (SHA-256)": proof.get("digest"),
        "Libraries": ", ".join(f"{k} {v}" for k, v in sorted(versions.items())) if isinstance(versions, dict) else None,
    }
    return [(label, _words(value)) for label, value in told.items() if value is not None]


def _words(value: Any) -> str:
    return f"{value:.1e}" if isinstance(value, float) else str(value)[:500]
