"""Addresses of this room."""

from django.urls import path

from modelwright.console import (
    api,
    audit_views,
    docs_views,
    home_views,
    process_api,
    process_views,
    secret_api,
    secret_views,
    usage_api,
    usage_views,
)

api_urlpatterns = [
    path("audit-events/", api.AuditEventListView.as_view(), name="api-audit-events"),
    path("audit-events/<uuid:event_id>/", api.AuditEventDetailView.as_view(), name="api-audit-event"),
    path("audit-chain/", api.AuditChainView.as_view(), name="api-audit-chain"),
    path("secret-reads/", secret_api.SecretReadListView.as_view(), name="api-secret-reads"),
    path("usage/", usage_api.UsageView.as_view(), name="api-usage"),
    path("usage/rates/", usage_api.UsageRatesView.as_view(), name="api-usage-rates"),
    path("workloads/", process_api.WorkloadListView.as_view(), name="api-workloads"),
    path("workloads/<uuid:workload_id>/", process_api.WorkloadDetailView.as_view(), name="api-workload"),
]
page_urlpatterns = [
    path("", home_views.HomeView.as_view(), name="home"),
    path("audit/", audit_views.AuditListView.as_view(), name="audit"),
    path("audit/seal/", audit_views.AuditChainView.as_view(), name="audit-seal"),
    path("audit/export.<str:form>", audit_views.AuditExportView.as_view(), name="audit-export"),
    path("audit/<uuid:event_id>/", audit_views.AuditEventView.as_view(), name="audit-event"),
    path("secret-reads/", secret_views.SecretReadsView.as_view(), name="secret-reads"),
    path("usage/", usage_views.UsageView.as_view(), name="usage"),
    path("usage/chart/", usage_views.UsageChartView.as_view(), name="usage-chart"),
    path("usage/export.csv", usage_views.UsageExportView.as_view(), name="usage-export"),
    path("usage/rates/", usage_views.UsageRatesView.as_view(), name="usage-rates"),
    path("workloads/", process_views.WorkloadsView.as_view(), name="workloads"),
    path("workloads/export.<str:form>", process_views.WorkloadsExportView.as_view(), name="workloads-export"),
    path("workloads/<uuid:workload_id>/", process_views.WorkloadView.as_view(), name="workload"),
    path("api/docs/", docs_views.ApiDocsView.as_view(), name="api-docs"),
    path("docs/problems/", docs_views.ProblemsView.as_view(), name="docs-problems"),
]
