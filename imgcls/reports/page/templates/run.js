"use strict";
(() => {
  const open = () => {
    const kind = location.hash.startsWith("#kind-") && document.getElementById(location.hash.slice(1));
    if (kind) { kind.open = true; kind.querySelector("summary").focus(); }
  };
  addEventListener("hashchange", open);
  for (const link of document.querySelectorAll('a[href^="#kind-"]')) link.addEventListener("click", () => setTimeout(open));
  open();

  const holder = document.getElementById("given");
  if (!holder) return;
  const { classes, several, data } = JSON.parse(holder.textContent);
  const said = new Map();
  const cardsOf = (image) => [...document.querySelectorAll(".card")].filter((card) => card.dataset.image === image);

  const show = (image) => {
    const [decision, label] = said.get(image) || ["", ""];
    for (const card of cardsOf(image)) {
      card.classList.toggle("said", said.has(image));
      for (const button of card.querySelectorAll("button")) button.setAttribute("aria-pressed", String(button.dataset.say === decision));
      card.querySelector("select").value = decision === "relabel" ? label : "";
    }
    document.getElementById("decided").hidden = !said.size;
    document.getElementById("tally").textContent = `${said.size} decided`;
  };
  const say = (card, decision, label = "") => {
    const image = card.dataset.image;
    if (!decision || (said.get(image) || [])[0] === decision && decision !== "relabel") said.delete(image);
    else said.set(image, [decision, label, card.dataset.label, `${new Date().toISOString().slice(0, 19)}Z`]);
    show(image);
  };

  for (const card of document.querySelectorAll(".card")) {
    const choices = card.querySelector(".choices");
    for (const [decision, text] of [["keep", "keep"], ["exclude", "leave out"], ["unsure", "not sure"]]) {
      const button = document.createElement("button");
      Object.assign(button, { type: "button", textContent: text });
      button.dataset.say = decision;
      button.setAttribute("aria-pressed", "false");
      button.addEventListener("click", () => say(card, decision));
      choices.append(button);
    }
    const select = document.createElement("select");
    select.setAttribute("aria-label", "another class");
    select.append(new Option(several ? "another label…" : "another class…", ""));
    const labels = new Set(card.dataset.label.split("|").filter(Boolean));
    for (const name of classes) {
      if (!several) { if (name !== card.dataset.label) select.append(new Option(name, name)); continue; }
      const turned = classes.filter((one) => (one === name) !== labels.has(one)).join("|") || "|";
      select.append(new Option(`${labels.has(name) ? "not" : "also"} ${name}`, turned));
    }
    select.addEventListener("change", () => say(card, select.value && "relabel", select.value));
    choices.append(select);
    choices.hidden = false;
    card.addEventListener("keydown", (event) => {
      if (event.target !== card || event.ctrlKey || event.metaKey || event.altKey) return;
      const decision = { k: "keep", x: "exclude", u: "unsure" }[event.key];
      if (decision) say(card, decision);
      else if (event.key === "z") say(card, "");
      else if (event.key === "ArrowRight" && card.nextElementSibling) card.nextElementSibling.focus();
      else if (event.key === "ArrowLeft" && card.previousElementSibling) card.previousElementSibling.focus();
      else return;
      event.preventDefault();
    });
  }
  const how = document.getElementById("how");
  if (how) how.hidden = false;

  const cell = (text) => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
  document.getElementById("save").addEventListener("click", () => {
    const by = document.getElementById("by").value.trim();
    const rows = [["image", "label", "decision", "new_label", "by", "at", "data"]];
    for (const [image, [decision, label, was, at]] of said) rows.push([image, was, decision, label, by, at, data]);
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([rows.map((row) => row.map(cell).join(",")).join("\n") + "\n"], { type: "text/csv" }));
    link.download = "decisions.csv";
    link.click();
    URL.revokeObjectURL(link.href);
  });
})();
