// Looks at the page that it was added to and tells the page around it what it found.
const found = { width: innerWidth, dark: matchMedia("(prefers-color-scheme: dark)").matches };
const all = (selector) => [...document.querySelectorAll(selector)];
for (const fold of all("details")) fold.open = true;

const inside = (element) => element.closest(".scroll, pre");
found.wider = all("body *")
  .filter((element) => !element.closest("svg, .skip, .unseen") && (!inside(element) || inside(element) === element))
  .filter((element) => element.getBoundingClientRect().right > innerWidth + 1)
  .map((element) => element.outerHTML.slice(0, 120));
if (document.documentElement.scrollWidth > innerWidth) found.wider.push("the page");

found.untitled = all("svg.chart").filter((svg) => !svg.querySelector("title")?.textContent).length;
found.unnamed = all(".scroll").filter((region) => {
  const name = document.getElementById(region.getAttribute("aria-labelledby"))?.textContent;
  return region.tabIndex !== 0 || region.getAttribute("role") !== "group" || !name;
}).length;
const ids = all("[id]").map((element) => element.id);
found.twice = [...new Set(ids.filter((id, index) => ids.indexOf(id) !== index))];

// contrast as WCAG 2 counts it, of every text with what is behind it
const parts = (colour) => colour.match(/[\d.]+/g).map(Number);
const light = (colour) => {
  const [r, g, b] = parts(colour).slice(0, 3)
    .map((c) => c / 255).map((c) => (c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const behind = (element) => {
  for (let at = element; at; at = at.parentElement) {
    const colour = getComputedStyle(at).backgroundColor;
    if (parts(colour)[3] !== 0) return colour;
  }
  return getComputedStyle(document.body).backgroundColor;
};
const texts = all("body *").filter((element) => !element.closest("script, title, desc, .unseen")
  && [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim()));
found.looked_at = texts.length;
found.faint = texts.filter((element) => {
  const style = getComputedStyle(element);
  const [a, b] = [light(element.closest("svg") ? style.fill : style.color), light(behind(element))];
  return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05) < 4.5;
}).map((element) => element.outerHTML.slice(0, 120));

// the first table with buttons: its column of server CPU
const table = all("table[data-sortable]").find((one) => one.querySelector("th button"));
if (table) {
  const heads = [...table.tHead.rows[0].cells];
  const column = heads.findIndex((head) => head.textContent.startsWith("server CPU"));
  const keys = () => [...table.tBodies[0].rows].map((row) => Number(row.cells[column].dataset.key));
  const button = heads[column].querySelector("button");
  const sort = () => heads[column].getAttribute("aria-sort");
  const sorted = { before: sort() };
  button.focus();
  sorted.focus = document.activeElement === button;
  heads[0].querySelector("button").click();
  button.click();
  [sorted.first, sorted.up, sorted.others] = [sort(), keys(), heads[0].getAttribute("aria-sort")];
  button.click();
  [sorted.second, sorted.down] = [sort(), keys()];
  found.sorted = sorted;
}
parent.postMessage(JSON.stringify(found), "*");
