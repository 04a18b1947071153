"""Make what the pages of papers make, and check that each parameter takes what it is given."""

import sys
from pathlib import Path

from house.page import blocks

from segclf.base import Estimator


def main(pages):
    for page in pages:
        names = {"__name__": "__main__"}
        for block in blocks(Path(page)):
            exec(block, names)
        for made in list(names.values()):
            if isinstance(made, Estimator):
                made._validate_params()
                print(page, made)


if __name__ == "__main__":
    main(sys.argv[1:])
