"""Which masks and labels a model that never saw them contradicts."""

from segclf.reports.audit.mask_audit import MaskAudit, audit_masks

__all__ = ["MaskAudit", "audit_masks"]
