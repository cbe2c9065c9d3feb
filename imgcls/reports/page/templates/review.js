"use strict";
(() => {
  const given = JSON.parse(document.getElementById("given").textContent);
  const { questions, classes, several } = given;
  const at = (id) => document.getElementById(id);
  const WORDS = { keep: "Label kept", exclude: "Left out", unsure: "Not sure" };
  let said = {}, now = 0, busy = false, chosen = new Set();

  const namesOf = (label) => (several ? label.split("|").filter(Boolean) : [label]);
  const shown = (label) => (namesOf(label).length ? namesOf(label).join(", ") : "no class");
  const percent = (share) => `${Math.round(100 * share)} %`;

  const complain = (text) => { at("problem").textContent = text; at("problem").hidden = !text; };

  const ask = async (path, body) => {
    const answer = await fetch(path, body === undefined ? {} : { method: "POST", body: JSON.stringify(body) });
    const found = await answer.json();
    if (!answer.ok) throw new Error(found.problem || "That could not be kept.");
    said = found.said;
    return found;
  };

  // one at a time: what is said while the last word is still on its way to the disk would be of another photograph
  const alone = async (work) => {
    if (busy) return;
    busy = true;
    try { await work(); complain(""); } catch (problem) {
      complain(problem instanceof TypeError ? "The program behind this page has ended. What was decided is kept; run imgcls review again." : problem.message);
    } finally { busy = false; }
  };

  const undecided = (from) => {
    for (let step = 0; step < questions.length; step += 1) {
      const number = (from + step) % questions.length;
      if (!(number in said)) return number;
    }
    return null;
  };

  const prefetch = (number) => { if (number < questions.length) new Image().src = `photo/${number}`; };

  const show = () => {
    const done = Object.keys(said).length, changed = Object.values(said).filter(([what]) => what === "relabel").length;
    at("progress").textContent = questions.length
      ? `${now + 1} of ${questions.length}; ${done} decided, ${changed} with another class`
      : "There is nothing to decide.";
    at("bar").max = Math.max(1, questions.length);
    at("bar").value = done;
    for (const button of document.querySelectorAll(".desk button, .desk input")) button.disabled = !questions.length;
    if (!questions.length) return;
    const one = questions[now], photo = at("photo");
    at("missing").hidden = true;
    photo.hidden = false;
    photo.alt = `Photograph ${one.image}`;
    if (photo.dataset.number !== String(now)) {
      photo.dataset.number = String(now);
      photo.src = `photo/${now}`;
    }
    at("question").textContent = `Label: ${shown(one.label)}`;
    const answer = one.answer ? `Run: ${shown(one.answer)}, ${percent(one.confidence)}. ` : "";
    at("why").textContent = `${answer}${one.why ? `Asked because ${one.why}. ` : ""}${one.image}`;
    const [what, label] = said[now] || [];
    at("said").textContent = what === "relabel" ? `Another class: ${shown(label)}` : WORDS[what] || "";
    for (const name of ["keep", "exclude", "unsure"]) at(name).setAttribute("aria-pressed", String(what === name));
    chosen = new Set(namesOf(what === "relabel" ? label : one.label));
    for (const button of at("classes").children) {
      button.setAttribute("aria-pressed", String(several ? chosen.has(button.dataset.name) : what === "relabel" && label === button.dataset.name));
    }
    prefetch(now + 1);
    prefetch(now + 2);
  };

  const move = (number) => { now = Math.min(Math.max(0, number), questions.length - 1); show(); };

  const decide = (decision, label = "") => alone(async () => {
    const number = now;
    await ask("decide", { number, decision, new_label: label });
    const next = undecided(number + 1);
    if (next !== null) now = next;
    show();
  });

  const relabel = (name) => {
    if (several) {
      if (chosen.has(name)) chosen.delete(name); else chosen.add(name);
      const label = classes.filter((one) => chosen.has(one)).join("|") || "|";
      const number = now;
      return alone(async () => {
        const given = classes.filter((one) => namesOf(questions[number].label).includes(one)).join("|") || "|";
        await ask("decide", label === given ? { number, decision: "keep" } : { number, decision: "relabel", new_label: label });
        show();
      });
    }
    return name === questions[now].label ? decide("keep") : decide("relabel", name);
  };

  const undo = () => alone(async () => {
    const { number } = await ask("undo", {});
    if (number !== null) now = number;
    show();
  });

  classes.slice(0, 40).forEach((name, place) => {
    const button = document.createElement("button");
    button.type = "button";
    button.dataset.name = name;
    if (place < 9) {
      const key = document.createElement("kbd");
      key.textContent = String(place + 1);
      button.append(key, " ");
    }
    button.append(name);
    button.addEventListener("click", () => relabel(name));
    at("classes").append(button);
  });
  for (const name of classes) {
    const option = document.createElement("option");
    option.value = name;
    at("names").append(option);
  }

  const KEYS = {
    k: () => decide("keep"), x: () => decide("exclude"), u: () => decide("unsure"), z: undo,
    n: () => { const next = undecided(now + 1); if (next !== null) move(next); },
    c: () => at("typed").focus(), ArrowLeft: () => move(now - 1), ArrowRight: () => move(now + 1),
  };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || !questions.length) return;
    if (event.target === at("typed")) { if (event.key === "Escape") at("typed").blur(); return; }
    const place = "123456789".indexOf(event.key);
    const act = place >= 0 && place < classes.length ? () => relabel(classes[place]) : KEYS[event.key];
    if (act) { event.preventDefault(); act(); }
  });
  for (const name of ["keep", "exclude", "unsure"]) at(name).addEventListener("click", () => decide(name));
  for (const [name, key] of [["before", "ArrowLeft"], ["after", "ArrowRight"], ["open", "n"], ["undo", "z"]]) at(name).addEventListener("click", KEYS[key]);
  at("search").addEventListener("submit", (event) => {
    event.preventDefault();
    const name = at("typed").value.trim();
    if (!classes.includes(name)) { complain(`${name} is no class of these data.`); return; }
    at("typed").value = "";
    at("typed").blur();
    relabel(name);
  });
  at("photo").addEventListener("error", () => {
    at("photo").hidden = true;
    at("missing").textContent = "This photograph cannot be read, or is not there any more.";
    at("missing").hidden = false;
  });
  alone(async () => {
    await ask("state");
    const first = undecided(0);
    move(first === null ? 0 : first);
  });
})();
