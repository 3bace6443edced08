"""Addresses of this room."""

from django.urls import URLPattern, path

from sessions import action_views, agent_views, api, git_views, views

_PROJECT = "projects/<uuid:project_id>/"
_SESSION = "sessions/<uuid:session_id>/"
_GIT = "session-git/<uuid:git_id>.git/"

api_urlpatterns: list[URLPattern] = [
    path(f"{_PROJECT}sessions/", api.ProjectSessionListView.as_view(), name="api-project-sessions"),
    path(f"{_PROJECT}session-policy/", api.SessionPolicyView.as_view(), name="api-session-policy"),
    path(_SESSION, api.SessionDetailView.as_view(), name="api-session"),
    path(f"{_SESSION}stop/", api.SessionStopView.as_view(), name="api-session-stop"),
    path(f"{_SESSION}resume/", api.SessionResumeView.as_view(), name="api-session-resume"),
    path(f"{_SESSION}changes/", api.SessionChangesView.as_view(), name="api-session-changes"),
    path(f"{_SESSION}commits/", api.SessionCommitListView.as_view(), name="api-session-commits"),
    path(f"{_SESSION}merge/", api.SessionMergeView.as_view(), name="api-session-merge"),
    path(f"{_SESSION}packages/", api.SessionPackagesView.as_view(), name="api-session-packages"),
    path(f"{_SESSION}log/", api.SessionLogView.as_view(), name="api-session-log"),
    path(f"{_SESSION}samples/", api.SessionSampleListView.as_view(), name="api-session-samples"),
    path(f"{_SESSION}commands/", api.SessionCommandListView.as_view(), name="api-session-commands"),
    path(f"{_SESSION}reads/", api.SessionReadListView.as_view(), name="api-session-reads"),
]
page_urlpatterns: list[URLPattern] = [
    path(f"{_PROJECT}sessions/", views.SessionsView.as_view(), name="project-sessions"),
    path(f"{_PROJECT}sessions/new/", views.SessionStartView.as_view(), name="session-start"),
    path(f"{_PROJECT}sessions/record/", action_views.SessionPolicyView.as_view(), name="session-policy"),
    path(_SESSION, views.SessionView.as_view(), name="session"),
    path(f"{_SESSION}state/", views.SessionStateView.as_view(), name="session-state"),
    path(f"{_SESSION}log/", views.SessionLogView.as_view(), name="session-log"),
    path(f"{_SESSION}chart/", views.SessionChartView.as_view(), name="session-chart"),
    path(f"{_SESSION}stop/", action_views.SessionStopView.as_view(), name="session-stop"),
    path(f"{_SESSION}resume/", action_views.SessionResumeView.as_view(), name="session-resume"),
    path(f"{_SESSION}commit/", action_views.SessionCommitView.as_view(), name="session-commit"),
    path(f"{_SESSION}merge/", action_views.SessionMergeView.as_view(), name="session-merge"),
    path(f"{_SESSION}packages/", action_views.SessionPackagesView.as_view(), name="session-packages"),
    path(f"{_SESSION}delete/", action_views.SessionDeleteView.as_view(), name="session-delete"),
    # What the Git and the agent of a session ask, with the session's own token.
    path(f"{_GIT}info/refs", git_views.SessionReferencesView.as_view(), name="session-git-references"),
    path(f"{_GIT}git-upload-pack", git_views.SessionFetchView.as_view(), name="session-git-fetch"),
    path(f"{_GIT}git-receive-pack", git_views.SessionPushView.as_view(), name="session-git-push"),
    path("session-agent/beat/", agent_views.BeatView.as_view(), name="session-agent-beat"),
    path("session-agent/commands/", agent_views.CommandsView.as_view(), name="session-agent-commands"),
    path("session-agent/reads/", agent_views.ReadsView.as_view(), name="session-agent-reads"),
    path("session-agent/runs/", agent_views.RunsView.as_view(), name="session-agent-runs"),
]
