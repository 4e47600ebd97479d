"""REST: the support desk."""

from agentmart.support.api.attachments import AttachmentViewSet
from agentmart.support.api.comments import CommentViewSet
from agentmart.support.api.desk import SlaViewSet, SupportUserViewSet
from agentmart.support.api.issues import IssueViewSet

__all__ = ["AttachmentViewSet", "CommentViewSet", "IssueViewSet", "SlaViewSet", "SupportUserViewSet"]
