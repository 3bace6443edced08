"""Pages: signing in and out, one's own profile and tokens, and the people of the installation."""

from __future__ import annotations

from typing import cast
from uuid import UUID

from django.contrib import messages
from django.contrib.auth import update_session_auth_hash
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.shortcuts import redirect, render, resolve_url
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.utils.http import url_has_allowed_host_and_scheme
from django.views import View
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters

from modelwright.accounts import selectors, services
from modelwright.accounts.actors import actor_of
from modelwright.accounts.forms import PasswordForm, PersonForm, ResetForm, RolesForm, SignInForm, TokenForm
from modelwright.accounts.models import User
from modelwright.accounts.permissions import Permission
from modelwright.accounts.sign_in import confirm, sign_in, sign_out
from modelwright.core.api import PUBLIC, SIGNED_IN
from modelwright.core.errors import NotFound, PlatformError, ValidationFailed
from modelwright.core.forms import show_problem
from modelwright.core.listing import Column, Filter, Listing
from modelwright.core.pages import PlatformView


def person_of(request: HttpRequest) -> User:
    """The signed-in person of a page's request."""
    return cast(User, request.user)


@method_decorator([never_cache, sensitive_post_parameters("password")], name="dispatch")
class SignInView(View):
    """Sign in."""

    permissions = {"GET": PUBLIC, "POST": PUBLIC}

    def get(self, request: HttpRequest) -> HttpResponseBase:
        """Show the form, or go on for whoever is signed in."""
        if request.user.is_authenticated:
            return self._go_on(request)
        return self._form(request, SignInForm())

    def post(self, request: HttpRequest) -> HttpResponseBase:
        """Sign in and go to the page that was asked for."""
        form = SignInForm(request.POST)
        if not form.is_valid():
            return self._form(request, form, 422)
        try:
            sign_in(request, **form.cleaned_data)
        except PlatformError as error:
            show_problem(form, error)
            return self._form(request, form, error.status)
        return self._go_on(request)

    def _form(self, request: HttpRequest, form: SignInForm, status: int = 200) -> HttpResponse:
        wanted = request.POST.get("next", request.GET.get("next", ""))
        return render(request, "accounts/sign_in.html", {"form": form, "next": wanted}, status=status)

    def _go_on(self, request: HttpRequest) -> HttpResponseRedirect:
        wanted = request.POST.get("next", request.GET.get("next", ""))
        safe = url_has_allowed_host_and_scheme(wanted, {request.get_host()}, require_https=request.is_secure())
        return HttpResponseRedirect(wanted if safe else resolve_url("home"))


class SignOutView(View):
    """Sign out."""

    permissions = {"POST": PUBLIC}

    def post(self, request: HttpRequest) -> HttpResponseBase:
        """End the login session."""
        sign_out(request)
        messages.success(request, "You are signed out.")
        return redirect("login")


class ProfileView(PlatformView):
    """One's own profile, with API tokens."""

    permissions = {"GET": SIGNED_IN}
    template = "accounts/profile.html"

    def get(self, request: HttpRequest) -> HttpResponseBase:
        """Show the signed-in person and their tokens."""
        columns = [
            Column("Name", "name"),
            Column("Begins with"),
            Column("May", "scope"),
            Column("Made", "created", "created_at"),
            Column("Last used", "used", "last_used_at"),
            Column("Expires", "expires", "expires_at"),
            Column("Actions", hidden_label=True),
        ]
        tokens = selectors.tokens_of(person_of(request)).filter(revoked_at=None)
        listing = Listing(tokens, request.GET, columns=columns, default_sort="-created", page_size=20)
        context = {"listing": listing, "new_token_url": reverse("token-create")}
        return self.page(context, crumbs=[("Profile", "")])


@method_decorator(sensitive_post_parameters(), name="dispatch")
class PasswordView(PlatformView):
    """Change one's own password."""

    permissions = {"GET": SIGNED_IN, "POST": SIGNED_IN}
    template = "components/form_page.html"

    def get(self, request: HttpRequest) -> HttpResponseBase:
        """Show the form."""
        return self._form(PasswordForm())

    def post(self, request: HttpRequest) -> HttpResponseBase:
        """Change the password; this login session goes on, others end."""
        form = PasswordForm(request.POST)
        if not form.is_valid():
            return self._form(form, 422)
        values = form.cleaned_data
        user = person_of(request)
        try:
            confirm(request, password=values["old"])
            services.change_own_password(old=values["old"], new=values["password"], acting_user=actor_of(request))
        except PlatformError as error:
            show_problem(form, error)
            return self._form(form, error.status)
        user.refresh_from_db()
        update_session_auth_hash(request, user)
        messages.success(request, "Your password is changed. Your other login sessions have ended.")
        return redirect("profile")

    def _form(self, form: PasswordForm, status: int = 200) -> HttpResponse:
        context = {"form": form, "title": "Change password", "submit": "Change password"}
        crumbs = [("Profile", reverse("profile")), ("Change password", "")]
        return self.page(context | {"cancel_url": reverse("profile")}, crumbs=crumbs, status=status)


@method_decorator(never_cache, name="dispatch")
class TokenCreateView(PlatformView):
    """Make an API token."""

    permissions = {"GET": SIGNED_IN, "POST": SIGNED_IN}
    template = "components/form_page.html"

    def get(self, request: HttpRequest) -> HttpResponseBase:
        """Show the form."""
        return self._form(TokenForm())

    def post(self, request: HttpRequest) -> HttpResponseBase:
        """Make the token and show its text this once."""
        form = TokenForm(request.POST)
        if not form.is_valid():
            return self._form(form, 422)
        token, text = services.create_token(
            name=form.cleaned_data["name"],
            scope=form.cleaned_data["scope"],
            expires_at=form.expires_at(),
            acting_user=actor_of(request),
        )
        crumbs = [("Profile", reverse("profile")), ("New API token", "")]
        example = f'curl -H "Authorization: Bearer {text}" {request.build_absolute_uri(reverse("api-me"))}'
        context = {"token": token, "text": text, "example": example}
        return self.page(context, crumbs=crumbs, template="accounts/token_made.html")

    def _form(self, form: TokenForm, status: int = 200) -> HttpResponse:
        intro = "A token lets a script use the REST API in your name."
        context = {"form": form, "title": "New API token", "submit": "Make token", "intro": intro}
        crumbs = [("Profile", reverse("profile")), ("New API token", "")]
        return self.page(context | {"cancel_url": reverse("profile")}, crumbs=crumbs, status=status)


class TokenRevokeView(PlatformView):
    """Revoke one of one's own tokens."""

    permissions = {"GET": SIGNED_IN, "POST": SIGNED_IN}
    template = "components/confirm_page.html"

    def get(self, request: HttpRequest, token_id: UUID) -> HttpResponseBase:
        """Ask."""
        token = selectors.token_of(person_of(request), token_id)
        context = {
            "title": f"Revoke the token “{token.name}”",
            "explanation": "Whatever uses this token is refused from then on. This cannot be undone.",
            "submit": "Revoke token",
            "cancel_url": reverse("profile"),
            "danger": True,
        }
        return self.page(context, crumbs=[("Profile", reverse("profile")), ("Revoke token", "")])

    def post(self, request: HttpRequest, token_id: UUID) -> HttpResponseBase:
        """Revoke."""
        token = selectors.token_of(person_of(request), token_id)
        services.revoke_token(token, acting_user=actor_of(request))
        messages.success(request, f"The token “{token.name}” is revoked.")
        return redirect("profile")


_YES_NO = (("yes", "Yes"), ("no", "No"))
_ROLES = (("admin", "Administrator"), ("auditor", "Auditor"))
_ROLE_FIELDS = {"admin": "is_site_admin", "auditor": "is_auditor"}


def _with_role(people: QuerySet[User], role: str) -> QuerySet[User]:
    return people.filter(**{_ROLE_FIELDS[role]: True})


class PeopleView(PlatformView):
    """The people of the installation."""

    permissions = {"GET": Permission.AUDIT_READ}
    template = "accounts/people.html"

    def get(self, request: HttpRequest) -> HttpResponseBase:
        """List them for administrators and auditors."""
        user = person_of(request)
        selectors.require_site(user, Permission.AUDIT_READ)
        columns = [
            Column("User name", "username"),
            Column("Name", "name", "full_name"),
            Column("E-mail", "email"),
            Column("Site role"),
            Column("State", "active", "is_active"),
            Column("Last sign-in", "seen", "last_login"),
            Column("Added", "added", "created_at"),
        ]
        filters = [
            Filter("q", "Name or e-mail", ("username", "full_name", "email")),
            Filter(
                "role", "Site role", choices=_ROLES, apply=lambda rows, key: rows.filter(**{_ROLE_FIELDS[key]: True})
            ),
            Filter("active", "Active", choices=_YES_NO, apply=lambda rows, key: rows.filter(is_active=key == "yes")),
        ]
        listing = Listing(
            selectors.people(user), request.GET, columns=columns, filters=filters, default_sort="username"
        )
        return self.page({"listing": listing}, crumbs=[("People", "")])


@method_decorator(sensitive_post_parameters("password"), name="dispatch")
class PersonCreateView(PlatformView):
    """Add a person."""

    permissions = {"GET": Permission.SITE_MANAGE, "POST": Permission.SITE_MANAGE}
    template = "components/form_page.html"

    def get(self, request: HttpRequest) -> HttpResponseBase:
        """Show the form."""
        selectors.require_site(person_of(request), Permission.SITE_MANAGE)
        return self._form(PersonForm())

    def post(self, request: HttpRequest) -> HttpResponseBase:
        """Add them."""
        selectors.require_site(person_of(request), Permission.SITE_MANAGE)
        form = PersonForm(request.POST)
        if not form.is_valid():
            return self._form(form, 422)
        try:
            made = services.create_user(**form.cleaned_data, acting_user=actor_of(request))
        except PlatformError as error:
            show_problem(form, error)
            return self._form(form, error.status)
        messages.success(request, f"{made.username} is added. Tell them their first password in person.")
        return redirect("person", made.pk)

    def _form(self, form: PersonForm, status: int = 200) -> HttpResponse:
        context = {"form": form, "title": "Add a person", "submit": "Add person", "cancel_url": reverse("people")}
        return self.page(context, crumbs=[("People", reverse("people")), ("Add a person", "")], status=status)


@method_decorator(sensitive_post_parameters("password"), name="dispatch")
class PersonPasswordView(PlatformView):
    """Give a person another password."""

    permissions = {"GET": Permission.SITE_MANAGE, "POST": Permission.SITE_MANAGE}
    template = "components/form_page.html"

    def get(self, request: HttpRequest, user_id: UUID) -> HttpResponseBase:
        """Show the form."""
        return self._form(person_seen(request, user_id), ResetForm())

    def post(self, request: HttpRequest, user_id: UUID) -> HttpResponseBase:
        """Set it."""
        person = person_seen(request, user_id)
        form = ResetForm(request.POST)
        if not form.is_valid():
            return self._form(person, form, 422)
        try:
            services.reset_password(person, new=form.cleaned_data["password"], acting_user=actor_of(request))
        except ValidationFailed as error:
            show_problem(form, error)
            return self._form(person, form, error.status)
        messages.success(request, f"{person.username} has another password, and their login sessions have ended.")
        return redirect("person", person.pk)

    def _form(self, person: User, form: ResetForm, status: int = 200) -> HttpResponse:
        selectors.require_site(person_of(self.request), Permission.SITE_MANAGE)
        back = reverse("person", args=[person.pk])
        context = {"form": form, "title": f"Reset the password of {person.username}", "submit": "Reset password"}
        context |= {"intro": "Their login sessions end. Their API tokens stay valid.", "cancel_url": back}
        crumbs = [("People", reverse("people")), (person.username, back), ("Reset password", "")]
        return self.page(context, crumbs=crumbs, status=status)


def person_seen(request: HttpRequest, user_id: UUID) -> User:
    """A person whom the viewer may see. Raises NotFound."""
    person = selectors.people(person_of(request)).filter(pk=user_id).first()
    if person is None:
        raise NotFound("There is no such person.", remedy="See the list of people.")
    return person


class PersonView(PlatformView):
    """One person: their roles and activity."""

    permissions = {"GET": SIGNED_IN, "POST": Permission.SITE_MANAGE}
    template = "accounts/person.html"

    def get(self, request: HttpRequest, user_id: UUID) -> HttpResponseBase:
        """Show a person whom the viewer may see."""
        person = person_seen(request, user_id)
        return self._show(request, person, RolesForm(initial=_roles(person)))

    def post(self, request: HttpRequest, user_id: UUID) -> HttpResponseBase:
        """Change their roles or activity."""
        person = person_seen(request, user_id)
        form = RolesForm(request.POST)
        if not form.is_valid():
            return self._show(request, person, form, 422)
        try:
            services.change_user(person, **form.cleaned_data, acting_user=actor_of(request))
        except PlatformError as error:
            show_problem(form, error)
            return self._show(request, person, form, error.status)
        messages.success(request, f"{person.username} is changed.")
        return redirect("person", person.pk)

    def _show(self, request: HttpRequest, person: User, form: RolesForm, status: int = 200) -> HttpResponse:
        context = {"person": person, "form": form if person_of(request).is_site_admin else None}
        people_url = reverse("people") if person_of(request).is_site_admin or person_of(request).is_auditor else ""
        return self.page(context, crumbs=[("People", people_url), (person.username, "")], status=status)


def _roles(person: User) -> dict[str, bool]:
    return {name: getattr(person, name) for name in RolesForm.base_fields}
