"""Addresses of this room."""

from django.urls import path

from modelwright.accounts import api, views

api_urlpatterns = [
    path("me/", api.MeView.as_view(), name="api-me"),
    path("users/", api.UserListView.as_view(), name="api-users"),
    path("users/<uuid:user_id>/", api.UserDetailView.as_view(), name="api-user"),
    path("tokens/", api.TokenListView.as_view(), name="api-tokens"),
    path("tokens/<uuid:token_id>/", api.TokenDetailView.as_view(), name="api-token"),
]
page_urlpatterns = [
    path("login/", views.SignInView.as_view(), name="login"),
    path("logout/", views.SignOutView.as_view(), name="logout"),
    path("profile/", views.ProfileView.as_view(), name="profile"),
    path("profile/password/", views.PasswordView.as_view(), name="password"),
    path("profile/tokens/new/", views.TokenCreateView.as_view(), name="token-create"),
    path("profile/tokens/<uuid:token_id>/revoke/", views.TokenRevokeView.as_view(), name="token-revoke"),
    path("people/", views.PeopleView.as_view(), name="people"),
    path("people/new/", views.PersonCreateView.as_view(), name="person-create"),
    path("people/<uuid:user_id>/", views.PersonView.as_view(), name="person"),
    path("people/<uuid:user_id>/password/", views.PersonPasswordView.as_view(), name="person-password"),
]
