"""Pages: truth for a prediction, making it again, its receipt, and the keys that sign receipts."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import redirect

from models.endpoints.pages import EndpointPage
from models.predictions import selectors
from models.predictions.evidence import again
from models.predictions.evidence_selectors import project_of
from models.predictions.feedback_forms import TruthForm
from models.predictions.feedback_services import by_prediction, give
from models.predictions.receipt_keys import public_keys
from models.predictions.receipts import receipt_of
from models.predictions.reexecution_services import start_reexecution
from models.predictions.views import PredictionView
from modelwright.accounts.actors import actor_of
from modelwright.accounts.permissions import Permission
from modelwright.accounts.views import person_of
from modelwright.core.api import SIGNED_IN
from modelwright.core.errors import PlatformError
from modelwright.core.pages import PlatformView


class TruthView(PredictionView):
    """Say what turned out to be true of a prediction."""

    permissions = {"POST": Permission.PREDICT}

    def post(self, request: HttpRequest, prediction_id: UUID) -> HttpResponseBase:
        """Store it; show the page again with what is wrong."""
        person = person_of(request)
        prediction = selectors.get_prediction(person, prediction_id)
        project_of(person, prediction, Permission.PREDICT)
        version = selectors.provenance(person, prediction).version
        form = TruthForm(prediction, version.signature if version else None, request.POST)
        if not form.is_valid():
            return self.show(request, prediction, form=form, status=422)
        try:
            give(by_prediction(prediction), form.cleaned_data["placed"], acting_user=actor_of(request))
        except PlatformError as error:
            form.explain(error)
            return self.show(request, prediction, form=form, status=error.status)
        messages.success(request, "The truth is on record.")
        return redirect("prediction", prediction.pk)


class ReexecutionsView(EndpointPage):
    """Making a prediction again: the part of its page that follows it, and the button."""

    permissions = {"GET": Permission.PROJECT_VIEW, "POST": Permission.PREDICT}
    template = "predictions/_reexecutions.html"

    def get(self, request: HttpRequest, prediction_id: UUID) -> HttpResponseBase:
        """Answer the fragment; the last one, when nothing runs any more, asks for no other."""
        person = person_of(request)
        prediction = selectors.get_prediction(person, prediction_id)
        project = project_of(person, prediction)
        return self.page({**self.may(request, project), **again(prediction)})

    def post(self, request: HttpRequest, prediction_id: UUID) -> HttpResponseBase:
        """Make it again."""
        prediction = selectors.get_prediction(person_of(request), prediction_id)
        start_reexecution(prediction, acting_user=actor_of(request))
        messages.success(request, "The prediction is being made again.")
        return redirect("prediction", prediction.pk)


class ReceiptDownloadView(EndpointPage):
    """A prediction's receipt as a file."""

    permissions = {"GET": Permission.PROJECT_VIEW}

    def get(self, request: HttpRequest, prediction_id: UUID) -> HttpResponseBase:
        """Answer it."""
        receipt = receipt_of(selectors.get_prediction(person_of(request), prediction_id))
        response = JsonResponse(receipt, json_dumps_params={"indent": 2, "ensure_ascii": False})
        response.headers["Content-Disposition"] = f'attachment; filename="receipt-{prediction_id.hex}.json"'
        return response


class ReceiptKeysView(PlatformView):
    """The public keys of receipts."""

    permissions = {"GET": SIGNED_IN}
    template = "predictions/receipt_keys.html"

    def get(self, request: HttpRequest) -> HttpResponseBase:
        """List them, the one in use first."""
        return self.page({"keys": public_keys()}, crumbs=[("Keys of receipts", "")])


class ReceiptKeysFileView(PlatformView):
    """The public keys of receipts as one file."""

    permissions = {"GET": SIGNED_IN}

    def get(self, request: HttpRequest) -> HttpResponseBase:
        """Answer them as PEM."""
        response = HttpResponse("".join(key.public_key for key in public_keys()), content_type="application/x-pem-file")
        response.headers["Content-Disposition"] = 'attachment; filename="modelwright-receipt-keys.pem"'
        return response
