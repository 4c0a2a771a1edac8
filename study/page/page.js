// Draws every figure from the data beside it, in the colours of the reader's scheme, and prints in light ones.
"use strict";
(() => {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const canvases = [...document.querySelectorAll(".plot > .canvas")];
  const PRINTED_WIDTH = 680;
  const PRINTED_SHARE = 0.8; // of the height on screen, so that two figures and their words fit a page

  const colours = (isDark) => (isDark
    ? { "font.color": "#e3e7ec", "hoverlabel.bgcolor": "#262c35", "hoverlabel.font.color": "#e3e7ec" }
    : { "font.color": "#1c2128", "hoverlabel.bgcolor": "#ffffff", "hoverlabel.font.color": "#1c2128" });

  const drawsWebGL = (() => {
    try {
      return Boolean(document.createElement("canvas").getContext("webgl"));
    } catch {
      return false;
    }
  })();

  const draw = (canvas) => {
    if (canvas.dataset.drawn) return;
    canvas.dataset.drawn = "yes";
    const { data, layout, config } = JSON.parse(canvas.nextElementSibling.textContent);
    // Slower, but better than an empty frame.
    if (!drawsWebGL) for (const trace of data) if (trace.type === "scattergl") trace.type = "scatter";
    Plotly.newPlot(canvas, data, layout, config).then(() => {
      Plotly.relayout(canvas, colours(dark.matches));
      canvas.dispatchEvent(new CustomEvent("drawn", { bubbles: true }));
    });
  };
  const isFolded = (canvas) => canvas.closest("details:not([open])") !== null;

  // What is folded has no width to be drawn in; it is drawn when it is opened.
  canvases.filter((canvas) => !isFolded(canvas)).forEach(draw);
  document.addEventListener("toggle", (event) => {
    if (event.target.open) canvases.filter((one) => event.target.contains(one) && !isFolded(one)).forEach(draw);
  }, true);

  const drawn = () => canvases.filter((canvas) => canvas.dataset.drawn);
  dark.addEventListener("change", () => drawn().forEach((one) => Plotly.relayout(one, colours(dark.matches))));

  const resize = (canvas, share, update) => {
    const height = Number(canvas.dataset.height) * share;
    canvas.style.height = `${height}px`;
    return Plotly.relayout(canvas, { ...update, height });
  };

  let unfolded = [];
  addEventListener("beforeprint", () => {
    unfolded = [...document.querySelectorAll("details:not([open])")];
    unfolded.forEach((part) => { part.open = true; });
    canvases.forEach(draw);
    canvases.forEach((canvas) => resize(canvas, PRINTED_SHARE, { ...colours(false), width: PRINTED_WIDTH }));
  });
  addEventListener("afterprint", () => {
    unfolded.forEach((part) => { part.open = false; });
    canvases.forEach((canvas) => resize(canvas, 1, { ...colours(dark.matches), width: null, autosize: true }));
  });

  // Browsers refuse to save long data: addresses, but not the same bytes as a blob.
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[download]");
    if (!link || !link.href.startsWith("data:")) return;
    event.preventDefault();
    const [head, body] = link.href.split(",", 2);
    const bytes = Uint8Array.from(atob(body), (letter) => letter.charCodeAt(0));
    const saved = document.createElement("a");
    saved.href = URL.createObjectURL(new Blob([bytes], { type: head.slice(5).split(";")[0] }));
    saved.download = link.download;
    saved.click();
    setTimeout(() => URL.revokeObjectURL(saved.href), 10000);
  });
})();
