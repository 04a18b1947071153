"""How many bytes a card may take, so that a page of 500 is at most 20 MB."""

from typing import NamedTuple

from segclf.axes import N_SPATIAL
from segclf.reports.page.outlines import LONGEST_PATH, LONGEST_SIDE

PAGE = 20_000_000
CARD, LARGEST_CARD = 40_000, 400_000
# Of a card: a picture is a third more as base64, outlines are there three times, the rest is text.
PICTURE, OUTLINES = 0.55, 0.07
FEWEST_SLICES = 12
OUTLINES_OF_VOLUMES = 1_200


class Budget(NamedTuple):
    """What a card may take.

    Parameters
    ----------
    n_bytes : int
        Of its picture, before base64.
    longest_path : int
        Characters of the outlines of one mask.
    n_slices : int
        How many slices of a volume there are in the picture, at most.
    longest_side : int
        Of the grid that outlines follow, in pixels.
    """

    n_bytes: int = int(PICTURE * CARD)
    longest_path: int = LONGEST_PATH
    n_slices: int = 1
    longest_side: int = LONGEST_SIDE


def budget_for(n_shown: int, n_spatial: int, n_slices: int | None) -> Budget:
    """Share the page among the cards; images take what those of 500 do, however few they are.

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
    if n_slices is None:  # what there is more goes to their number and to their size alike
        n_slices = round(FEWEST_SLICES * float(card / CARD) ** 0.3)
    path = int(OUTLINES * card)
    return Budget(int(PICTURE * card), path, n_slices, OUTLINES_OF_VOLUMES)
