"""Every address. The one place that knows every app."""

from django.urls import include, path

from jobs import urls as jobs
from models.approvals import urls as approvals
from models.availability import urls as availability
from models.batch import urls as batch
from models.endpoints import urls as endpoints
from models.events import urls as events
from models.predictions import urls as predictions
from models.registry import urls as registry
from models.replays import urls as replays
from models.rollouts import urls as rollouts
from modelwright.accounts import urls as accounts
from modelwright.compute import urls as compute
from modelwright.console import urls as console
from modelwright.console.api import SchemaView
from modelwright.observability import urls as observability
from projects import urls as projects
from sessions import urls as sessions
from sessions.applications import urls as applications
from sessions.entering import urls as entering
from workspaces import urls as workspaces

API = [
    *accounts.api_urlpatterns,
    *compute.api_urlpatterns,
    *console.api_urlpatterns,
    *workspaces.api_urlpatterns,
    *projects.api_urlpatterns,
    *jobs.api_urlpatterns,
    *registry.api_urlpatterns,
    *approvals.api_urlpatterns,
    *endpoints.api_urlpatterns,
    *predictions.api_urlpatterns,
    *batch.api_urlpatterns,
    *replays.api_urlpatterns,
    *rollouts.api_urlpatterns,
    *availability.api_urlpatterns,
    *events.api_urlpatterns,
    *sessions.api_urlpatterns,
    *applications.api_urlpatterns,
]
PAGES = [
    *observability.page_urlpatterns,
    *accounts.page_urlpatterns,
    *compute.page_urlpatterns,
    *console.page_urlpatterns,
    *workspaces.page_urlpatterns,
    *projects.page_urlpatterns,
    *jobs.page_urlpatterns,
    *registry.page_urlpatterns,
    *approvals.page_urlpatterns,
    *endpoints.page_urlpatterns,
    *predictions.page_urlpatterns,
    *batch.page_urlpatterns,
    *replays.page_urlpatterns,
    *rollouts.page_urlpatterns,
    *availability.page_urlpatterns,
    *events.page_urlpatterns,
    *sessions.page_urlpatterns,
    *applications.page_urlpatterns,
    *entering.page_urlpatterns,
]

urlpatterns = [
    path("api/v1/", include(API)),
    path("api/schema/", SchemaView.as_view(), name="api-schema"),
    *PAGES,
]

handler400 = "modelwright.core.pages.bad_request"
handler403 = "modelwright.core.pages.permission_denied"
handler404 = "modelwright.core.pages.page_not_found"
handler500 = "modelwright.core.pages.server_error"
