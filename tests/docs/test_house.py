"""The picture of the house shows the house."""

import pathlib
import re
import tomllib

ROOT = pathlib.Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "house.md").read_text(encoding="utf-8")
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
CONTRACTS = PYPROJECT["tool"]["importlinter"]["contracts"]


def test_layers_are_those_of_the_contract():
    (contract,) = [contract for contract in CONTRACTS if contract["type"] == "layers"]
    layers = [re.sub("[()]", "", layer) for layer in contract["layers"]]
    assert "```\n" + "\n".join(layers) + "\n```" in PAGE


def test_every_contract_is_named():
    prose = " ".join(PAGE.split()).lower()
    others = [each["name"].lower() for each in CONTRACTS if each["type"] != "layers"]
    assert [name for name in others if name not in prose] == []


def test_every_room_has_a_row():
    rows = re.findall(r"^\| (`.+?) \|", PAGE, re.M)
    shown = {name for row in rows for name in re.findall(r"`(\w+)`", row)}
    rooms = {path.parent.name for path in ROOT.glob("segclf/*/__init__.py")}
    rooms |= {path.stem for path in ROOT.glob("segclf/*.py")} - {"__init__"}
    assert shown == rooms


def test_every_decision_is_listed():
    listed = (ROOT / "docs" / "decisions" / "README.md").read_text(encoding="utf-8")
    records = sorted((ROOT / "docs" / "decisions").glob("0*.md"))
    titles = [record.read_text(encoding="utf-8").splitlines()[0] for record in records]
    expected = [
        re.sub(r"# (\d+\.) (.+)", rf"\1 [\2]({record.name})", title)
        for record, title in zip(records, titles, strict=True)
    ]
    assert [line for line in listed.splitlines() if re.match(r"\d+\.", line)] == expected
