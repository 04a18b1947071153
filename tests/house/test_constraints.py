"""The lowest versions that are tested are those that pyproject.toml allows."""

import tomllib

from house.modules import ROOT
from packaging.requirements import Requirement


def test_the_lowest_versions_are_those_of_the_project():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    required = [*project["dependencies"], *project["optional-dependencies"]["plot"]]
    lowest = {}
    for each in map(Requirement, required):
        (floor,) = each.specifier
        lowest[each.name] = floor.version
    lines = (ROOT / "constraints" / "lowest.txt").read_text().splitlines()
    tested = {each.name: each for each in map(Requirement, (x for x in lines if x[0] != "#"))}
    assert set(tested) == set(lowest)
    for name, version in lowest.items():
        assert f"{tested[name].specifier}.".startswith(f"=={version}."), name
