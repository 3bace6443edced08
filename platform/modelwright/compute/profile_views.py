"""Pages: the sizes that runs and replicas can ask for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse

from modelwright.accounts.actors import actor_of
from modelwright.accounts.permissions import Permission
from modelwright.accounts.selectors import require_site
from modelwright.compute import selectors, services
from modelwright.compute.joining_forms import LabelsField
from modelwright.compute.models import GIB, ResourceProfile
from modelwright.compute.services.profiles import LEAST_CPU, MOST_CPU, MOST_GPUS
from modelwright.compute.views import person_of
from modelwright.core.api import SIGNED_IN
from modelwright.core.errors import PlatformError
from modelwright.core.forms import show_problem
from modelwright.core.listing import Column, Filter, Listing
from modelwright.core.pages import PlatformView


class ProfileForm(forms.Form):
    """A size."""

    description = forms.CharField(label="What for", max_length=5000, required=False)
    cpu = forms.FloatField(
        label="CPUs", min_value=LEAST_CPU, max_value=MOST_CPU, help_text="A share that is always granted. May be 0.5."
    )
    memory_gib = forms.FloatField(
        label="Memory in GiB", min_value=0.0625, max_value=1_000_000, help_text="A hard limit: more ends the run."
    )
    gpus = forms.IntegerField(
        label="GPUs", min_value=0, max_value=MOST_GPUS, help_text="Whole ones, for this run or replica alone."
    )
    labels = LabelsField(
        label="Labels of the host",
        required=False,
        max_length=4000,
        strip=False,
        widget=forms.Textarea(attrs={"rows": 3, "class": "code"}),
        help_text="One on each line, such as gpu=h100. Only hosts with all of them are good enough.",
    )

    def values(self) -> dict[str, Any]:
        """As the services take them."""
        values = dict(self.cleaned_data)
        values["memory_bytes"] = round(values.pop("memory_gib") * GIB)
        return values


class NewProfileForm(ProfileForm):
    """A size to add."""

    name = forms.CharField(
        label="Name",
        max_length=63,
        help_text="Small letters, digits and hyphens. Jobs ask for it by this name.",
        widget=forms.TextInput(attrs={"autocomplete": "off", "autocapitalize": "none", "spellcheck": "false"}),
    )
    field_order = ["name"]


class ProfilesView(PlatformView):
    """The sizes."""

    permissions = {"GET": SIGNED_IN}
    template = "compute/profiles.html"

    def get(self, request: HttpRequest) -> HttpResponseBase:
        """List them."""
        columns = [
            Column("Name", "name"),
            Column("What for", "description"),
            Column("CPUs", "cpu", numeric=True),
            Column("Memory", "memory", "memory_bytes", numeric=True),
            Column("GPUs", "gpus", numeric=True),
            Column("Only on hosts with"),
            Column("Actions", hidden_label=True),
        ]
        filters = [Filter("q", "Name or what for", ("name", "description"))]
        listing = Listing(selectors.profiles(), request.GET, columns=columns, filters=filters, default_sort="memory")
        context = {"listing": listing, "may_manage": person_of(request).is_site_admin}
        return self.page(context, crumbs=[("Hosts", reverse("hosts")), ("Sizes", "")])


class _ProfileFormView(PlatformView):
    permissions = {"GET": Permission.SITE_MANAGE, "POST": Permission.SITE_MANAGE}
    template = "components/form_page.html"

    def _save(
        self, form: ProfileForm, write: Callable[[dict[str, Any]], ResourceProfile], said: str, title: str
    ) -> HttpResponseBase:
        if not form.is_valid():
            return self._show(form, title, 422)
        try:
            profile = write(form.values())
        except PlatformError as error:
            show_problem(form, error)
            return self._show(form, title, error.status)
        messages.success(self.request, said.format(profile.name))
        return redirect("profiles")

    def _show(self, form: ProfileForm, title: str, status: int = 200) -> HttpResponse:
        context = {
            "form": form,
            "title": title,
            "intro": "A size that runs and replicas ask for by its name. What was started keeps what it asked for.",
            "submit": "Save",
            "cancel_url": reverse("profiles"),
        }
        crumbs = [("Hosts", reverse("hosts")), ("Sizes", reverse("profiles")), (title, "")]
        return self.page(context, crumbs=crumbs, status=status)


class ProfileCreateView(_ProfileFormView):
    """Add a size."""

    def get(self, request: HttpRequest) -> HttpResponseBase:
        """Show the form."""
        require_site(person_of(request), Permission.SITE_MANAGE)
        return self._show(NewProfileForm(initial={"gpus": 0}), "New size")

    def post(self, request: HttpRequest) -> HttpResponseBase:
        """Add it."""
        require_site(person_of(request), Permission.SITE_MANAGE)
        return self._save(
            NewProfileForm(request.POST),
            lambda values: services.create_profile(**values, acting_user=actor_of(request)),
            "The size {} can be asked for.",
            "New size",
        )


class ProfileEditView(_ProfileFormView):
    """Change a size."""

    def get(self, request: HttpRequest, profile_id: UUID) -> HttpResponseBase:
        """Show the form."""
        require_site(person_of(request), Permission.SITE_MANAGE)
        profile = selectors.profile_by_id(profile_id)
        initial = {name: getattr(profile, name) for name in ("description", "cpu", "gpus", "labels")}
        form = ProfileForm(initial={**initial, "memory_gib": round(profile.memory_bytes / GIB, 4)})
        return self._show(form, f"Size {profile.name}")

    def post(self, request: HttpRequest, profile_id: UUID) -> HttpResponseBase:
        """Change it."""
        require_site(person_of(request), Permission.SITE_MANAGE)
        profile = selectors.profile_by_id(profile_id)
        return self._save(
            ProfileForm(request.POST),
            lambda values: services.change_profile(profile, **values, acting_user=actor_of(request)),
            "The size {} is changed for what is started from now on.",
            f"Size {profile.name}",
        )


class ProfileDeleteView(PlatformView):
    """Delete a size that nothing asks for."""

    permissions = {"GET": Permission.SITE_MANAGE, "POST": Permission.SITE_MANAGE}
    template = "components/confirm_page.html"

    def get(self, request: HttpRequest, profile_id: UUID) -> HttpResponseBase:
        """Ask whether to."""
        require_site(person_of(request), Permission.SITE_MANAGE)
        profile = selectors.profile_by_id(profile_id)
        context = {
            "title": f"Delete the size {profile.name}",
            "explanation": "Nothing can ask for it any more. Where something asks for it, it is not deleted.",
            "submit": "Delete size",
            "cancel_url": reverse("profiles"),
            "danger": True,
        }
        crumbs = [("Hosts", reverse("hosts")), ("Sizes", reverse("profiles")), (f"Delete {profile.name}", "")]
        return self.page(context, crumbs=crumbs)

    def post(self, request: HttpRequest, profile_id: UUID) -> HttpResponseBase:
        """Delete it."""
        profile = selectors.profile_by_id(profile_id)
        services.delete_profile(profile, acting_user=actor_of(request))
        messages.success(request, f"The size {profile.name} is deleted.")
        return redirect("profiles")
