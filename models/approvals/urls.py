"""Addresses of this room."""

from django.urls import URLPattern, path

from models.approvals import api, card_views, consent_api, consent_views, promotion_api, promotion_views, views

_VERSION = "model-versions/<uuid:version_id>/"
_PROMOTION = "promotions/<uuid:promotion_id>/"
_CONSENT = "consents/<uuid:consent_id>/"

api_urlpatterns: list[URLPattern] = [
    path(f"{_VERSION}checks/", api.CheckListView.as_view(), name="api-model-version-checks"),
    path(f"{_VERSION}card/", api.CardView.as_view(), name="api-model-version-card"),
    path(f"{_VERSION}card/revisions/", api.CardRevisionListView.as_view(), name="api-model-version-card-revisions"),
    path(f"{_VERSION}tests/", api.VersionTestListView.as_view(), name="api-model-version-tests"),
    path(
        f"{_VERSION}promotions/", promotion_api.VersionPromotionListView.as_view(), name="api-model-version-promotions"
    ),
    path("projects/<uuid:project_id>/approval-policy/", api.PolicyView.as_view(), name="api-project-approval-policy"),
    path("promotions/", promotion_api.PromotionListView.as_view(), name="api-promotions"),
    path(_PROMOTION, promotion_api.PromotionDetailView.as_view(), name="api-promotion"),
    path(f"{_PROMOTION}approval/", promotion_api.PromotionApprovalView.as_view(), name="api-promotion-approval"),
    path(f"{_PROMOTION}refusal/", promotion_api.PromotionRefusalView.as_view(), name="api-promotion-refusal"),
    path(f"{_PROMOTION}withdrawal/", promotion_api.PromotionWithdrawalView.as_view(), name="api-promotion-withdrawal"),
    path(f"{_PROMOTION}revocation/", promotion_api.PromotionRevocationView.as_view(), name="api-promotion-revocation"),
    path("consents/", consent_api.ConsentListView.as_view(), name="api-consents"),
    path(_CONSENT, consent_api.ConsentDetailView.as_view(), name="api-consent"),
    path(f"{_CONSENT}decision/", consent_api.ConsentDecisionView.as_view(), name="api-consent-decision"),
    path(f"{_CONSENT}revocation/", consent_api.ConsentRevocationView.as_view(), name="api-consent-revocation"),
]
page_urlpatterns: list[URLPattern] = [
    path("consents/", consent_views.ConsentsView.as_view(), name="consents"),
    path(_CONSENT, consent_views.ConsentView.as_view(), name="consent"),
    path(f"{_CONSENT}decide/", consent_views.ConsentDecideView.as_view(), name="consent-decide"),
    path(f"{_CONSENT}revoke/", consent_views.ConsentRevokeView.as_view(), name="consent-revoke"),
    path("approvals/", views.ApprovalsView.as_view(), name="approvals"),
    path("projects/<uuid:project_id>/approvals/", views.ProjectApprovalsView.as_view(), name="project-approvals"),
    path("projects/<uuid:project_id>/approvals/policy/", views.PolicyView.as_view(), name="project-approval-policy"),
    path(f"{_VERSION}approval/", views.VersionApprovalView.as_view(), name="model-version-approval"),
    path(f"{_VERSION}approval/ask/", views.PromotionRequestView.as_view(), name="promotion-request"),
    path(f"{_VERSION}tests/", views.TestsStartView.as_view(), name="model-version-tests"),
    path(f"{_VERSION}card/", card_views.CardView.as_view(), name="model-version-card"),
    path(f"{_VERSION}card/edit/", card_views.CardEditView.as_view(), name="model-version-card-edit"),
    path(_PROMOTION, promotion_views.PromotionView.as_view(), name="promotion"),
    path(f"{_PROMOTION}approve/", promotion_views.PromotionApproveView.as_view(), name="promotion-approve"),
    path(f"{_PROMOTION}refuse/", promotion_views.PromotionRefuseView.as_view(), name="promotion-refuse"),
    path(f"{_PROMOTION}withdraw/", promotion_views.PromotionWithdrawView.as_view(), name="promotion-withdraw"),
    path(f"{_PROMOTION}revoke/", promotion_views.PromotionRevokeView.as_view(), name="promotion-revoke"),
]
