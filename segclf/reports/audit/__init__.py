"""Find masks and labels that are probably wrong."""

from segclf.reports.audit.mask_audit import MaskAudit, audit_masks

__all__ = ["MaskAudit", "audit_masks"]
