"""REST: audit rows and the chain, to read."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpResponse
from drf_spectacular.renderers import OpenApiJsonRenderer, OpenApiJsonRenderer2
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from modelwright.accounts.api import current_user
from modelwright.accounts.permissions import Permission
from modelwright.accounts.selectors import require_site
from modelwright.audit.selectors import EXACT_FILTERS, search
from modelwright.console import openapi, selectors
from modelwright.console.serializers import AuditEventSerializer, ChainSerializer
from modelwright.core.api import SIGNED_IN, PlatformAPIView, paged_schema
from modelwright.core.errors import ValidationFailed

_ID_FILTERS = ("workspace_id", "project_id")
_FILTERS = [
    *(
        OpenApiParameter(
            name,
            {"type": "string", "format": "uuid"} if name in _ID_FILTERS else str,
            description=f"Only rows with exactly this {name.replace('_', ' ')}.",
        )
        for name in EXACT_FILTERS
    ),
    OpenApiParameter("q", str, description="Text in names and reasons."),
    OpenApiParameter("since", str, description="A date or ISO 8601 time; rows from then on."),
    OpenApiParameter("until", str, description="A date or ISO 8601 time; rows before then."),
]


def _checked(parameters: dict[str, str]) -> dict[str, str]:
    for name, value in parameters.items():
        if "\0" in value:
            raise ValidationFailed(f"`{name}` holds a NUL character.", remedy="Leave it out.", field=name)
    for name in _ID_FILTERS:
        try:
            if parameters.get(name):
                UUID(parameters[name])
        except ValueError:
            raise ValidationFailed(f"`{name}` is not an id.", remedy="Give a UUID.", field=name) from None
    return parameters


class SchemaView(PlatformAPIView):
    """The OpenAPI schema of this API."""

    permissions = {"GET": SIGNED_IN}
    renderer_classes = [OpenApiJsonRenderer, OpenApiJsonRenderer2]

    @extend_schema(exclude=True)
    def get(self, request: Request) -> HttpResponse:
        """Answer it as JSON."""
        return HttpResponse(openapi.document_text(), content_type="application/vnd.oai.openapi+json")


class AuditEventListView(PlatformAPIView):
    """Audit rows."""

    permissions = {"GET": Permission.AUDIT_READ}

    @paged_schema("AuditEvent", AuditEventSerializer, _FILTERS)
    def get(self, request: Request) -> Response:
        """List audit rows, newest first."""
        require_site(current_user(request), Permission.AUDIT_READ)
        return self.paged(search(_checked(request.query_params.dict())), AuditEventSerializer)


class AuditEventDetailView(PlatformAPIView):
    """An audit row."""

    permissions = {"GET": Permission.AUDIT_READ}

    @extend_schema(responses=AuditEventSerializer)
    def get(self, request: Request, event_id: UUID) -> Response:
        """Answer one audit row."""
        return Response(AuditEventSerializer(selectors.event(current_user(request), event_id)).data)


class AuditChainView(PlatformAPIView):
    """The seal over the audit log."""

    permissions = {"GET": Permission.AUDIT_READ}

    @extend_schema(
        operation_id="audit_chain",
        parameters=[OpenApiParameter("verify", bool, description="Recompute every link; takes time on a long log.")],
        responses=ChainSerializer,
    )
    def get(self, request: Request) -> Response:
        """Answer the state of the chain."""
        wanted = request.query_params.get("verify", "false").lower()
        if wanted not in ("true", "false"):
            raise ValidationFailed(f"`verify` is {wanted[:20]!r}.", remedy="Give true or false.", field="verify")
        chain = selectors.chain(current_user(request), recompute=wanted == "true")
        verdict = chain.verdict
        body = {
            "length": chain.length,
            "unsealed": chain.unsealed,
            "last_digest": chain.last_digest,
            "last_sealed_at": chain.last_sealed_at,
            "verified": None if verdict is None else not verdict.fault,
            "fault": None if verdict is None else verdict.fault,
        }
        return Response(ChainSerializer(body).data)
