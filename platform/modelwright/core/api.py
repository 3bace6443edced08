"""The base of every REST view: declared permissions, problem+json, cursor pages."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiParameter, extend_schema, inline_serializer
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from modelwright.core.errors import ValidationFailed
from modelwright.core.pagination import page
from modelwright.core.strict import wrong_types
from modelwright.core.text import unfit

# Declared by views that any signed-in person may call; what they then see is the selector's business.
SIGNED_IN = "signed-in"
# Declared by the few views that need no sign-in.
PUBLIC = "public"


class PlatformAPIView(APIView):
    """A REST view. `permissions` declares for each method the permission that its service or selector enforces.

    A method without a declaration does not exist. Serializers parse; services decide; nothing else happens here.
    """

    permissions: ClassVar[dict[str, str]] = {}

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Refuse what is not declared before anything else runs."""
        method = (request.method or "").upper()
        if method not in self.permissions and method not in ("HEAD", "OPTIONS"):
            self.http_method_not_allowed(request)
        super().initial(request, *args, **kwargs)
        for name, value in [*request.query_params.items(), *kwargs.items()]:
            if fault := unfit(name + str(value)):
                field = ascii(name)[1:-1]
                raise ValidationFailed(f"`{field}` holds {fault}.", remedy="Leave it out.", field=field)

    def parse(self, serializer: type[serializers.Serializer[Any]], **kwargs: Any) -> dict[str, Any]:
        """Return the validated body. Raises ValidationFailed or DRF's ValidationError, which name each wrong field."""
        bound = serializer(data=self.request.data, **kwargs)
        if wrong := tuple(wrong_types(bound, self.request.data)):
            said = "; ".join(f"{error.field}: {error.message}" for error in wrong)
            raise ValidationFailed(said, remedy="Correct the fields named in `errors`.", errors=wrong)
        bound.is_valid(raise_exception=True)
        return dict(bound.validated_data)

    def paged(self, queryset: QuerySet[Any], serializer: type[serializers.BaseSerializer[Any]]) -> Response:
        """Answer one cursor page of `queryset`."""
        rows, links = page(self.request, queryset)
        context = {"request": self.request}
        return Response({"results": [serializer(row, context=context).data for row in rows], **links})


def paged_schema(
    name: str, serializer: type[serializers.BaseSerializer[Any]], parameters: list[OpenApiParameter] | None = None
) -> Callable[[Any], Any]:
    """Describe a cursor-paged list in the OpenAPI schema."""
    body = inline_serializer(
        name=f"{name}Page",
        fields={
            "results": serializer(many=True),
            "next": serializers.URLField(allow_null=True),
            "previous": serializers.URLField(allow_null=True),
        },
    )
    own = [
        OpenApiParameter("limit", {"type": "integer", "minimum": 1, "maximum": 500}, description="Rows a page."),
        OpenApiParameter("cursor", str, description="From `next` or `previous`."),
    ]
    return extend_schema(parameters=[*own, *(parameters or [])], responses={200: body})
