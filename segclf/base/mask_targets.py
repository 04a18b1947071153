"""The scikit-learn tags of estimators whose targets are masks."""

from sklearn.base import BaseEstimator
from sklearn.utils import Tags


class MaskTargets(BaseEstimator):
    """An estimator whose ``y`` holds masks, not single labels."""

    def __sklearn_tags__(self) -> Tags:
        """Return the tags: targets are masks, not single labels."""
        tags = super().__sklearn_tags__()
        tags.target_tags.single_output = False
        tags.target_tags.multi_output = True
        return tags
