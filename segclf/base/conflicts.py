"""Contradictions between labels and masks: many are an error, a few a warning."""

import warnings
from typing import Any, NamedTuple

import numpy as np

from segclf.base.classifier import Labels
from segclf.base.negative_class import class_ids
from segclf.data import Masks

# So many contradictions come from a mix-up, not from slips.
_MANY_OF_CLASS = 1 / 2
_MANY_OF_ALL = 1 / 3
_LISTED = 10


class ContradictionWarning(UserWarning):
    """Some images have a label and a mask that contradict each other."""


def learn_negative_class(labels: Labels, masks: Masks, negative_class: Any) -> Any:
    """Return the class whose images show nothing, or None, and compare labels with masks.

    Parameters
    ----------
    labels : Labels
    masks : Masks
        Masks of the same images.
    negative_class : label, "auto", "first" or None
        See `find_negative_class`.

    Raises
    ------
    ValueError
        If there is no such class, or labels and masks contradict each other in many images.
    """
    found = find_negative_class(labels, masks, negative_class)
    check_agreement(labels, masks, found)
    return found


def check_agreement(labels: Labels, masks: Masks, negative_class: Any) -> None:
    """Compare labels and masks of the images that have both.

    The mask of an image of the negative class must be empty: it shows no id of another class. Any
    other mask must show the id of its class; masks with channels, for two classes, something in any
    channel. With an indicator, channels must show something where it is 1, and nothing where it is
    0. Pixels of -1 may be anything, and ids beyond those of the classes are context.

    Parameters
    ----------
    labels : Labels
    masks : Masks
        Masks of the same images, of the same kind.
    negative_class : label or None
        The class without a region, from `find_negative_class`.

    Raises
    ------
    ValueError
        If half of the images of a class, or a third of all, contradict their masks; never for a
        single image.

    Warns
    -----
    ContradictionWarning
        If fewer images do.
    """
    if labels.finds_in_any_channel(masks):
        claims = _of_any_channel(labels, masks, negative_class)
    elif masks.multilabel != labels.multilabel:  # no masks, or refused elsewhere
        return
    elif labels.multilabel:
        claims = _of_channels(labels, masks)
    else:
        claims = _of_ids(labels, masks, negative_class)
    n_wrong, n_asked = sum(len(c.wrong) for c in claims), sum(c.n_asked for c in claims)
    worst = max(claims, key=lambda claim: len(claim.wrong) / max(claim.n_asked, 1))
    if not n_wrong:
        return
    of_class, of_all = len(worst.wrong) / worst.n_asked, n_wrong / n_asked
    if n_wrong > 1 and (of_class >= _MANY_OF_CLASS or of_all >= _MANY_OF_ALL):
        raise ValueError(_message(worst, labels, masks, negative_class))
    some = [f"{row} ({claim.who}, but {claim.but})" for claim in claims for row in claim.wrong]
    warnings.warn(
        f"Labels and masks contradict each other in {n_wrong} of {n_asked} images: "
        f"{', '.join(some[: 2 * _LISTED])}{', ...' * (len(some) > 2 * _LISTED)}. Training uses "
        "both unchanged; segclf.reports.audit_masks helps to find which is wrong.",
        ContradictionWarning,
        stacklevel=3,
    )


def find_negative_class(labels: Labels, masks: Masks, negative_class: Any) -> Any:
    """Return the class whose images show nothing, or None if there is none.

    Parameters
    ----------
    labels : Labels
    masks : Masks
        Masks of the same images.
    negative_class : label, "auto", "first" or None
        A class label. "auto" is the one class whose masks are empty; if there is not exactly one,
        it is the first class, as is "first". A class that is itself named so takes precedence.

    Raises
    ------
    ValueError
        If there is no such class.

    Examples
    --------
    >>> import numpy as np
    >>> from segclf.base.classifier import check_labels
    >>> from segclf.data import as_masks
    >>> labels = check_labels(["fracture", "normal"], 2)
    >>> find_negative_class(labels, as_masks([np.eye(4), np.zeros((4, 4))], 2), "auto")
    'normal'
    """
    classes = labels.classes.tolist()
    if negative_class is None and labels.finds_in_any_channel(masks):
        raise ValueError(
            f"negative_class=None, but masks have {masks.n_classes} channels for the two classes "
            f"{classes}; expected the class of images that show nothing in any channel, or masks "
            "of ids (n, h, w)."
        )
    if labels.multilabel or negative_class is None:
        return None
    if negative_class in classes:
        return classes[classes.index(negative_class)]
    if not isinstance(negative_class, str) or negative_class not in ("auto", "first"):
        raise ValueError(
            f"negative_class={negative_class!r} is not one of the classes {classes}; expected one "
            "of them, 'auto', 'first', or None if every class has a region."
        )
    return classes[_empty_class(labels, masks) if negative_class == "auto" else 0]


def _empty_class(labels: Labels, masks: Masks) -> int:
    """Return the position of the one class whose masks are all empty, else mostly empty."""
    shown = masks.shown() if masks.multilabel else masks.shown(len(labels.classes))[:, 1:]
    shows, empty = (shown == 1).any(axis=1), (shown == 0).all(axis=1)
    of_class = labels.encoded[:, None] == np.arange(len(labels.classes))
    n_shows, n_empty = (shows @ of_class.astype(int)), (empty @ of_class.astype(int))
    never, seldom = (n_empty > 0) & (n_shows == 0), n_empty > n_shows
    for found in (never, seldom & (n_shows > n_empty).any()):
        if found.sum() == 1:
            return int(found.argmax())
        if found.any():
            break
    return 0


class _Claim(NamedTuple):
    """What images of one label should show, and which images contradict it."""

    who: str
    expected: str
    but: str
    n_asked: int
    wrong: list[int]


def _of_ids(labels: Labels, masks: Masks, negative_class: Any) -> list[_Claim]:
    ids = class_ids(labels.classes, negative_class)
    shown = masks.shown(int(ids.max()) + 1)
    claims = []
    for position, (name, mask_id) in enumerate(zip(labels.classes.tolist(), ids, strict=True)):
        if mask_id == 0:
            findings = shown[:, 1:]
            right, wrong = (findings == 0).all(axis=1), (findings == 1).any(axis=1)
            words = "masks show nothing", "its mask shows something"
        else:
            right, wrong = shown[:, mask_id] == 1, shown[:, mask_id] == 0
            words = f"masks show id {mask_id}", f"its mask shows no id {mask_id}"
        claims.append(_claim(f"of class {name!r}", words, labels.encoded == position, right, wrong))
    return claims


def _of_channels(labels: Labels, masks: Masks) -> list[_Claim]:
    shown = masks.shown(len(labels.classes))
    claims = []
    for k, value in np.ndindex(len(labels.classes), 2):
        said, other = ("something", "nothing") if value else ("nothing", "something")
        words = f"channel {k} shows {said}", f"channel {k} shows {other}"
        own, right = labels.encoded[:, k] == value, shown[:, k] == value
        who = f"of label {value} for class {k}"
        claims.append(_claim(who, words, own, right, shown[:, k] == 1 - value))
    return claims


def _of_any_channel(labels: Labels, masks: Masks, negative_class: Any) -> list[_Claim]:
    shown = masks.shown()
    something, nothing = (shown == 1).any(axis=1), (shown == 0).all(axis=1)
    claims = []
    for position, name in enumerate(labels.classes.tolist()):
        own, who = labels.encoded == position, f"of class {name!r}"
        if name == negative_class:
            words = "no channel shows anything", "its mask shows something"
            claims.append(_claim(who, words, own, nothing, something))
        else:
            words = "a channel shows something", "its mask shows nothing"
            claims.append(_claim(who, words, own, something, nothing))
    return claims


def _claim(who: str, words: tuple[str, str], own: Any, right: Any, wrong: Any) -> _Claim:
    rows = np.flatnonzero(own & wrong).tolist()
    return _Claim(who, *words, n_asked=int((own & (right | wrong)).sum()), wrong=rows)


def _message(claim: _Claim, labels: Labels, masks: Masks, negative_class: Any) -> str:
    some = ", ".join(map(str, claim.wrong[:_LISTED])) + ", ..." * (len(claim.wrong) > _LISTED)
    start = (
        f"Labels and masks contradict each other in {len(claim.wrong)} of the {claim.n_asked} "
        f"images {claim.who} that have a mask ({some}): expected that {claim.expected}"
    )
    moved = (
        "Are masks in the order of images and labels? Sampling or shuffling X and y alone leaves "
        "masks behind."
    )
    if masks.multilabel:
        said = "the indicator says" if labels.multilabel else "labels say"
        return f"{start}, as {said}. {moved}"
    found = np.flatnonzero((masks.shown()[claim.wrong, 1:] == 1).any(axis=0)) + 1
    ids = class_ids(labels.classes, negative_class).tolist()
    return (
        f"{start}; these show {found.tolist() or 'nothing'}. The classes have the mask ids "
        f"{dict(zip(labels.classes.tolist(), ids, strict=True))}; 0 is the negative class, whose "
        "masks are empty. Set negative_class to the class that shows nothing, or to None if every "
        f"class has a region; or change the ids with segclf.data.map_masks. {moved}"
    )
