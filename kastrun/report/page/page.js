"use strict";
(() => {
  const form = document.querySelector(".filter");
  if (!form) return;
  form.hidden = false;
  const [text, severity, plugin] = form.querySelectorAll("input, select");
  const groups = [...document.querySelectorAll("[data-rule]")];
  const said = document.querySelector("#shown");
  const words = new Map(groups.map((group) => [group, group.textContent.toLowerCase()]));
  const apply = () => {
    const wanted = text.value.trim().toLowerCase();
    let shown = 0;
    for (const group of groups) {
      const fits =
        (!severity.value || group.dataset.severity === severity.value) &&
        (!plugin.value || group.dataset.plugin === plugin.value) &&
        (!wanted || words.get(group).includes(wanted));
      group.hidden = !fits;
      if (fits) shown += 1;
    }
    said.textContent = `${shown} of ${groups.length} rules shown`;
  };
  form.addEventListener("input", apply);
  form.addEventListener("submit", (event) => event.preventDefault());
  const open = () => {
    const group = location.hash && document.getElementById(location.hash.slice(1));
    if (group instanceof HTMLDetailsElement) group.open = true;
  };
  addEventListener("hashchange", open);
  open();
  addEventListener("beforeprint", () => { for (const each of document.querySelectorAll("details")) each.open = true; });
})();
