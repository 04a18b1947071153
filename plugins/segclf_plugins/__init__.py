"""Plugins that come with segclf, through the same door as everybody's."""

from segclf.hookspecs import hookimpl

__all__ = ["segclf_summarizers"]


@hookimpl
def segclf_summarizers() -> dict[str, str]:
    """Offer our summarizers.

    Returns
    -------
    dict of str to str
        Names and where their classes are.
    """
    return {"threshold": "segclf_plugins.summarizers.threshold:ThresholdSummarizer"}
