"""Propose an estimator for given images: settings by rules, the encoder by cross-validation."""

from segclf.reports.proposal.proposing import propose
from segclf.reports.proposal.result import EncoderTrial, Proposal, Reason

__all__ = ["EncoderTrial", "Proposal", "Reason", "propose"]
