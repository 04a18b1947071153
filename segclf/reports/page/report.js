"use strict";

const form = document.querySelector("#filters");
const viewer = document.querySelector("#viewer");
const cards = [...document.querySelectorAll(".card")];
const classNames = [...form.elements.class.options].slice(1).map((option) => option.text);
const ERRORS = ["fp", "fn", "confused"];
const visible = () => cards.filter((card) => !card.hidden);
let current = cards[0];

function isWanted(card, show, wantedClass, sure) {
  const { kind, said, truth } = card.dataset;
  return (
    (show === "all" || show === kind || (show === "errors" && ERRORS.includes(kind))) &&
    (wantedClass === "" || `${said} ${truth}`.split(" ").includes(wantedClass)) &&
    100 * Number(card.dataset.sure) >= sure
  );
}

function update() {
  const { show, sure, size, said, true: truth } = form.elements;
  for (const card of cards) {
    card.hidden = !isWanted(card, show.value, form.elements.class.value, Number(sure.value));
  }
  form.elements.percent.value = sure.value;
  document.documentElement.style.setProperty("--tile", `${size.value}px`);
  document.body.classList.toggle("without-said", said ? !said.checked : false);
  document.body.classList.toggle("without-true", truth ? !truth.checked : false);
  const n = visible().length;
  document.querySelector("#shown").value = `${n} of ${cards.length} images`;
  document.querySelector("#nothing").hidden = n > 0;
  if (!current || current.hidden) makeCurrent(visible()[0]);
}

// One image takes the tab key, the arrows walk from there.
function makeCurrent(card) {
  for (const each of cards) each.firstElementChild.tabIndex = each === card ? 0 : -1;
  current = card;
}

function step(by) {
  const all = visible();
  const next = all[Math.min(Math.max(all.indexOf(current) + by, 0), all.length - 1)];
  if (!next) return;
  makeCurrent(next);
  if (viewer.open) enlarge(next);
  else next.firstElementChild.focus();
}

function enlarge(card) {
  makeCurrent(card);
  const [stage, verdict] = [viewer.querySelector(".stage"), viewer.querySelector(".verdict")];
  stage.replaceChildren(card.querySelector(".picture").cloneNode(true));
  const kind = card.dataset.kind;
  const radio = form.querySelector(`input[value="${kind}"] + span`);
  verdict.textContent = radio.firstChild.data.trim();
  verdict.className = `verdict ${ERRORS.includes(kind) ? "wrong" : kind}`;
  viewer.querySelector("h2").textContent = card.dataset.name;
  viewer.querySelector("table").replaceChildren(...probabilityRows(card));
  if (!viewer.open) viewer.showModal();
}

function probabilityRows(card) {
  return card.dataset.probabilities.split(" ").map((text, k) => {
    const row = document.createElement("tr");
    const [name, bar, value] = ["th", "td", "td"].map((tag) => document.createElement(tag));
    const fill = document.createElement("i");
    name.textContent = classNames[k];
    bar.className = "bar";
    fill.style.cssText = `left:0;right:${100 - 100 * Number(text)}%`;
    bar.append(fill);
    value.textContent = `${Math.round(100 * Number(text))} %`;
    if (card.dataset.truth.split(" ").includes(String(k))) row.className = "truth";
    row.append(name, bar, value);
    return row;
  });
}

// What is set is in the address, so that a view can be handed on.
const FIELDS = ["show", "class", "sure", "size", "said", "true"];

function writeAddress() {
  const set = new URLSearchParams();
  for (const name of FIELDS) {
    const field = form.elements[name];
    if (!field) continue;
    if (field.type === "checkbox") {
      if (!field.checked) set.set(name, "off");
    } else if (field.value !== initial[name]) set.set(name, field.value);
  }
  history.replaceState(null, "", `#${set}`);
}

function readAddress() {
  const given = new URLSearchParams(location.hash.slice(1));
  for (const name of FIELDS) {
    const field = form.elements[name];
    if (!field) continue;
    if (field.type === "checkbox") field.checked = given.get(name) !== "off";
    else field.value = given.get(name) ?? initial[name];
  }
  update();
}

const initial = Object.fromEntries(
  FIELDS.filter((name) => form.elements[name]).map((name) => [name, form.elements[name].value]),
);

function toggle(name) {
  if (form.elements[name]) form.elements[name].click();
}

function choose(show) {
  form.elements.show.value = show;
  form.dispatchEvent(new Event("input"));
}

const KEYS = {
  ArrowRight: () => step(1),
  ArrowLeft: () => step(-1),
  ArrowDown: () => step(viewer.open ? 1 : columns()),
  ArrowUp: () => step(viewer.open ? -1 : -columns()),
  p: () => toggle("said"),
  t: () => toggle("true"),
  e: () => choose("errors"),
  a: () => choose("all"),
};

function columns() {
  return getComputedStyle(document.querySelector("#gallery")).gridTemplateColumns.split(" ").length;
}

document.addEventListener("keydown", (event) => {
  const typing = event.target.closest("#filters") && event.key.startsWith("Arrow");
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  if (typing || !(key in KEYS) || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  KEYS[key]();
});
document.querySelector("#gallery").addEventListener("click", (event) => {
  const card = event.target.closest(".card");
  if (card) enlarge(card);
});
document.querySelector("#nothing button").addEventListener("click", () => {
  form.reset();
  form.dispatchEvent(new Event("input"));
});
viewer.addEventListener("click", (event) => {
  const by = event.target.closest("button")?.value;
  if (by === "0" || event.target === viewer) viewer.close();
  else if (by) step(Number(by));
});
viewer.addEventListener("close", () => current.firstElementChild.focus());
form.addEventListener("input", () => {
  update();
  writeAddress();
});
form.addEventListener("submit", (event) => event.preventDefault());
window.addEventListener("hashchange", readAddress);
readAddress();
