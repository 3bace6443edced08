"""Addresses of this room. The proxy leads people to `<kind>s/<id>/enter/`."""

from django.urls import URLPattern, path

from sessions.entering import views

page_urlpatterns: list[URLPattern] = [
    path("sessions/<uuid:session_id>/enter/", views.SessionEnterView.as_view(), name="session-enter"),
    path("applications/<uuid:application_id>/enter/", views.ApplicationEnterView.as_view(), name="application-enter"),
]
