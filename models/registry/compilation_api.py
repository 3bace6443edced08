"""REST: the compiled form of a version."""

from __future__ import annotations

from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from models.registry import compiling, selectors
from models.registry.serializers import CompiledSerializer
from modelwright.accounts.actors import actor_of
from modelwright.accounts.api import current_user
from modelwright.accounts.idempotency import idempotent
from modelwright.accounts.permissions import Permission
from modelwright.core.api import PlatformAPIView


class CompilationView(PlatformAPIView):
    """Compiling a version to ONNX."""

    permissions = {"POST": Permission.MODEL_EDIT}

    @extend_schema(request=None, responses={202: CompiledSerializer})
    @idempotent
    def post(self, request: Request, version_id: UUID) -> Response:
        """Compile it, again where that came to nothing. 409 while it is compiled and once it is proved equal."""
        version = selectors.get_version(current_user(request), version_id, Permission.MODEL_EDIT)
        compiled = compiling.compile_again(version, acting_user=actor_of(request))
        return Response(CompiledSerializer(compiled).data, status=202)
