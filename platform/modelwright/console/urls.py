"""Addresses of this room."""

from django.urls import path

from modelwright.console import api, audit_views, docs_views, home_views

api_urlpatterns = [
    path("audit-events/", api.AuditEventListView.as_view(), name="api-audit-events"),
    path("audit-events/<uuid:event_id>/", api.AuditEventDetailView.as_view(), name="api-audit-event"),
    path("audit-chain/", api.AuditChainView.as_view(), name="api-audit-chain"),
]
page_urlpatterns = [
    path("", home_views.HomeView.as_view(), name="home"),
    path("audit/", audit_views.AuditListView.as_view(), name="audit"),
    path("audit/seal/", audit_views.AuditChainView.as_view(), name="audit-seal"),
    path("audit/export.<str:form>", audit_views.AuditExportView.as_view(), name="audit-export"),
    path("audit/<uuid:event_id>/", audit_views.AuditEventView.as_view(), name="audit-event"),
    path("api/docs/", docs_views.ApiDocsView.as_view(), name="api-docs"),
    path("docs/problems/", docs_views.ProblemsView.as_view(), name="docs-problems"),
]
