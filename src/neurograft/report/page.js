"use strict";
// Draws each figure from the JSON that follows its place, in the colours of the paper.
(() => {
  const root = document.documentElement;
  const places = [...document.querySelectorAll(".plot")];
  const config = {
    responsive: true, displaylogo: false,
    modeBarButtonsToRemove: ["lasso2d", "select2d", "autoScale2d"],
    toImageButtonOptions: { format: "svg" },
  };

  function hasWebgl() {
    try {
      return Boolean(document.createElement("canvas").getContext("webgl"));
    } catch {
      return false;
    }
  }

  const webgl = hasWebgl();
  const dark = matchMedia("(prefers-color-scheme: dark)");

  function isDark() {
    return root.dataset.paper ? root.dataset.paper === "dark" : dark.matches;
  }

  function inkOf() {
    const style = getComputedStyle(root);
    return { ink: style.getPropertyValue("--ink").trim(), paper: style.getPropertyValue("--paper").trim() };
  }

  function recolour(layout) {
    const { ink, paper } = inkOf();
    return { ...layout, font: { ...layout.font, color: ink },
      hoverlabel: { ...layout.hoverlabel, bgcolor: paper, bordercolor: ink, font: { ...layout.hoverlabel?.font, color: ink } } };
  }

  // The house's blue is too dark on dark paper.
  function figureOf(place) {
    const text = place.nextElementSibling.textContent;
    const figure = JSON.parse(isDark() ? text.replaceAll("#0072B2", "#4DA6E0") : text);
    if (!webgl) {
      for (const trace of figure.data) {
        if (trace.type === "scattergl") trace.type = "scatter";
      }
    }
    return { data: figure.data, layout: recolour(figure.layout) };
  }

  async function drawAll() {
    for (const place of places) {
      try {
        const { data, layout } = figureOf(place);
        await Plotly.newPlot(place, data, layout, config);
      } catch (error) {
        place.textContent = "This plot could not be drawn: " + error.message;
      }
      await new Promise((done) => setTimeout(done, 0));  // let the page answer between two plots
    }
    root.dataset.drawn = String(places.length);
  }

  function recolourAll() {
    for (const place of places) {
      if (!place.layout) continue;
      const { data, layout } = figureOf(place);
      Plotly.react(place, data, layout, config);
    }
  }

  const button = document.getElementById("paper");
  button.hidden = false;
  button.addEventListener("click", () => {
    root.dataset.paper = isDark() ? "light" : "dark";
    recolourAll();
  });
  dark.addEventListener("change", recolourAll);
  let paperBefore;
  addEventListener("beforeprint", () => {
    paperBefore = root.dataset.paper;
    root.dataset.paper = "light";
    recolourAll();
  });
  addEventListener("afterprint", () => {
    if (paperBefore === undefined) delete root.dataset.paper; else root.dataset.paper = paperBefore;
    recolourAll();
  });
  drawAll();
})();
