"""Writes of the catalogue, one file per use: shelves, offerings and their parts, plans and prices, publishing."""

from agentmart.catalog.services.components import add_component, remove_component, update_component
from agentmart.catalog.services.files import add_file, change_file, remove_file, require_files
from agentmart.catalog.services.lifecycle import change_state, may_activate, require_orderable
from agentmart.catalog.services.offerings import create_offering, delete_offering, update_offering
from agentmart.catalog.services.pictures import remove_picture, store_picture
from agentmart.catalog.services.plans import archive_plan, create_plan, delete_plan, update_plan
from agentmart.catalog.services.prices import update_discounts, update_prices, update_quotas
from agentmart.catalog.services.publishing import (
    approve_revision,
    publish_agent,
    reject_revision,
    unpublish_agent,
)
from agentmart.catalog.services.shelves import (
    create_category,
    create_category_group,
    delete_category,
    delete_category_group,
    delete_provider,
    register_provider,
    rename_provider,
    update_category,
    update_category_group,
    update_provider,
)

__all__ = [
    "add_component",
    "add_file",
    "approve_revision",
    "archive_plan",
    "change_file",
    "change_state",
    "create_category",
    "create_category_group",
    "create_offering",
    "create_plan",
    "delete_category",
    "delete_category_group",
    "delete_offering",
    "delete_plan",
    "delete_provider",
    "may_activate",
    "publish_agent",
    "register_provider",
    "reject_revision",
    "remove_component",
    "remove_file",
    "remove_picture",
    "rename_provider",
    "require_files",
    "require_orderable",
    "store_picture",
    "unpublish_agent",
    "update_category",
    "update_category_group",
    "update_component",
    "update_discounts",
    "update_offering",
    "update_plan",
    "update_prices",
    "update_provider",
    "update_quotas",
]
