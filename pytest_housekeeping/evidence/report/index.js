"use strict";
// Filters the rows that stand on the page, and puts the schema of a day together. Whatever is shown
// is set as text.
const data = JSON.parse(document.getElementById("data").textContent);
const rows = [...document.querySelectorAll("#runs tbody tr")];
const filters = document.getElementById("filters");
const count = document.getElementById("count");
const everything = count.textContent;

function fits(row, asked) {
  for (const name of ["o", "f", "p"]) {
    if (asked[name] && !row[name].includes(asked[name].trim().toLowerCase())) return false;
  }
  for (const name of ["w", "t"]) {
    if (asked[name] && row[name] !== asked[name]) return false;
  }
  if (asked.since && row.e.slice(0, 10) < asked.since) return false;
  return !(asked.until && row.d.slice(0, 10) > asked.until);
}

function show() {
  const asked = Object.fromEntries(new FormData(filters));
  let shown = 0;
  rows.forEach((row, at) => {
    row.hidden = !fits(data.rows[at], asked);
    if (!row.hidden) shown += 1;
  });
  count.textContent = shown === rows.length ? everything : `${shown} of ${everything}`;
  document.getElementById("none").hidden = shown > 0;
}

filters.addEventListener("input", show);
filters.addEventListener("submit", (event) => event.preventDefault());
filters.addEventListener("reset", () => setTimeout(show));
show();

const asOf = document.getElementById("asof");
if (asOf) {
  const said = document.getElementById("schema-said");
  const place = document.getElementById("schema");
  const look = () => {
    const { day, t } = Object.fromEntries(new FormData(asOf));
    if (!day) return;
    let blocks = [];
    let last = null;
    for (const state of data.states) {
      if (state.t !== t || state.at.slice(0, 10) > day) continue;
      for (const [at, gone, come] of state.s) blocks.splice(at, gone, ...come);
      last = state;
    }
    place.hidden = !last || !data.blocks.length;
    place.textContent = blocks.map((number) => data.blocks[number]).join("");
    said.textContent = last
      ? `${t} on ${day}: ${last.said}; ${last.path}`
      : `What ${t} was on ${day} is not known: no run that kept its schema had looked by then.`;
  };
  asOf.addEventListener("input", look);
  asOf.addEventListener("submit", (event) => event.preventDefault());
}
