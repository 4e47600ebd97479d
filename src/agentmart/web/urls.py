"""Every address of the web process; `/v1`, `/widget` and `/api/agent-gateway` belong to the gateway."""

from __future__ import annotations

from django.contrib import admin
from django.http import HttpRequest, JsonResponse
from django.urls import include, path
from django.views.decorators.csrf import csrf_exempt
from django.views.generic import RedirectView
from drf_spectacular.views import SpectacularSwaggerView

from agentmart.access.catalog_api import (
    OfferingViewSet,
    PlanViewSet,
    ProviderAgentViewSet,
    ProviderOfferingViewSet,
)
from agentmart.access.tenants_api import CustomerViewSet, ProjectViewSet
from agentmart.agents.api import StudioViewSet
from agentmart.billing.api import InvoiceItemViewSet, InvoiceViewSet, PaymentViewSet
from agentmart.catalog.api import (
    CategoryGroupViewSet,
    CategoryViewSet,
    OfferingFileViewSet,
    PlanComponentViewSet,
    PublicOfferingViewSet,
    ScreenshotViewSet,
)
from agentmart.identity.api import (
    ApiTokenViewSet,
    CustomerQuotaViewSet,
    InvitationViewSet,
    RoleViewSet,
    UserViewSet,
)
from agentmart.identity.audit_api import AuditLogViewSet, EventViewSet
from agentmart.infra.permissions import Anybody
from agentmart.infra.routers import ApiRouter
from agentmart.metering.api import ComponentUsageViewSet, CustomerAgentConfigViewSet
from agentmart.ordering.api import (
    ApprovalRuleViewSet,
    OrderViewSet,
    ProjectAutoApprovalViewSet,
    ProviderResourceViewSet,
    ResourceViewSet,
)
from agentmart.reports.api import ServiceProviderViewSet, StatsViewSet
from agentmart.support.api import (
    AttachmentViewSet,
    CommentViewSet,
    IssueViewSet,
    SlaViewSet,
    SupportUserViewSet,
)
from agentmart.web.description import DescriptionView
from agentmart.web.home import home
from agentmart.web.version import VersionView

router = ApiRouter()  # web.middleware completes addresses without the trailing slash
router.register("users", UserViewSet, basename="user")
router.register("user-invitations", InvitationViewSet, basename="user-invitation")
router.register("personal-access-tokens", ApiTokenViewSet, basename="personal-access-token")
router.register("api-tokens", ApiTokenViewSet, basename="api-token")
router.register("roles", RoleViewSet, basename="role")
router.register("customer-quotas", CustomerQuotaViewSet, basename="customer-quota")
router.register("customers", CustomerViewSet, basename="customer")
router.register("projects", ProjectViewSet, basename="project")
router.register("marketplace-categories", CategoryViewSet, basename="marketplace-category")
router.register("marketplace-category-groups", CategoryGroupViewSet, basename="marketplace-category-group")
router.register(
    "marketplace-service-providers", ServiceProviderViewSet, basename="marketplace-service-provider"
)
router.register("marketplace-offerings", OfferingViewSet, basename="marketplace-offering")
router.register("marketplace-public-offerings", PublicOfferingViewSet, basename="marketplace-public-offering")
router.register(
    "marketplace-provider-offerings", ProviderOfferingViewSet, basename="marketplace-provider-offering"
)
router.register("marketplace-screenshots", ScreenshotViewSet, basename="marketplace-screenshot")
router.register("marketplace-offering-files", OfferingFileViewSet, basename="marketplace-offering-file")
router.register("marketplace-plans", PlanViewSet, basename="marketplace-plan")
router.register("marketplace-plan-components", PlanComponentViewSet, basename="marketplace-plan-component")
router.register("marketplace-orders", OrderViewSet, basename="marketplace-order")
router.register(
    "marketplace-order-approval-rules", ApprovalRuleViewSet, basename="marketplace-order-approval-rule"
)
router.register(
    "marketplace-project-order-auto-approvals",
    ProjectAutoApprovalViewSet,
    basename="marketplace-project-order-auto-approval",
)
router.register(
    "marketplace-provider-resources", ProviderResourceViewSet, basename="marketplace-provider-resource"
)
router.register("marketplace-resources", ResourceViewSet, basename="marketplace-resource")
router.register("marketplace-component-usages", ComponentUsageViewSet, basename="marketplace-component-usage")
router.register("support-issues", IssueViewSet, basename="support-issue")
router.register("support-comments", CommentViewSet, basename="support-comment")
router.register("support-attachments", AttachmentViewSet, basename="support-attachment")
router.register("support-users", SupportUserViewSet, basename="support-user")
router.register("invoices", InvoiceViewSet, basename="invoice")
router.register("invoice-items", InvoiceItemViewSet, basename="invoice-item")
router.register("payments", PaymentViewSet, basename="payment")
router.register("marketplace-stats", StatsViewSet, basename="marketplace-stats")
router.register("site-agent/provider-agents", ProviderAgentViewSet, basename="provider-agent")
router.register("site-agent/studios", StudioViewSet, basename="studio")
router.register(
    "site-agent/customer-agent-configs", CustomerAgentConfigViewSet, basename="customer-agent-config"
)
router.register("audit-log", AuditLogViewSet, basename="audit-log")
router.register("events", EventViewSet, basename="event")


@csrf_exempt
def health(request: HttpRequest) -> JsonResponse:
    """Say that this process answers; 405 for anything but a question."""
    if request.method not in ("GET", "HEAD"):
        body = {"detail": f'Method "{request.method}" not allowed.', "code": "method_not_allowed"}
        return JsonResponse(body, status=405, headers={"Allow": "GET, HEAD"})
    return JsonResponse({"status": "ok"})


open_to_all = {"authentication_classes": [], "permission_classes": [Anybody]}

urlpatterns = [
    path("", home),
    path("admin", RedirectView.as_view(pattern_name="admin:index")),
    path("admin/", admin.site.urls),
    path("api/health/", health),
    path("api/schema/", DescriptionView.as_view(**open_to_all), name="schema"),
    path("api/docs/", SpectacularSwaggerView.as_view(url_name="schema", **open_to_all)),
    path("api/version/", VersionView.as_view()),
    path("api/support-sla/", SlaViewSet.as_view({"get": "show", "put": "replace"}), name="support-sla"),
    path("api/", include(router.by_prefix())),
]

handler400 = "agentmart.web.errors.bad_request"
handler403 = "agentmart.web.errors.forbidden"
handler404 = "agentmart.web.errors.not_found"
handler500 = "agentmart.web.errors.server_error"
