"""Pages: every process of the installation, for administrators and auditors."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpRequest, HttpResponseBase
from django.urls import reverse

from modelwright.accounts.actors import actor_of
from modelwright.accounts.permissions import Permission
from modelwright.accounts.views import person_of
from modelwright.compute import selectors
from modelwright.console import process_records, processes, services
from modelwright.core.exports import streamed
from modelwright.core.pages import PlatformView


class WorkloadsView(PlatformView):
    """All processes."""

    permissions = {"GET": Permission.AUDIT_READ}
    template = "console/workloads.html"

    def get(self, request: HttpRequest) -> HttpResponseBase:
        """List and filter them."""
        listing = processes.listing(person_of(request), request.GET)
        found = process_records.belongings(listing.rows)
        rows = [(row, found.projects.get(row.project_id) if row.project_id else None) for row in listing.rows]
        return self.page({"listing": listing, "rows": rows}, crumbs=[("Hosts", reverse("hosts")), ("Workloads", "")])


class WorkloadsExportView(PlatformView):
    """The list as a file."""

    permissions = {"GET": Permission.AUDIT_READ}

    def get(self, request: HttpRequest, form: str) -> HttpResponseBase:
        """Stream the processes that the filters leave, newest first."""
        listing = processes.listing(person_of(request), request.GET)
        return streamed(request, services.export_processes(listing, form, acting_user=actor_of(request)), "workloads")


class WorkloadView(PlatformView):
    """One process, with what it ran, read and wrote, and its log."""

    permissions = {"GET": Permission.AUDIT_READ}
    template = "console/workload.html"

    def get(self, request: HttpRequest, workload_id: UUID) -> HttpResponseBase:
        """Show it."""
        workload = selectors.workload(person_of(request), workload_id)
        found = process_records.belongings([workload])
        text, offset, finished = selectors.read_log(workload)
        read, written = process_records.files(workload, found)
        context = {
            "workload": workload,
            "log": text,
            "offset": offset,
            "finished": finished,
            "command": processes.command_of(workload),
            "variables": process_records.variables_of(workload),
            "gpus": process_records.gpus_of(workload),
            "image": found.image(workload),
            "run": found.runs.get(workload.pk),
            "session_start": found.session_starts.get(workload.pk),
            "replica": found.replicas.get(workload.pk),
            "version": found.version(workload),
            "project": found.projects.get(workload.project_id) if workload.project_id else None,
            "workspace": found.workspaces.get(workload.workspace_id) if workload.workspace_id else None,
            "data_reads": process_records.data_reads(workload, found),
            "read": read,
            "written": written,
        }
        crumbs = [("Hosts", reverse("hosts")), ("Workloads", reverse("workloads")), (workload.name, "")]
        return self.page(context, crumbs=crumbs)
