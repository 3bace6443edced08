"""REST: predictions made again, receipts, and the keys that signed them."""

from __future__ import annotations

from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from models.predictions.evidence_selectors import get_reexecution, reexecutions_of
from models.predictions.evidence_serializers import (
    ReceiptKeyListSerializer,
    ReceiptSerializer,
    ReexecutionSerializer,
)
from models.predictions.receipt_keys import public_keys
from models.predictions.receipts import receipt_of
from models.predictions.reexecution_services import start_reexecution
from models.predictions.selectors import get_prediction
from modelwright.accounts.actors import actor_of
from modelwright.accounts.api import current_user
from modelwright.accounts.idempotency import idempotent
from modelwright.accounts.permissions import Permission
from modelwright.core.api import PUBLIC, PlatformAPIView, paged_schema


class ReexecutionListView(PlatformAPIView):
    """A prediction made again."""

    permissions = {"GET": Permission.PROJECT_VIEW, "POST": Permission.PREDICT}

    @paged_schema("Reexecution", ReexecutionSerializer)
    def get(self, request: Request, prediction_id: UUID) -> Response:
        """List how often it was made again, newest first, each with its verdict."""
        prediction = get_prediction(current_user(request), prediction_id)
        return self.paged(reexecutions_of(prediction), ReexecutionSerializer)

    @extend_schema(request=None, responses={201: ReexecutionSerializer})
    @idempotent
    def post(self, request: Request, prediction_id: UUID) -> Response:
        """Make it again on its exact version and path: follow `state` to `same`, `different` or `failed`."""
        prediction = get_prediction(current_user(request), prediction_id)
        made = start_reexecution(prediction, acting_user=actor_of(request))
        return Response(ReexecutionSerializer(made).data, status=201)


class ReexecutionDetailView(PlatformAPIView):
    """One re-execution."""

    permissions = {"GET": Permission.PROJECT_VIEW}

    @extend_schema(responses=ReexecutionSerializer)
    def get(self, request: Request, reexecution_id: UUID) -> Response:
        """Answer one re-execution: how far it is, and whether the answer came again."""
        return Response(ReexecutionSerializer(get_reexecution(current_user(request), reexecution_id)).data)


class ReceiptView(PlatformAPIView):
    """A prediction's receipt."""

    permissions = {"GET": Permission.PROJECT_VIEW}

    @extend_schema(responses=ReceiptSerializer)
    def get(self, request: Request, prediction_id: UUID) -> Response:
        """Answer the signed receipt: `./modelwright verify-receipt` checks it without the platform."""
        receipt = receipt_of(get_prediction(current_user(request), prediction_id))
        name = f"receipt-{prediction_id.hex}.json"
        return Response(receipt, headers={"Content-Disposition": f'attachment; filename="{name}"'})


class ReceiptKeyListView(PlatformAPIView):
    """The keys of receipts."""

    permissions = {"GET": PUBLIC}
    authentication_classes = ()
    permission_classes = (AllowAny,)

    @extend_schema(responses=ReceiptKeyListSerializer)
    def get(self, request: Request) -> Response:
        """List the public keys that ever signed a receipt here, the one in use first. They are no secret."""
        return Response(ReceiptKeyListSerializer({"results": public_keys()}).data)
