// The status page: it draws what /status/events tells, and where that fails
// asks /status every few seconds. Nothing that it is told becomes markup:
// every text goes in as textContent.
"use strict";

(() => {
  const RETRY_EVENTS = 20000, POLL = 3000, ANNOUNCE = 30000, KEEP = 300;
  const $ = (id) => document.getElementById(id);
  const query = new URLSearchParams(location.search);
  const filter = { model: query.get("model") || "", failed: query.get("failed") === "true" };
  let samples = [], status = null, told = 0; // told: when the last status came
  let events = null, timer = 0, tries = 0;

  // Texts of figures.
  const none = "–";
  const count = (n) => Math.round(n).toLocaleString("en");
  const rate = (n) => (n < 10 ? Math.round(n * 10) / 10 : Math.round(n)).toLocaleString("en");
  const percent = (r) => (r * 100).toFixed(1) + " %";
  function bytes(n) {
    if (n === null || n === undefined) return none;
    let unit = "B";
    for (const u of ["KiB", "MiB", "GiB", "TiB"]) {
      if (Math.abs(n) < 1024) break;
      n /= 1024; unit = u;
    }
    return (n < 10 && unit !== "B" ? n.toFixed(1) : Math.round(n)) + " " + unit;
  }
  function millis(ms) {
    if (ms === null || ms === undefined) return none;
    if (ms >= 1000) return seconds(ms / 1000);
    return (ms < 10 ? Math.round(ms * 10) / 10 : Math.round(ms)) + " ms";
  }
  function seconds(s) {
    if (s === null || s === undefined) return none;
    if (s < 1) return millis(s * 1000);
    if (s < 10) return s.toFixed(1) + " s";
    if (s < 120) return Math.round(s) + " s";
    if (s < 7200) return Math.floor(s / 60) + " min";
    if (s < 172800) return Math.floor(s / 3600) + " h " + Math.floor(s % 3600 / 60) + " min";
    return Math.floor(s / 86400) + " days";
  }
  const since = (t, now) => seconds(Math.max(0, (Date.parse(now) - Date.parse(t)) / 1000));
  const ago = (t, now) => (t ? (Date.parse(now) - Date.parse(t) < 1000 ? "just now" : since(t, now) + " ago") : "never");
  const clock = (t) => new Date(t).toLocaleTimeString("en-GB");

  // Elements.
  function make(name, text, className) {
    const e = document.createElement(name);
    if (text !== undefined) e.textContent = text;
    if (className) e.className = className;
    return e;
  }
  function put(e, text) { if (e.textContent !== text) e.textContent = text; }
  function mark(text, level) { return level ? make("span", text, level) : document.createTextNode(text); }

  // facts keeps a <dl> at [[term, text or node]]: elements stay, texts change.
  function facts(dl, list, boxed) {
    while (dl.children.length > list.length * (boxed ? 1 : 2)) dl.lastElementChild.remove();
    list.forEach(([term, value], i) => {
      let dt, dd;
      if (boxed) {
        const box = dl.children[i] || dl.appendChild(make("div"));
        dt = box.children[0] || box.appendChild(make("dt"));
        dd = box.children[1] || box.appendChild(make("dd"));
      } else {
        dt = dl.children[2 * i] || dl.appendChild(make("dt"));
        dd = dl.children[2 * i + 1] || dl.appendChild(make("dd"));
      }
      put(dt, term);
      if (typeof value === "string") { if (dd.children.length) dd.replaceChildren(); put(dd, value); } else dd.replaceChildren(value);
    });
  }

  // row makes a table row: the first cell is its header. A cell is [label,
  // text or node, class].
  function row(cells) {
    const tr = make("tr");
    tr.setAttribute("role", "row");
    cells.forEach(([label, value, className], i) => {
      const td = make(i ? "td" : "th", undefined, className);
      td.setAttribute("role", i ? "cell" : "rowheader");
      if (!i) td.scope = "row";
      td.dataset.label = label;
      td.append(value);
      tr.append(td);
    });
    return tr;
  }

  // Parts of the page.
  let spoken = "", spokenAt = 0;
  function drawSummary(s) {
    const sum = s.summary;
    document.title = sum.word + " – Freshet";
    $("summary").className = "summary " + sum.level;
    put($("word"), sum.word);
    put($("sentence"), sum.text);
    put($("version"), s.version);
    if ($("notes").innerText !== sum.notes.join("\n")) $("notes").replaceChildren(...sum.notes.map((n) => make("li", n)));
    // A screen reader hears a change of the state at once, and new figures now
    // and then.
    const state = sum.word + sum.level + sum.notes.length, now = Date.now();
    if (state !== spoken || now - spokenAt > ANNOUNCE && sum.level !== "ok") {
      spoken = state; spokenAt = now;
      put($("announcer"), [sum.word + ".", sum.text, ...sum.notes].join(" "));
    }
    drawBackfill(s.projector ? s.projector.backfill : []);
  }

  function drawBackfill(models) {
    const box = $("backfill");
    box.hidden = models.length === 0;
    box.replaceChildren(...models.map((m) => {
      const label = make("label", m.model), bar = make("progress");
      if (m.estimate >= 0) { bar.max = Math.max(m.estimate, m.documents, 1); bar.value = m.done ? bar.max : m.documents; }
      const of = m.estimate >= 0 ? " of about " + count(m.estimate) : "";
      const left = m.done ? ", done" : m.secondsLeft !== null ? ", about " + seconds(m.secondsLeft) + " left" : "";
      label.append(bar, make("span", count(m.documents) + of + " documents" + left));
      return label;
    }));
  }

  // recent is the mean of a field over the last ten samples.
  function recent(field) {
    const last = samples.slice(-10);
    return last.length ? last.reduce((sum, s) => sum + s[field], 0) / last.length : 0;
  }

  function drawFigures(s) {
    const list = [["Lag", s.lag.seconds === null ? none : "≤ " + seconds(s.lag.seconds)], ["Lag in log", bytes(s.lag.bytes)]];
    if (s.projector) list.push(["Commits waiting", s.lag.commits === null ? none : count(s.lag.commits)]);
    if (s.projector) list.push(["Freshness p50", millis(s.freshness.p50Ms)], ["Freshness p99", millis(s.freshness.p99Ms)], ["Commits", rate(recent("commits")) + " /s"]);
    if (s.api) list.push(["Cache hits", percent(s.api.hitRate)]);
    facts($("figures"), list, true);
  }

  const plots = {
    freshness: charts.figure($("chart-freshness"), { title: "Freshness", unit: millis, least: 1,
      series: [{ field: "p50Ms", name: "p50", line: "one" }, { field: "p99Ms", name: "p99", line: "two" }] }),
    commits: charts.figure($("chart-commits"), { title: "Commits per second", unit: rate, least: 1,
      series: [{ field: "commits", name: "commits", line: "one" }] }),
    documents: charts.figure($("chart-documents"), { title: "Documents per second", unit: rate, least: 1,
      series: [{ field: "written", name: "written", line: "one" }, { field: "unchanged", name: "unchanged", line: "three" }, { field: "deleted", name: "deleted", line: "two" }] }),
  };
  function drawCharts(s) {
    $("charts-heading").parentElement.hidden = !s.projector;
    const now = Date.parse(s.now), each = (...fields) => fields.map((f) => rate(recent(f)));
    plots.freshness(samples, now, [millis(s.freshness.p50Ms), millis(s.freshness.p99Ms)]);
    plots.commits(samples, now, each("commits"));
    plots.documents(samples, now, each("written", "unchanged", "deleted"));
  }

  // between are the bytes from one position in the log to another.
  const position = (lsn) => { const [high, low] = lsn.split("/"); return BigInt("0x" + high) * 4294967296n + BigInt("0x" + low); };
  const between = (from, to) => Number(position(to) - position(from));
  const stateLevel = { ready: "", backfilling: "busy", paused: "bad" };

  // drawList shows a table, with its heading, while it has rows.
  function drawList(id, rows) {
    $(id).hidden = rows.length === 0;
    $(id).querySelector("tbody").replaceChildren(...rows);
  }

  function drawDelays(s) {
    const d = s.database.state, models = d && d.models || [], changes = d && d.fanOuts || [];
    drawList("paused", models.filter((m) => m.paused).map((m) => row([
      ["Model", m.name, "wide"], ["Noticed", ago(m.paused.since, s.now)], ["Why", m.paused.error, "wide"],
      ["Waits for", m.paused.waits || "its being mended", "wide"], ["May lack commits from", make("code", m.paused.sinceLsn)],
    ])));
    drawList("fanouts", changes.map((f) => row([
      ["Model", f.model, "wide"], ["By", f.path === "*" ? "all of it is filled" : make("code", f.path), "wide"], ["State", f.runs && d.slot.active ? mark("under way", "busy") : f.waits || "waits"],
      ["Documents done", count(f.documents), "n"], ["Since", ago(f.since, s.now)], ["May lack commits from", make("code", f.sinceLsn)],
    ])));
  }

  const flag = (n, level) => mark(count(n), n > 0 ? level : "");
  function drawModels(s) {
    const d = s.database.state, models = d && d.models || [];
    $("models").tBodies[0].replaceChildren(...models.map((m) => row([
      ["Model", m.name, "wide"], ["State", mark(m.state, m.state in stateLevel ? stateLevel[m.state] : "warn")],
      ["Documents", "~" + count(m.documents), "n"], ["Size", bytes(m.bytes), "n"],
      ["Last change", ago(m.lastBatch, s.now)], ["Pending", flag(m.pending, "warn"), "n"],
      ["Quarantined", flag(m.quarantined, "bad"), "n"], ["Definition", make("code", m.definition)],
    ])));
    const pending = d && d.pending || [];
    drawList("pending", pending.map((p) => row([
      ["Key", make("code", p.model + ":" + p.key), "wide"], ["Why", mark(p.reason, p.reason === "quarantine" ? "bad" : "")],
      ["Tries", count(p.attempts), "n"], ["Next try", clock(p.nextTry)], ["Error", p.error || none, "wide"],
    ])));
    chooseModels(models.map((m) => m.name));
  }

  const healthyWAL = ["reserved", "extended"];
  function drawSlot(s) {
    const list = [], d = s.database.state, p = s.projector;
    if (d) {
      const slot = d.slot;
      list.push(["Slot", slot.name + (slot.exists ? "" : " does not exist")]);
      if (slot.exists) {
        list.push(["Read by", slot.active ? "process " + slot.pid : mark("nobody", "bad")],
          ["WAL status", mark(slot.walStatus || "unknown", healthyWAL.includes(slot.walStatus) ? "" : "bad")],
          ["Retained log", bytes(slot.retainedBytes)],
          ["Lost after another", slot.safeWalBytes === null ? "no limit (max_slot_wal_keep_size)" : bytes(slot.safeWalBytes)],
          ["Confirmed", slot.confirmedLsn || none], ["Server writes at", d.writeLsn]);
      }
      list.push(leader(d, s.now));
      if (d.checkpoint) list.push(["Watermark", d.checkpoint.watermark], complete(d), ["Batch", count(d.checkpoint.batch)], ["Epoch", count(d.checkpoint.epoch)]);
    }
    if (p) {
      list.push(["Received, applied", p.receivedLsn + ", " + p.appliedLsn], [capital(p.state) + " for", since(p.since, s.now)],
        ["Since the start", count(p.transactions) + " commits, " + count(p.upserted) + " written, " + count(p.deleted) + " deleted, " + count(p.unchanged) + " unchanged"]);
      list.push(["Self-check", selfCheck(p.checked, p.diverged, "since the start")]);
      if (p.lastError) list.push(["Last error", make("span", p.lastError, "error")]);
    }
    if (d && d.diverged.documents) list.push(["Found wrong", mark(count(d.diverged.documents) + " in the last 24 hours, the last " + ago(d.diverged.last, s.now), "bad")]);
    list.push(["Process up", since(s.started, s.now)], ["Database read", s.database.readAt ? ago(s.database.readAt, s.now) : "not yet"]);
    facts($("slot"), list);
    for (const id of ["models", "slot", "log"]) $(id).classList.toggle("stale", Boolean(s.database.error));
  }
  // leader says who leads, and whether it lives.
  const SILENT = 5;
  function leader(d, now) {
    const l = d.leader;
    if (!l) return ["Leader", mark("nobody", "bad")];
    if (!l.since) return ["Leader", "process " + l.pid + ", of another role"];
    const text = "process " + l.pid + " from " + l.client + ", connected " + ago(l.since, now);
    if (l.silentSeconds === null) return ["Leader", text + ", gives no signs of life"];
    return ["Leader", mark(text + ", last sign of life " + seconds(l.silentSeconds) + " ago", l.silentSeconds > SILENT ? "bad" : "")];
  }
  function complete(d) {
    const behind = between(d.checkpoint.complete, d.checkpoint.watermark);
    if (behind <= 0 || !(d.fanOuts || []).length) return ["Complete up to", d.checkpoint.complete];
    return ["Complete up to", mark(d.checkpoint.complete + ", " + bytes(behind) + " before the watermark: a large change is under way", "busy")];
  }
  function selfCheck(checked, diverged, since) {
    const text = count(checked) + " documents compared " + since + ", ";
    return diverged ? mark(text + count(diverged) + " were wrong", "bad") : document.createTextNode(text + "none wrong");
  }
  const capital = (t) => t.charAt(0).toUpperCase() + t.slice(1);

  function drawAPI(s) {
    const a = s.api;
    $("api").hidden = $("cache-section").hidden = !a;
    if (!a) return;
    const list = [["Feed", a.feed.connected ? "connected for " + since(a.feed.since, s.now) : mark("not connected " + (a.feed.lastError || ""), "bad")],
      ["Watermark", a.watermark], ["Cache", count(a.cache.entries) + " keys, " + bytes(a.cache.bytes)],
      ["Hit rate", percent(a.hitRate) + " of " + count(a.cache.hits + a.cache.absentHits + a.cache.misses) + " lookups"],
      ["Evictions", count(a.cache.evictions)], ["Invalidations", count(a.cache.invalidations)]];
    for (const model of Object.keys(a.lagging || {}).sort()) list.push([`${model} lags`, `since ${a.lagging[model].since}: ${a.lagging[model].reason}`]);
    if (a.pool) list.push(["Connections", `${a.pool.inUse} in use, ${a.pool.idle} idle, ${a.pool.max} at most`], ["Waited for one", count(a.pool.waited) + (a.pool.waited === 1 ? " time" : " times")]);
    facts($("api-facts"), list);
    const caches = {...a.models};
    for (const [model, c] of Object.entries(a.pages || {})) caches[`${model} (lists)`] = c;
    $("cache").tBodies[0].replaceChildren(...Object.keys(caches).sort().map((name) => {
      const c = caches[name], all = c.hits + c.absentHits + c.misses;
      return row([["Model", name, "wide"], ["Hit rate", all ? percent((c.hits + c.absentHits) / all) : none, "n"], ["Keys", count(c.entries), "n"],
        ["Size", bytes(c.bytes), "n"], ["Evictions", count(c.evictions), "n"], ["Invalidations", count(c.invalidations), "n"]]);
    }));
  }

  // The batches. Rows stay while they are in the list, and the list stays
  // while somebody reads in it.
  function held() {
    const body = $("log").tBodies[0];
    if ($("hold").checked) return "The list is held.";
    if (body.querySelector("details[open]")) return "The list is held while keys are open.";
    if (body.contains(document.activeElement)) return "The list is held while you are in it.";
    return "";
  }
  function drawLog(s) {
    const why = held();
    put($("held"), why);
    if (why) return;
    const body = $("log").tBodies[0], have = new Map([...body.rows].map((r) => [r.dataset.id, r]));
    body.replaceChildren(...s.log.map((e) => have.get(String(e.id)) || logRow(e)));
    $("log-empty").hidden = s.log.length > 0;
  }
  function logRow(e) {
    const what = make("span", e.operation);
    if (!e.success) what.append(" ", make("span", "failed", "bad"), " ", make("span", e.error || "", "error"));
    const r = row([["Time", clock(e.loggedAt)], ["Model", e.model], ["Operation", what], ["Written", count(e.upserted), "n"], ["Deleted", count(e.deleted), "n"],
      ["Unchanged", count(e.unchanged), "n"], ["Commits", count(e.transactions), "n"], ["Took", millis(e.durationMs), "n"], ["Keys", keys(e), "wide"]]);
    r.dataset.id = e.id;
    return r;
  }
  function keys(e) {
    const all = e.keys.length + e.deletedKeys.length + e.keysLeftOut;
    if (!all) return make("span", e.whole ? "the whole model" : "none");
    const box = make("details"), list = make("ul");
    box.append(make("summary", all === 1 ? "1 key" : count(all) + " keys"), list);
    const add = (key, note) => { const li = make("li"); li.append(make("code", key), note); list.append(li); };
    e.keys.forEach((k) => add(k, ""));
    e.deletedKeys.forEach((k) => add(k, " (deleted)"));
    if (e.keysLeftOut) list.append(make("li", "and " + count(e.keysLeftOut) + " more: freshet log --json has them all"));
    return box;
  }

  function chooseModels(names) {
    const select = $("filter-model");
    if (filter.model && !names.includes(filter.model)) names = [...names, filter.model];
    if ([...select.options].slice(1).map((o) => o.value).join("\n") === names.join("\n")) return;
    select.replaceChildren(new Option("all", ""), ...names.map((n) => new Option(n, n)));
    select.value = filter.model;
  }

  function draw() {
    const s = status;
    for (const part of [drawSummary, drawFigures, drawCharts, drawModels, drawDelays, drawSlot, drawAPI, drawLog]) part(s);
  }

  // take draws a status. Its history is whole, or goes on from what is here.
  function take(s) {
    const last = samples.length ? samples[samples.length - 1].time : 0;
    for (const sample of s.history) {
      sample.time = Date.parse(sample.at);
      if (sample.time > last) samples.push(sample);
    }
    samples = samples.slice(-KEEP);
    if (status && status.started !== s.started) samples = s.history;
    status = s; told = Date.now();
    draw();
  }

  // How it is kept up to date.
  function live(text, off) {
    put($("live"), text);
    $("live").classList.toggle("off", Boolean(off));
  }
  const readiness = () => (status.ready ? "Freshet is ready." : "Freshet is not ready: " + status.reason + ".");
  const search = () => {
    const q = new URLSearchParams();
    if (filter.model) q.set("model", filter.model);
    if (filter.failed) q.set("failed", "true");
    return q.size ? "?" + q : "";
  };

  function stop() {
    if (events) events.close();
    events = null;
    clearTimeout(timer);
  }

  function follow() {
    stop();
    if (!window.EventSource) { poll(); return; }
    events = new EventSource("status/events" + search());
    events.addEventListener("status", (e) => {
      tries = 0;
      take(JSON.parse(e.data));
      live(readiness() + " Live.");
    });
    events.addEventListener("bye", () => { live("This process is ending.", true); });
    events.onerror = () => { stop(); poll(); };
  }

  // poll asks for the status as a reload would, and tries the events again
  // after a while.
  async function poll() {
    clearTimeout(timer);
    try {
      const answer = await fetch("status" + search(), { headers: { Accept: "application/json" }, cache: "no-store" });
      if (!answer.ok) throw new Error(await answer.text());
      take(await answer.json());
      live(readiness() + " Reloaded every few seconds: no live events.");
      if (++tries * POLL >= RETRY_EVENTS || tries === 1) { timer = setTimeout(follow, POLL); return; }
    } catch (error) {
      lost();
    }
    if (!document.hidden) timer = setTimeout(poll, POLL);
  }

  function lost() {
    const age = told ? " What is shown is " + seconds((Date.now() - told) / 1000) + " old." : "";
    live("No answer; the page keeps asking.", true);
    $("summary").className = "summary bad";
    put($("word"), "No answer");
    put($("sentence"), "The process does not answer: it has ended, or the way to it is cut." + age);
    if (spoken !== "lost") { spoken = "lost"; put($("announcer"), "The process does not answer." + age); }
  }

  // Nobody reads a hidden page: it lets the server rest.
  document.addEventListener("visibilitychange", () => { if (document.hidden) stop(); else follow(); });
  $("filter").addEventListener("submit", (e) => e.preventDefault());
  $("filter").addEventListener("change", (e) => {
    if (e.target.id === "hold") { if (status) drawLog(status); return; }
    filter.model = $("filter-model").value;
    filter.failed = $("filter-failed").checked;
    history.replaceState(null, "", location.pathname + search());
    $("log").tBodies[0].replaceChildren();
    follow();
  });
  $("filter-failed").checked = filter.failed;
  follow();
})();
