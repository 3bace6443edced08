"""Addresses of this room."""

from django.urls import path

from modelwright.accounts import api

api_urlpatterns = [
    path("me/", api.MeView.as_view(), name="api-me"),
    path("users/", api.UserListView.as_view(), name="api-users"),
    path("users/<uuid:user_id>/", api.UserDetailView.as_view(), name="api-user"),
    path("tokens/", api.TokenListView.as_view(), name="api-tokens"),
    path("tokens/<uuid:token_id>/", api.TokenDetailView.as_view(), name="api-token"),
]
page_urlpatterns: list[object] = []
