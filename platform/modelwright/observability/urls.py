"""Addresses of this room."""

from django.urls import path

from modelwright.observability import health, scraping

page_urlpatterns = [
    path("health/live", health.live, name="health-live"),
    path("health/ready", health.ready, name="health-ready"),
    path("metrics", scraping.metrics, name="metrics"),
]
