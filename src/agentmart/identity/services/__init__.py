"""Writes of the module, one function per use case."""

from agentmart.identity.services.customers import (
    CustomerBlocked,
    HasDependents,
    create_customer,
    delete_customer,
    delete_unless_needed,
    lock_customer,
    require_not_blocked,
    set_blocked,
    update_customer,
)
from agentmart.identity.services.install import create_staff, install
from agentmart.identity.services.invitations import (
    SEND_JOB,
    accept_invitation,
    cancel_invitation,
    expire_invitations,
    find_invited,
    invite,
    note_sending,
    reject_invitation,
    resend_invitation,
)
from agentmart.identity.services.members import (
    add_member,
    end_expired_roles,
    in_force,
    remove_member,
    update_member,
)
from agentmart.identity.services.projects import (
    create_project,
    delete_project,
    lock_project,
    update_project,
)
from agentmart.identity.services.tokens import issue_token, note_token_use, revoke_token, rotate_token
from agentmart.identity.services.users import (
    change_password,
    create_user,
    delete_user,
    refresh_token,
    update_user,
)

__all__ = [
    "SEND_JOB",
    "CustomerBlocked",
    "HasDependents",
    "accept_invitation",
    "add_member",
    "cancel_invitation",
    "change_password",
    "create_customer",
    "create_project",
    "create_staff",
    "create_user",
    "delete_customer",
    "delete_project",
    "delete_unless_needed",
    "delete_user",
    "end_expired_roles",
    "expire_invitations",
    "find_invited",
    "in_force",
    "install",
    "invite",
    "issue_token",
    "lock_customer",
    "lock_project",
    "note_sending",
    "note_token_use",
    "refresh_token",
    "reject_invitation",
    "remove_member",
    "require_not_blocked",
    "resend_invitation",
    "revoke_token",
    "rotate_token",
    "set_blocked",
    "update_customer",
    "update_member",
    "update_project",
    "update_user",
]
