"""Every address. The one place that knows every app."""

from django.urls import include, path
from drf_spectacular.views import SpectacularJSONAPIView

from modelwright.accounts import urls as accounts
from projects import urls as projects
from workspaces import urls as workspaces

API = [
    *accounts.api_urlpatterns,
    *workspaces.api_urlpatterns,
    *projects.api_urlpatterns,
]
PAGES = [
    *accounts.page_urlpatterns,
    *workspaces.page_urlpatterns,
    *projects.page_urlpatterns,
]

urlpatterns = [
    path("api/v1/", include(API)),
    path("api/schema/", SpectacularJSONAPIView.as_view(), name="api-schema"),
    *PAGES,
]
