// Charts drawn as SVG. Every text goes in as textContent; colours and dashes
// come from classes, so that they follow the reader's scheme, and no line is
// told from another by its colour alone.
"use strict";

const charts = (() => {
  const W = 340, H = 130, L = 50, R = 6, T = 8, B = 18, SPAN = 300;
  const NS = "http://www.w3.org/2000/svg";

  function svg(name, attributes, text) {
    const e = document.createElementNS(NS, name);
    for (const [k, v] of Object.entries(attributes || {})) e.setAttribute(k, v);
    if (text !== undefined) e.textContent = text;
    return e;
  }

  // ceiling is the next of 1, 2, 5, 10, 20, ... at or above v.
  function ceiling(v) {
    const p = 10 ** Math.floor(Math.log10(v));
    for (const m of [1, 2, 5]) if (m * p >= v * 0.9999) return m * p;
    return 10 * p;
  }

  // path leaves a gap where there is no value.
  function path(samples, field, now, top) {
    let d = "", up = true;
    for (const s of samples) {
      const v = s[field], age = (now - s.time) / 1000;
      if (v === null || age > SPAN) { up = true; continue; }
      const x = W - R - (W - L - R) * age / SPAN, y = H - B - (H - T - B) * Math.min(v / top, 1);
      d += (up ? "M" : "L") + x.toFixed(1) + " " + y.toFixed(1);
      up = false;
    }
    return d;
  }

  function scale(plot, top, unit) {
    for (const part of [0, 0.5, 1]) {
      const y = H - B - (H - T - B) * part;
      plot.append(svg("line", { class: "grid", x1: L, x2: W - R, y1: y, y2: y }));
      plot.append(svg("text", { x: L - 5, y: y + 4, "text-anchor": "end" }, unit(top * part)));
    }
    plot.append(svg("text", { x: L, y: H - 4 }, "5 min ago"));
    plot.append(svg("text", { x: W - R, y: H - 4, "text-anchor": "end" }, "now"));
  }

  // figure makes a chart in a <figure>: options are its title, unit (a number
  // to text), least (of the scale) and series: {field, name, line}. summary
  // makes its text alternative.
  function figure(root, options) {
    const caption = document.createElement("figcaption");
    caption.textContent = options.title;
    const plot = svg("svg", { viewBox: `0 0 ${W} ${H}`, role: "img" });
    const key = document.createElement("ul");
    key.className = "key";
    const values = options.series.map((s) => {
      const item = document.createElement("li"), mark = svg("svg", { viewBox: "0 0 24 8", "aria-hidden": "true" });
      mark.append(svg("path", { class: "line " + s.line, d: "M0 4H24" }));
      const value = document.createElement("span");
      item.append(mark, value);
      key.append(item);
      return value;
    });
    root.replaceChildren(caption, plot, key);
    return (samples, now, latest) => {
      let most = options.least;
      for (const s of samples) for (const o of options.series) most = Math.max(most, s[o.field] ?? 0);
      const top = ceiling(most);
      plot.replaceChildren();
      scale(plot, top, options.unit);
      for (const o of options.series) plot.append(svg("path", { class: "line " + o.line, d: path(samples, o.field, now, top) }));
      options.series.forEach((o, i) => { values[i].textContent = o.name + " " + latest[i]; });
      plot.setAttribute("aria-label", options.title + ", last five minutes: " +
        options.series.map((o, i) => `${o.name} ${latest[i]}, at most ${options.unit(greatest(samples, o.field))}`).join("; "));
    };
  }

  function greatest(samples, field) {
    return samples.reduce((m, s) => Math.max(m, s[field] ?? 0), 0);
  }

  return { figure };
})();
