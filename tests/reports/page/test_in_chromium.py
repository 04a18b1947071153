"""The report in a real browser: what is chosen really changes what is there."""

import re
import shutil
import subprocess

import pytest
from reports.page.answering import two_class, two_class_of_volumes

from segclf import report

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium is installed")

# Each line does something, then writes down what is to be seen.
DRIVER = """
<script>
const log = [];
const q = (selector) => document.querySelector(selector);
const shows = (selector) => getComputedStyle(q(selector)).display !== "none";
const press = (key) =>
  document.activeElement.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
const set = (name, value) => {
  q("#filters").elements[name].value = value;
  q("#filters").dispatchEvent(new Event("input"));
};
const seen = () => cards.filter((card) => card.checkVisibility());
const kinds = () => [...new Set(seen().map((card) => card.dataset.kind))].sort().join(" ");
const note = (...what) => log.push(what.join(" "));
try {
  %s
} catch (error) {
  note(error);
}
const result = document.createElement("pre");
result.id = "log";
result.textContent = log.join("\\n");
document.body.append(result);
</script>
"""


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    path = tmp_path_factory.mktemp("report") / "report.html"
    X, y, masks, estimator = two_class(24)
    return report(estimator, X, y, masks, path, n_resamples=10).read_text(encoding="utf-8")


def drive(page, tmp_path, script, fragment=""):
    """Open the page at a fragment, run the script in it, and return what it noted."""
    path = tmp_path / "driven.html"
    path.write_text(page.replace("</body>", DRIVER % script + "</body>"), encoding="utf-8")
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--window-size=1200,900"]
    options += [f"--user-data-dir={tmp_path / 'profile'}", "--virtual-time-budget=2000"]
    command = [CHROMIUM, *options, "--dump-dom", f"{path.as_uri()}#{fragment}"]
    dom = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout
    return re.search(r'<pre id="log">(.*?)</pre>', dom, re.S)[1].splitlines()


def test_filters_toggles_and_keys(page, tmp_path):
    script = """
      note("all", seen().length, kinds());
      set("show", "errors"); note("errors", kinds(), q("#shown").value);
      set("show", "fp"); note("fp", kinds(), location.hash);
      set("show", "all"); set("sure", "99");
      note("sure", seen().every((card) => card.dataset.sure >= 0.99), seen().length < 24);
      set("sure", "0"); set("class", "1");
      const has = ({ said, truth }) => `${said} ${truth}`.includes(1);
      note("class", seen().every((card) => has(card.dataset)), seen().length < 24);
      set("sure", "100"); note("none", seen().length, shows("#nothing"));
      q("#nothing button").click(); note("reset", seen().length, shows("#nothing"));
      note("masks", shows(".said"), shows(".true"));
      press("p"); note("p", shows(".said"), shows(".true"), location.hash);
      press("t"); note("t", shows(".said"), shows(".true"));
      press("p"); press("t"); note("back", shows(".said"), shows(".true"));
      press("e"); note("e", kinds()); press("a"); note("a", seen().length);
    """
    assert drive(page, tmp_path, script) == [
        "all 24 fn fp right",
        "errors fn fp 2 of 24 images",
        "fp fp #show=fp",
        "sure true true",
        "class true true",
        "none 0 true",
        "reset 24 false",
        "masks true true",
        "p false true #said=off",
        "t false false",
        "back true true",
        "e fn fp",
        "a 24",
    ]


def test_walking_and_enlarging(page, tmp_path):
    script = """
      const focused = () => cards.indexOf(document.activeElement.closest(".card"));
      cards[0].firstElementChild.focus();
      press("ArrowRight"); press("ArrowRight"); note("right", focused());
      press("ArrowLeft"); note("left", focused());
      press("ArrowDown"); note("down", focused() - 1 === columns());
      note("tab stops", cards.filter((card) => card.firstElementChild.tabIndex === 0).length);
      document.activeElement.click();
      const big = () => q("#viewer img").alt;
      note("open", viewer.open, big() === current.querySelector("img").alt);
      note("bars", viewer.querySelectorAll("tr").length, q("#viewer .truth th").textContent);
      const before = big(); press("ArrowRight"); note("next", big() !== before);
      q("#viewer button[value='-1']").click(); note("previous", big() === before);
      const wide = q("#viewer .picture").clientWidth > cards[0].clientWidth * 2; note("wide", wide);
      q("#viewer button[value='0']").click(); note("closed", viewer.open);
    """
    log = drive(page, tmp_path, script)
    assert log[:6] == ["right 2", "left 1", "down true", "tab stops 1", "open true true", log[5]]
    assert log[5] in ("bars 2 0", "bars 2 1")
    assert log[6:] == ["next true", "previous true", "wide true", "closed false"]


def test_an_address_holds_a_view(page, tmp_path):
    script = """
      note(kinds(), q("#filters").elements.show.value, shows(".said"), shows(".true"));
      note(getComputedStyle(document.documentElement).getPropertyValue("--tile"));
    """
    log = drive(page, tmp_path, script, "show=right&true=off&size=300")
    assert log == ["right right true false", "300px"]


def test_slices_of_volumes(tmp_path):
    X, y, masks, estimator = two_class_of_volumes(4)
    options = {"n_resamples": 10, "n_slices": 4, "spacing": (5, 1, 1)}
    path = report(estimator, X, y, masks, tmp_path / "report.html", **options)
    script = """
      const shown = (root) => root.querySelector(".slices svg").getAttribute("viewBox");
      const said = (card) => card.querySelector(".at").textContent;
      const [card] = cards, slices = card.dataset.slices.split(" ");
      note(said(card) === `slice ${slices[card.dataset.at]} of 9`, q("#shown").value);
      note(cards.every((each) => shown(each) !== each.querySelector(".slices").dataset.whole));
      press("m"); note(location.hash, said(card)); press("m");
      card.dataset.at = 0; card.firstElementChild.focus();
      press("."); note("next", card.dataset.at, said(card) === `slice ${slices[1]} of 9`);
      press(","); press(","); note("first", card.dataset.at);
      document.activeElement.click();
      const slider = q("#viewer .slider input"); note(slider.max, slider.value);
      slider.value = 2; slider.dispatchEvent(new Event("input", { bubbles: true }));
      const told = q("#viewer output");
      note(card.dataset.at, shown(viewer) === shown(card), told.value === said(card));
      press("ArrowDown"); note("down", slider.value, shown(viewer) === shown(card));
      press("m"); note(told.value); press("m");
      q(".stage").dispatchEvent(new WheelEvent("wheel", { deltaY: -1, bubbles: true }));
      note("wheel", slider.value);
      note(cards.some((each) => each.textContent.includes("mm³")));
      press("ArrowRight"); note(current === cards[1], shown(viewer) === shown(current));
    """
    assert drive(path.read_text(encoding="utf-8"), tmp_path, script) == [
        "true 4 of 4 volumes",
        "true",
        "#montage=on 4 of 9 slices",
        "next 1 true",
        "first 0",
        "3 0",
        "2 true true",
        "down 3 true",
        "4 of 9 slices",
        "wheel 2",
        "true",
        "true true",
    ]
