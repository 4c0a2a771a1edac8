// Choosing a trial, in a figure, a table or the list, marks it in every figure of its study and tells all of it.
"use strict";
(() => {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const CHOSEN = "chosen";

  const make = (name, text = "", attributes = {}) => {
    const made = document.createElement(name);
    made.textContent = text; // never markup: names and errors come from outside
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    return made;
  };
  const told = (value) => (typeof value === "number" && !Number.isInteger(value)
    ? String(Number(value.toPrecision(4)))
    : value === null ? "–" : String(value));
  const time = (seconds) => (seconds < 90 ? `${Math.round(seconds)} s`
    : seconds < 5400 ? `${Math.round(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`);

  class Selection {
    constructor(root) {
      this.root = root;
      this.data = JSON.parse(root.querySelector("script.trials").textContent);
      this.trials = new Map(this.data.trials.map((row) => {
        const trial = Object.fromEntries(this.data.columns.map((name, index) => [name, row[index]]));
        return [trial.number, trial];
      }));
      this.panel = root.querySelector("aside.trial");
      this.list = root.querySelector("select.trials");
      this.number = null;
      this.list.append(make("option", "none", { value: "" }));
      for (const number of this.data.order) {
        const trial = this.trials.get(number);
        const value = trial.value === null ? "" : `, ${told(trial.value)}`;
        const name = `${number}: ${trial.state}${value}${trial.shape ? `, ${trial.shape}` : ""}`;
        this.list.append(make("option", name, { value: number }));
      }
      this.list.addEventListener("change", () => this.choose(this.list.value === "" ? null : Number(this.list.value)));
      root.addEventListener("click", (event) => {
        const button = event.target.closest("button[data-trial]");
        if (button) this.choose(Number(button.dataset.trial));
        else if (event.target.closest("aside.trial button.close")) this.clear();
      });
      root.querySelectorAll(".plot > .canvas").forEach((canvas) => this.hear(canvas));
      root.addEventListener("drawn", (event) => this.hear(event.target));
      dark.addEventListener("change", () => this.mark());
    }

    hear(canvas) {
      if (canvas.heard || !canvas.data || !canvas.data.some((trace) => Array.isArray(trace.customdata))) return;
      canvas.heard = true;
      canvas.on("plotly_click", ({ points }) => {
        const number = points[0].customdata;
        if (this.trials.has(number)) this.choose(number);
      });
      if (this.number !== null) this.markIn(canvas);
    }

    choose(number) {
      this.number = this.trials.has(number) ? number : null;
      this.list.value = this.number === null ? "" : String(this.number);
      this.root.querySelectorAll("button[data-trial]").forEach((button) => {
        const chosen = Number(button.dataset.trial) === this.number;
        button.setAttribute("aria-pressed", String(chosen));
        button.closest("tr")?.classList.toggle(CHOSEN, chosen);
      });
      this.tell();
      this.mark();
    }

    clear() {
      if (this.number === null) return;
      if (this.panel.contains(document.activeElement)) this.list.focus();
      this.choose(null);
    }

    mark() {
      this.root.querySelectorAll(".plot > .canvas").forEach((canvas) => { if (canvas.heard) this.markIn(canvas); });
    }

    // The trial's points again, on top, in the ink of the page.
    async markIn(canvas) {
      const before = canvas.data.flatMap((trace, index) => (trace.meta === CHOSEN ? [index] : []));
      const ink = dark.matches ? "#ffffff" : "#000000";
      const added = [];
      for (const trace of this.number === null ? [] : canvas.data) {
        if (trace.meta === CHOSEN || !Array.isArray(trace.customdata)) continue;
        const at = trace.customdata.flatMap((number, index) => (number === this.number ? [index] : []));
        if (!at.length) continue;
        const [x, y, text] = ["x", "y", "text"].map((part) => at.map((index) => trace[part]?.[index]));
        added.push({
          type: trace.type, x, y, text, hoverinfo: "text", mode: trace.mode, meta: CHOSEN, showlegend: false,
          xaxis: trace.xaxis, yaxis: trace.yaxis, line: { color: ink, width: Math.max(trace.line?.width ?? 0, 4) },
          marker: { symbol: "circle-open", color: ink, size: trace.mode === "markers" ? 17 : 11, line: { width: 3 } },
        });
      }
      if (before.length) await Plotly.deleteTraces(canvas, before);
      if (added.length) await Plotly.addTraces(canvas, added);
    }

    tell() {
      const trial = this.trials.get(this.number);
      this.panel.hidden = !trial;
      document.body.classList.toggle("choosing", Boolean(trial));
      if (!trial) {
        this.panel.replaceChildren();
        return;
      }
      const head = make("div", "", { class: "head" });
      const winner = trial.number === this.data.winner ? ", the winner" : trial.is_base ? ", the preset's own" : "";
      head.append(make("h3", `Trial ${trial.number}${winner}`), make("button", "Close", { class: "close", type: "button" }));
      const curve = make("div", "", { class: "curve", role: "group" });
      const parts = make("div", "", { class: "parts" });
      parts.append(this.facts(trial), make("div"), this.settings(trial), this.maps(trial));
      parts.children[1].append(make("h4", "Learning curve"), curve);
      this.panel.replaceChildren(head, parts);
      this.panel.scrollTop = 0;
      this.draw(curve, trial);
    }

    facts(trial) {
      const list = make("dl");
      const forced = trial.forced ? `${trial.forced} pseudo-outlier${trial.forced === 1 ? "" : "s"} had to be forced to be visible` : null;
      const occupied = [trial.cpus && `${trial.cpus} ${trial.cpus === 1 ? "core" : "cores"}`, trial.gpus && `${trial.gpus} GPU`].filter(Boolean).join(", ");
      for (const [name, value] of [
        ["ended", trial.state], ["why", trial.reason], ["objective", trial.value === null ? null : told(trial.value)],
        ["epochs", `${trial.epochs} of ${this.data.budget}`], ["time", time(trial.seconds)], ["seed", trial.seed],
        ["node", trial.node], ["occupied", occupied], ["note", forced],
      ]) if (value !== null && value !== "") list.append(make("dt", name), make("dd", value));
      return list;
    }

    settings(trial) {
      const own = new Map(trial.settings.map(([index, value]) => [this.data.names[index], value]));
      const whole = new Map([...Object.entries(this.data.base), ...own].filter(([, value]) => value !== undefined));
      trial.without.forEach((index) => whole.delete(this.data.names[index]));
      const rows = (names) => {
        const table = make("table");
        const body = table.createTBody();
        for (const name of names) {
          const row = body.insertRow();
          const head = make("th", "", { scope: "row", class: "words" });
          head.append(make("code", name));
          row.append(head, make("td", told(whole.get(name)), { class: "words" }));
          row.classList.toggle("marked", own.has(name));
        }
        return table;
      };
      const part = make("div");
      part.append(make("h4", "Effective configuration"));
      const names = [...own.keys()].filter((name) => whole.has(name));
      if (names.length) part.append(rows(names));
      else part.append(make("p", trial.known ? "The base configuration, unchanged." : "It was not recorded."));
      if (trial.known) {
        const all = make("details");
        all.append(make("summary", `All ${whole.size} settings`), rows([...whole.keys()].sort()));
        part.append(all);
      }
      return part;
    }

    maps(trial) {
      const { slices, of, best, file, missing } = this.data.maps;
      const part = make("div", "", { class: "samples" });
      part.append(make("h4", "Anomaly maps on the probe"));
      const mine = of[trial.number];
      if (!mine) {
        const place = `search/${String(trial.number).padStart(5, "0")}/${file}`;
        part.append(make("p", trial.value === null ? "It was not scored, so it has none."
          : missing || `Shown of the best ${best} trials; this one's, where it kept them, are in ${place}.`));
        return part;
      }
      part.append(make("p", `After epoch ${trial.epochs}, on the same slices for every trial, one of each family; those that count for the objective first. The heat is on this trial's own scale, with the contour of what was altered.`));
      const gallery = make("div", "", { class: "gallery" });
      for (const { row, family, subject, judges, picture } of slices.filter(({ row }) => row in mine)) {
        const what = family ? `${family}${judges ? " (counts)" : ""}` : "unaltered";
        const figure = make("figure", "", { class: "picture" });
        figure.append(
          make("img", "", { src: picture, alt: `Slice of ${subject}: ${what}.` }),
          make("img", "", { src: mine[row], alt: `The same with the map of trial ${trial.number}.` }),
          make("figcaption", `${what}; ${subject}`),
        );
        gallery.append(figure);
      }
      part.append(gallery);
      return part;
    }

    draw(curve, trial) {
      if (!trial.curve.length) {
        curve.replaceWith(make("p", "It was not scored, so it has no learning curve."));
        return;
      }
      const look = getComputedStyle(document.documentElement);
      const [ink, soft, link] = ["--ink", "--line", "--link"].map((name) => look.getPropertyValue(name).trim());
      const lines = [trial.number === this.data.winner ? null : this.trials.get(this.data.winner), trial]
        .filter(Boolean).map((one) => ({
          x: one.curve.map(([epoch]) => epoch), y: one.curve.map(([, value]) => value), mode: "lines+markers",
          name: `trial ${one.number}`, line: { color: one === trial ? link : "#80868f", width: one === trial ? 3 : 1.5 },
        }));
      curve.setAttribute("aria-label", `Learning curve of trial ${trial.number}: ${
        trial.curve.map(([epoch, value]) => `epoch ${epoch}, ${told(value)}`).join("; ")}.`);
      const axis = { gridcolor: soft, zeroline: false, color: ink, automargin: true };
      Plotly.newPlot(curve, lines, {
        height: 190, margin: { l: 44, r: 8, t: 8, b: 36 }, paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
        xaxis: { ...axis, title: { text: "epoch" }, range: [0.7, this.data.budget + 0.3] }, yaxis: axis,
        font: { color: ink, size: 12 }, showlegend: lines.length > 1, legend: { x: 0.98, xanchor: "right", y: 0.02, yanchor: "bottom", bgcolor: "rgba(0,0,0,0)" },
      }, { displayModeBar: false, responsive: true, showSendToCloud: false });
    }
  }

  const selections = [...document.querySelectorAll("[data-study]")]
    .filter((root) => root.querySelector("script.trials")).map((root) => new Selection(root));
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") selections.forEach((one) => one.clear());
  });

  // While a study is watched the page is read anew, and stays where its reader was.
  const seconds = Number(document.documentElement.dataset.reload);
  if (seconds) {
    const KEY = `report ${location.pathname}`;
    const details = () => [...document.querySelectorAll("details")];
    try {
      const kept = JSON.parse(sessionStorage.getItem(KEY) ?? "null");
      if (kept) {
        details().forEach((part, index) => { part.open = kept.open.includes(index); });
        selections.forEach((one, index) => { if (kept.chosen[index] !== null) one.choose(kept.chosen[index]); });
        requestAnimationFrame(() => scrollTo({ top: kept.top, behavior: "instant" }));
      }
    } catch { /* a browser that keeps nothing for files starts at the top */ }
    const again = () => {
      if (document.hidden) {
        document.addEventListener("visibilitychange", again, { once: true });
        return;
      }
      try {
        const open = details().flatMap((part, index) => (part.open ? [index] : []));
        sessionStorage.setItem(KEY, JSON.stringify({ top: scrollY, open, chosen: selections.map((one) => one.number) }));
      } catch { /* as above */ }
      location.reload();
    };
    setTimeout(again, seconds * 1000);
  }
})();
