"""Pages: how a version was compiled, and another try."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse

from models.registry import compiling
from models.registry.proofs import compiled_of, proof_facts
from models.registry.views import RegistryPage, model_crumbs
from modelwright.accounts.actors import actor_of
from modelwright.accounts.permissions import Permission
from modelwright.compute.selectors import read_log
from modelwright.compute.views import log_answer
from modelwright.core.errors import NotFound


class CompilationView(RegistryPage):
    """What the compilation of a version printed."""

    permissions = {"GET": Permission.PROJECT_VIEW}
    template = "registry/compilation.html"

    def get(self, request: HttpRequest, version_id: UUID) -> HttpResponseBase:
        """Show it; `static/js/live.js` asks for the rest of the log with `?offset=`."""
        version = self.version(request, version_id)
        compiled = compiled_of(version)
        if compiled is None:
            raise NotFound(f"{version} has not been compiled.", remedy="See the version's page for why.")
        workload = compiled.workload
        if "offset" in request.GET and workload is not None:
            return log_answer(request, workload)
        text, offset, finished = read_log(workload, 0) if workload is not None else ("", 0, True)
        project = version.model.project
        context: dict[str, Any] = {**self.frame(request, project), **self.may(request, project)}
        context |= {"version": version, "compiled": compiled, "proof": proof_facts(compiled)}
        context |= {"log": text, "offset": offset, "finished": finished}
        crumbs = model_crumbs(
            version.model,
            (f"Version {version.number}", reverse("model-version", args=[version.pk])),
            ("Compilation", ""),
        )
        return self.page(context, crumbs=crumbs)


class CompileAgainView(RegistryPage):
    """Have a version compiled, or compiled again."""

    permissions = {"POST": Permission.MODEL_EDIT}

    def post(self, request: HttpRequest, version_id: UUID) -> HttpResponseBase:
        """Ask for it."""
        version = self.version(request, version_id, Permission.MODEL_EDIT)
        compiling.compile_again(version, acting_user=actor_of(request))
        messages.success(request, f"{version} is compiled in a moment.")
        return redirect("model-version", version.pk)
