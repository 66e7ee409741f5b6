"use strict";

const $ = (id) => document.getElementById(id);
const number = (n, digits = 0) => n.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });

function element(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

function ago(time) {
  const s = Math.max(0, Math.round((Date.now() - Date.parse(time)) / 1000));
  if (s < 90) return `${s} s`;
  return s < 5400 ? `${Math.round(s / 60)} min` : `${number(s / 3600, 1)} h`;
}

function showTelemetry({ endpoint, connected }) {
  $("telemetry").textContent = connected ? `sending to ${endpoint}` : `waiting for ${endpoint}`;
  $("telemetry").classList.toggle("away", !connected);
}

function showLoad(load, curve) {
  $("rate").textContent = number(load.rate, 1);
  $("target").textContent = number(load.target_rate, 1);
  for (const key of ["requests", "failed", "refused", "visits"]) $(key).textContent = number(load[key]);
  const minutes = Math.floor(load.clock * 1440);
  $("clock").textContent = `${String(Math.floor(minutes / 60)).padStart(2, "0")}:${String(minutes % 60).padStart(2, "0")}`
    + ` of a day that takes ${number(load.day_seconds / 60)} min`;

  const top = Math.max(...curve) * 1.08;
  const points = curve.map((rate, n) => `${(n / (curve.length - 1) * 600).toFixed(1)},${(90 - rate / top * 90).toFixed(1)}`);
  const svg = $("curve");
  svg.querySelector(".line").setAttribute("d", "M" + points.join("L"));
  svg.querySelector(".area").setAttribute("d", `M0,90L${points.join("L")}L600,90Z`);
  for (const end of ["x1", "x2"]) svg.querySelector(".now").setAttribute(end, load.clock * 600);
}

// Switches are made once and updated after, so that focus and presses survive a refresh.
function showFaults(faults) {
  for (const fault of faults) {
    const id = `fault-${fault.name}`;
    if (!$(id)) {
      const button = element("button", { class: "switch", role: "switch", id, "aria-label": fault.name });
      button.addEventListener("click", () => toggle(fault.name, button.getAttribute("aria-checked") !== "true"));
      $("faults").append(element("li", {},
        element("div", {}, element("strong", {}, fault.name), element("span", { class: "since", id: `${id}-since` })),
        button, element("p", {}, fault.description)));
    }
    $(id).setAttribute("aria-checked", String(fault.on));
    $(`${id}-since`).textContent = fault.on && fault.since ? `on for ${ago(fault.since)}` : "";
  }
}

async function toggle(name, on) {
  await fetch(`faults/${name}?on=${on}`, { method: "POST" });
  await refresh();
}

function showServices(services) {
  const rows = services.flatMap((service) => service.instances.map((instance, n) => element("tr", {},
    element("td", {}, n === 0 ? service.name : ""),
    element("td", {}, service.external ? "external" : instance.version),
    element("td", { class: "mono" }, instance.id ? instance.id.slice(0, 8) : ""),
    element("td", { class: "mono" }, instance.address),
    element("td", { class: "n" }, ago(instance.started)),
    element("td", { class: "n" }, number(instance.requests)),
    element("td", { class: instance.errors > 0 ? "n bad" : "n" }, number(instance.errors)))));
  $("services").replaceChildren(...rows);
}

async function refresh() {
  try {
    const state = await (await fetch("state")).json();
    showTelemetry(state.telemetry);
    showLoad(state.load, state.curve);
    showFaults(state.faults);
    showServices(state.services);
  } catch {
    $("telemetry").textContent = "the demo has stopped";
    $("telemetry").classList.add("away");
  }
}

async function loop() {
  if (!document.hidden) await refresh();
  setTimeout(loop, 1000);
}
loop();
