(() => {
  "use strict";
  const rowsOf = (place) =>
    place.querySelectorAll("tbody tr, details.hk-row");
  const filter = (field) => {
    const place = document.getElementById(field.dataset.hkIn);
    const wanted = field.value.trim().toLowerCase();
    let left = 0;
    for (const row of rowsOf(place)) {
      const fits = !wanted || row.textContent.toLowerCase().includes(wanted);
      row.hidden = !fits;
      left += fits;
    }
    for (const group of place.querySelectorAll("details")) {
      if (!group.querySelector("tbody tr")) continue;
      const some = !wanted || group.querySelector("tbody tr:not([hidden])");
      group.hidden = !some;
      if (wanted && some && !group.open) { group.open = true; group.dataset.hkFound = ""; }
      if (!wanted && "hkFound" in group.dataset) { group.open = false; delete group.dataset.hkFound; }
    }
    field.nextElementSibling.textContent = wanted ? `${left.toLocaleString("en")} found` : "";
  };
  for (const field of document.querySelectorAll("input[data-hk-in]")) {
    let waiting = 0;
    field.addEventListener("input", () => {
      clearTimeout(waiting);
      waiting = setTimeout(() => filter(field), 120);
    });
  }
  const unfold = () => {
    const named = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    for (let at = named; at; at = at.parentElement) if (at.tagName === "DETAILS") at.open = true;
    if (named) named.scrollIntoView();
  };
  addEventListener("hashchange", unfold);
  unfold();
  let closed = [];
  addEventListener("beforeprint", () => {
    closed = [...document.querySelectorAll(".hk details:not([open]):not(.hk-steps)")];
    for (const each of closed) each.open = true;
  });
  addEventListener("afterprint", () => { for (const each of closed) each.open = false; });
})();
