"""The bytes that a card may take, so that a page of 500 cards is at most 20 MB."""

from typing import NamedTuple

from segclf.axes import N_SPATIAL
from segclf.reports.page.outlines import LONGEST_PATH, LONGEST_SIDE

PAGE = 20_000_000
CARD, LARGEST_CARD = 40_000, 400_000
# Of a card: base64 adds a third to a picture, outlines occur three times, the rest is text.
PICTURE, OUTLINES = 0.55, 0.07
FEWEST_SLICES = 12
OUTLINES_OF_VOLUMES = 1_200


class Budget(NamedTuple):
    """Size limits of a card.

    Parameters
    ----------
    n_bytes : int
        Bytes of its picture, before base64.
    longest_path : int
        Characters of the outlines of one mask.
    n_slices : int
        Largest number of slices of a volume in the picture.
    longest_side : int
        Longest side of the grid that outlines follow, in pixels.
    """

    n_bytes: int = int(PICTURE * CARD)
    longest_path: int = LONGEST_PATH
    n_slices: int = 1
    longest_side: int = LONGEST_SIDE


def budget_for(n_shown: int, n_spatial: int, n_slices: int | None) -> Budget:
    """Divide the page among the cards; images get the share of 500 cards even if there are fewer.

    Examples
    --------
    >>> budget_for(500, 2, None).n_bytes, budget_for(500, 3, None).n_slices
    (22000, 12)
    >>> budget_for(50, 3, None).n_slices, budget_for(50, 3, 9).n_bytes
    (24, 220000)
    """
    if n_spatial == N_SPATIAL:
        return Budget()
    card = min(max(PAGE // max(n_shown, 1), CARD), LARGEST_CARD)
    if n_slices is None:  # extra space goes equally to the number and the size of slices
        n_slices = round(FEWEST_SLICES * float(card / CARD) ** 0.3)
    path = int(OUTLINES * card)
    return Budget(int(PICTURE * card), path, n_slices, OUTLINES_OF_VOLUMES)
