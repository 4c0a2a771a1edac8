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

  for (const canvas of canvases) {
    const { data, layout, config } = JSON.parse(canvas.nextElementSibling.textContent);
    Plotly.newPlot(canvas, data, layout, config).then(() => Plotly.relayout(canvas, colours(dark.matches)));
  }

  const repaint = () => canvases.forEach((canvas) => Plotly.relayout(canvas, colours(dark.matches)));
  dark.addEventListener("change", repaint);

  const resize = (canvas, share, update) => {
    const height = Number(canvas.dataset.height) * share;
    canvas.style.height = `${height}px`;
    return Plotly.relayout(canvas, { ...update, height });
  };

  let unfolded = [];
  addEventListener("beforeprint", () => {
    unfolded = [...document.querySelectorAll("details:not([open])")];
    unfolded.forEach((part) => { part.open = true; });
    canvases.forEach((canvas) => resize(canvas, PRINTED_SHARE, { ...colours(false), width: PRINTED_WIDTH }));
  });
  addEventListener("afterprint", () => {
    unfolded.forEach((part) => { part.open = false; });
    canvases.forEach((canvas) => resize(canvas, 1, { ...colours(dark.matches), width: null, autosize: true }));
  });
})();
