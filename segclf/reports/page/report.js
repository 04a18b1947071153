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
  for (const card of cards) showSlice(card.querySelector(".slices"), card);
  const n = visible().length;
  const shown = document.querySelector("#shown");
  shown.value = `${n} of ${cards.length} ${shown.dataset.things}`;
  document.querySelector("#nothing").hidden = n > 0;
  if (!current || current.hidden) makeCurrent(visible()[0]);
}

// The slices of a volume lie side by side in one drawing; its window shows one of them, or all.
function showSlice(drawing, card) {
  if (!drawing) return;
  const { columns, rows, at, depth } = card.dataset;
  const slices = card.dataset.slices.split(" ");
  const whole = form.elements.montage.checked;
  const inner = drawing.firstElementChild;
  drawing.dataset.whole ??= drawing.getAttribute("viewBox");
  let [, , width, height] = drawing.dataset.whole.split(" ").map(Number);
  let [left, top] = [0, 0];
  if (!whole) {
    [width, height] = [width / columns, height / rows];
    [left, top] = [(at % columns) * width, Math.floor(at / columns) * height];
  }
  drawing.setAttribute("viewBox", `0 0 ${width} ${height}`);
  inner.setAttribute("viewBox", `${left - 0.5} ${top - 0.5} ${width} ${height}`);
  inner.setAttribute("width", width);
  inner.setAttribute("height", height);
  card.querySelector(".at").textContent = whole
    ? `${slices.length} of ${depth} slices`
    : `slice ${slices[at]} of ${depth}`;
}

function moveSlice(to) {
  const { slices, at } = current.dataset;
  if (!slices) return;
  current.dataset.at = Math.min(Math.max(to ?? at, 0), slices.split(" ").length - 1);
  if (form.elements.montage.checked) toggle("montage");
  showSlice(current.querySelector(".slices"), current);
  if (viewer.open) refreshSlider();
}

function refreshSlider() {
  const slider = viewer.querySelector(".slider input");
  if (!slider) return;
  showSlice(viewer.querySelector(".slices"), current);
  slider.max = current.dataset.slices.split(" ").length - 1;
  slider.value = current.dataset.at;
  viewer.querySelector(".slider output").value = current.querySelector(".at").textContent;
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
  const facts = [...card.querySelectorAll("small:not(.at)")].map((each) => each.textContent);
  viewer.querySelector(".facts").textContent = facts.join(". ");
  refreshSlider();
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
const FIELDS = ["show", "class", "sure", "size", "said", "true", "montage"];

function writeAddress() {
  const set = new URLSearchParams();
  for (const name of FIELDS) {
    const field = form.elements[name];
    if (!field) continue;
    if (field.type === "checkbox") {
      if (field.checked !== field.defaultChecked) set.set(name, field.checked ? "on" : "off");
    } else if (field.value !== initial[name]) set.set(name, field.value);
  }
  history.replaceState(null, "", `#${set}`);
}

function readAddress() {
  const given = new URLSearchParams(location.hash.slice(1));
  for (const name of FIELDS) {
    const field = form.elements[name];
    if (!field) continue;
    if (field.type === "checkbox") {
      field.checked = given.has(name) ? given.get(name) !== "off" : field.defaultChecked;
    } else field.value = given.get(name) ?? initial[name];
  }
  update();
}

const initial = Object.fromEntries(
  FIELDS.filter((name) => form.elements[name]).map((name) => [name, form.elements[name].value]),
);

function toggle(name) {
  if (form.elements[name]) form.elements[name].click();
  if (viewer.open) refreshSlider();
}

function choose(show) {
  form.elements.show.value = show;
  form.dispatchEvent(new Event("input"));
}

const KEYS = {
  ArrowRight: () => step(1),
  ArrowLeft: () => step(-1),
  ArrowDown: () => (viewer.open ? goOn(1) : step(columns())),
  ArrowUp: () => (viewer.open ? goOn(-1) : step(-columns())),
  ",": () => moveSlice(current.dataset.at - 1),
  ".": () => moveSlice(Number(current.dataset.at) + 1),
  m: () => toggle("montage"),
  p: () => toggle("said"),
  t: () => toggle("true"),
  e: () => choose("errors"),
  a: () => choose("all"),
};

// Up and down go through the slices of a volume, and from image to image.
function goOn(by) {
  if (current.dataset.slices) moveSlice(Number(current.dataset.at) + by);
  else step(by);
}

function columns() {
  return getComputedStyle(document.querySelector("#gallery")).gridTemplateColumns.split(" ").length;
}

document.addEventListener("keydown", (event) => {
  const typing = event.target.closest("#filters, .slider") && event.key.startsWith("Arrow");
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
viewer.addEventListener("input", (event) => moveSlice(event.target.value));
viewer.querySelector(".stage").addEventListener("wheel", (event) => {
  if (current.dataset.slices) goOn(Math.sign(event.deltaY));
});
viewer.addEventListener("close", () => current.firstElementChild.focus());
form.addEventListener("input", () => {
  update();
  writeAddress();
});
form.addEventListener("submit", (event) => event.preventDefault());
window.addEventListener("hashchange", readAddress);
readAddress();
