"""Reports for judging a model and its data."""

from segclf.reports.annotation_query import query
from segclf.reports.audit import MaskAudit, audit_masks
from segclf.reports.framing import FramingReport, framing_report
from segclf.reports.page import report
from segclf.reports.proposal import EncoderTrial, Proposal, Reason, propose

__all__ = [
    "EncoderTrial",
    "FramingReport",
    "MaskAudit",
    "Proposal",
    "Reason",
    "audit_masks",
    "framing_report",
    "propose",
    "query",
    "report",
]
