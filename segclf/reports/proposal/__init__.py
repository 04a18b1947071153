"""Which estimator to start with, for these images: settings by rules, the encoder by folds."""

from segclf.reports.proposal.proposing import propose
from segclf.reports.proposal.result import EncoderTrial, Proposal, Reason

__all__ = ["EncoderTrial", "Proposal", "Reason", "propose"]
