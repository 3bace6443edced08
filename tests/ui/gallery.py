"""A page with every component, for tests alone."""

from __future__ import annotations

from django import forms
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.urls import include, path
from django.utils import timezone

from modelwright.core.errors import FieldError, ValidationFailed
from modelwright.core.looks import LOOKS

# 2026-11-27 21:00 UTC.
MOMENT = 1795813200
LOG = "first line\nsecond line\nthird line\n"


class GalleryForm(forms.Form):
    """One field of each kind."""

    name = forms.CharField(help_text="Small letters.")
    note = forms.CharField(widget=forms.Textarea, required=False)
    size = forms.ChoiceField(choices=[("s", "Small"), ("l", "Large")])
    kind = forms.ChoiceField(choices=[("a", "One"), ("b", "Other")], widget=forms.RadioSelect)
    many = forms.MultipleChoiceField(choices=[("a", "One"), ("b", "Other")], widget=forms.CheckboxSelectMultiple)
    agree = forms.BooleanField(help_text="You must.")
    file = forms.FileField(required=False)


def gallery(request: HttpRequest) -> HttpResponse:
    """Every component."""
    form = GalleryForm({"size": "s"})
    form.is_valid()
    context = {
        "crumbs": [("Workspaces", "/"), ("Acme", "/"), ("Gallery", "")],
        "states": sorted(LOOKS),
        "tabs": [("Overview", "#", True), ("Runs", "#", False, 12), ("Models", "#", False, 0)],
        "tiles": [("Requests", "12,345", "last hour"), ("p99", "38 ms"), ("Errors", "0")],
        "facts": [("Commit", "0123abc"), ("Empty", "")],
        "form": form,
        "log": "first line\n",
        "now": timezone.now(),
        "error": ValidationFailed(
            "Two fields are wrong.",
            remedy="Correct them.",
            errors=(FieldError("a", "Missing.", "Give it."), FieldError("b", "Too long.")),
        ),
    }
    return render(request, "gallery.html", context)


def chart(request: HttpRequest) -> JsonResponse:
    """Two series with different steps, or one over two hours."""
    if "time" in request.GET:
        line = {"label": "requests", "x": [MOMENT, MOMENT + 3600, MOMENT + 7200], "y": [1, 2, 3]}
        return JsonResponse({"x_label": "time", "y_label": "", "time": True, "series": [line]})
    series = [
        {"label": "train", "x": [0, 1, 2, 3], "y": [0.9, 0.7, 0.5, 0.4]},
        {"label": "validation", "x": [0, 2], "y": [0.95, 0.6]},
    ]
    return JsonResponse({"x_label": "step", "y_label": "loss", "time": False, "series": series})


def log(request: HttpRequest) -> JsonResponse:
    """The next line of the log from an offset."""
    offset = int(request.GET["offset"])
    end = LOG.index("\n", offset) + 1
    return JsonResponse({"text": LOG[offset:end], "offset": end, "finished": end == len(LOG)})


def fragment(request: HttpRequest) -> HttpResponse:
    """The last answer of something live."""
    return HttpResponse('<div id="live">The answer is here.</div>')


def reading(request: HttpRequest) -> HttpResponse:
    """What is read over time, on paper and on a narrow screen."""
    tabs = [(f"A section {number}", "#", number == 12) for number in range(1, 15)]
    return render(request, "reading.html", {"tabs": tabs, "now": timezone.now()})


def steady(request: HttpRequest) -> HttpResponse:
    """A part that replaces itself for ever, and says how often it has."""
    return render(request, "steady.html", {"count": int(request.GET.get("count", 0)) + 1})


urlpatterns = [
    path("gallery/", gallery),
    path("gallery/chart/", chart),
    path("gallery/log/", log),
    path("gallery/fragment/", fragment),
    path("gallery/steady/", steady),
    path("gallery/reading/", reading),
    path("", include("modelwright.urls")),
]
