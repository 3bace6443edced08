"""REST: checks, cards, tests and policies; promotions are in `promotion_api`."""

from __future__ import annotations

from uuid import UUID

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from models.approvals import selectors, services
from models.approvals.cards import newest_card, unfilled
from models.approvals.prefilling import drafts
from models.approvals.serializers import (
    CardChangeSerializer,
    CardDetailSerializer,
    CardSerializer,
    CheckSerializer,
    PolicySerializer,
    VersionTestListSerializer,
    VersionTestSerializer,
)
from models.registry.models import ModelVersion
from models.registry.selectors import get_version
from modelwright.accounts.actors import actor_of
from modelwright.accounts.api import current_user
from modelwright.accounts.idempotency import idempotent
from modelwright.accounts.permissions import Permission
from modelwright.core.api import PlatformAPIView, paged_schema
from modelwright.core.etags import check_revision, expected_revision, tagged
from projects.selectors import get_project

IF_MATCH = OpenApiParameter("If-Match", str, OpenApiParameter.HEADER, description="The ETag that you have read.")


class CheckListView(PlatformAPIView):
    """What was found out about a version."""

    permissions = {"GET": Permission.PROJECT_VIEW}

    @paged_schema("Check", CheckSerializer)
    def get(self, request: Request, version_id: UUID) -> Response:
        """List the checks, newest first; of each kind the newest counts."""
        version = get_version(current_user(request), version_id)
        return self.paged(selectors.checks_of(version), CheckSerializer)


class CardView(PlatformAPIView):
    """The model card of a version."""

    permissions = {"GET": Permission.PROJECT_VIEW, "PUT": Permission.MODEL_EDIT}

    @extend_schema(responses=CardDetailSerializer)
    def get(self, request: Request, version_id: UUID) -> Response:
        """Answer the card as it is now, and drafts of what is empty."""
        return _card(get_version(current_user(request), version_id))

    @extend_schema(request=CardChangeSerializer, responses=CardDetailSerializer, parameters=[IF_MATCH])
    def put(self, request: Request, version_id: UUID) -> Response:
        """Save a new revision. Once every needed section has a text, the check `card` is passed."""
        version = get_version(current_user(request), version_id, Permission.MODEL_EDIT)
        expected = expected_revision(request)
        card = newest_card(version)
        check_revision(card.number if card else 0, expected)
        sections = self.parse(CardChangeSerializer)["sections"]
        services.save_card(version, sections=sections, expected=expected, acting_user=actor_of(request))
        return _card(version)


class CardRevisionListView(PlatformAPIView):
    """Every revision of a version's card."""

    permissions = {"GET": Permission.PROJECT_VIEW}

    @paged_schema("ModelCardRevision", CardSerializer)
    def get(self, request: Request, version_id: UUID) -> Response:
        """List the revisions, newest first."""
        return self.paged(selectors.cards_of(get_version(current_user(request), version_id)), CardSerializer)


class VersionTestListView(PlatformAPIView):
    """Tests of a version: the project's steps of kind `test`, run on it."""

    permissions = {"GET": Permission.PROJECT_VIEW, "POST": Permission.RUN_START}

    @paged_schema("VersionTest", VersionTestSerializer)
    def get(self, request: Request, version_id: UUID) -> Response:
        """List the runs, newest first."""
        return self.paged(selectors.tests_of(get_version(current_user(request), version_id)), VersionTestSerializer)

    @extend_schema(request=None, responses={201: VersionTestListSerializer})
    @idempotent
    def post(self, request: Request, version_id: UUID) -> Response:
        """Start every test step of the version's model. Once all have ended, the check `tests` is on record."""
        version = get_version(current_user(request), version_id, Permission.RUN_START)
        tests = services.start_tests(version, acting_user=actor_of(request))
        return Response(VersionTestListSerializer({"results": tests}).data, status=201)


class PolicyView(PlatformAPIView):
    """Which checks a project needs for a stage."""

    permissions = {"GET": Permission.PROJECT_VIEW, "PUT": Permission.PROJECT_MANAGE}

    @extend_schema(responses=PolicySerializer)
    def get(self, request: Request, project_id: UUID) -> Response:
        """Answer the kinds for staging and for production."""
        policy = selectors.policy_of(get_project(current_user(request), project_id))
        return tagged(PolicySerializer(policy).data, policy.revision)

    @extend_schema(request=PolicySerializer, responses=PolicySerializer, parameters=[IF_MATCH])
    def put(self, request: Request, project_id: UUID) -> Response:
        """Change them; a stage that is left out stays. It holds for what is approved from now on."""
        project = get_project(current_user(request), project_id, Permission.PROJECT_MANAGE)
        expected = expected_revision(request)
        check_revision(selectors.policy_of(project).revision, expected)
        values = self.parse(PolicySerializer)
        policy = services.change_policy(project, **values, expected=expected, acting_user=actor_of(request))
        return tagged(PolicySerializer(policy).data, policy.revision)


def _card(version: ModelVersion) -> Response:
    card = newest_card(version)
    sections = card.sections if card else {}
    facts = {
        "revision": card.number if card else 0,
        "sections": sections,
        "unfilled": [section.key for section in unfilled(sections)],
        "drafts": {key: text for key, text in drafts(version).items() if key not in sections},
        "author_name": card.author_name if card else "",
        "created_at": card.created_at if card else None,
    }
    return tagged(CardDetailSerializer(facts).data, card.number if card else 0)
