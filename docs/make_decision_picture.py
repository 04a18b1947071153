"""Draw docs/gallery/which_method.svg: from the available labels to the method."""

import html
from pathlib import Path

BOX, GAP, HEIGHT = 208, 22, 66
QUESTIONS = "#dbe4ff"
ANSWERS = "#d3f2e3"
ROWS = [  # question, its answer, where the answer leads
    ("Volumes?", "yes", ["SliceWise(...), then", 'architecture="unet3d"']),
    ("Any label or mask?", "no", ["a pretrainer, query(...)", "to choose what to label"]),
    ("Any mask?", "no", ["ImageClassifier()", "framing_report: worth masks?"]),
    ("A mask for each finding?", "yes", ["SegmentationClassifier()", "with all masks"]),
    ("15 findings with masks?", "no", ["SegmentationClassifier()", "None for missing masks"]),
]
LAST = ["SegmentationClassifier(", "WeakToStrongSegmenter(...))"]
NEXT = {"yes": "no", "no": "yes"}


def render():
    """Return the picture as SVG, with colors that are readable on light and dark pages."""
    step = HEIGHT + GAP
    parts, y = [], 8
    for question, answer, taken in ROWS:
        parts += _box(8, y, [question], QUESTIONS) + _box(8 + BOX + 90, y, taken, ANSWERS)
        middle = y + HEIGHT / 2
        parts += _arrow(8 + BOX, middle, 8 + BOX + 90, middle, answer)
        parts += _arrow(8 + BOX / 2, y + HEIGHT, 8 + BOX / 2, y + step, NEXT[answer])
        y += step
    parts += _box(8, y, LAST, ANSWERS)
    width, height = 2 * BOX + 106 + 40, y + HEIGHT + 8
    return HEAD.format(width=width, height=height) + "\n".join(parts) + "\n</svg>\n"


HEAD = """\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img"
 font-family="system-ui, sans-serif" font-size="13">
<title>Which method when</title>
<rect width="{width}" height="{height}" rx="8" fill="#fff"/>
<defs><marker id="tip" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" markerHeight="8"
 orient="auto"><path d="M0 0L8 4L0 8z" fill="#495057"/></marker></defs>
"""


def _box(x, y, lines, color):
    width = BOX + 40 if color == ANSWERS else BOX
    box = f'<rect x="{x}" y="{y}" width="{width}" height="{HEIGHT}" rx="10" fill="{color}"/>'
    first = y + HEIGHT / 2 + 5 - 9 * (len(lines) - 1)
    return [box] + [
        f'<text x="{x + width / 2}" y="{first + 18 * i}" text-anchor="middle" fill="#212529">'
        f"{html.escape(line)}</text>"
        for i, line in enumerate(lines)
    ]


def _arrow(x1, y1, x2, y2, label):
    line = (
        f'<line x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}" stroke="#495057" marker-end="url(#tip)"/>'
    )
    dx, dy = (8, 5) if x1 == x2 else (0, -6)
    text = f'<text x="{(x1 + x2) / 2 + dx}" y="{(y1 + y2) / 2 + dy}" fill="#495057">{label}</text>'
    return [line, text]


if __name__ == "__main__":
    Path(__file__).with_name("gallery").joinpath("which_method.svg").write_text(
        render(), encoding="utf-8"
    )
