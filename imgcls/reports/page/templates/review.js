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

  // the photograph that shows and those around it, by number; one that has arrived is complete, one that cannot has no width
  const photos = new Map();
  const photoOf = (number) => {
    if (!photos.has(number)) {
      const photo = new Image();
      photos.set(number, photo);
      photo.alt = `Photograph ${questions[number].image}`;
      for (const name of ["load", "error"]) photo.addEventListener(name, () => { if (number === now) place(); });
      photo.src = `photo/${number}`;
    }
    return photos.get(number);
  };

  const place = () => {
    const photo = photoOf(now), gone = photo.complete && !photo.naturalWidth;
    if (at("photo").firstChild !== photo) at("photo").replaceChildren(photo);
    photo.hidden = !photo.complete || gone;
    at("missing").hidden = photo.complete && !gone;
    at("missing").textContent = gone ? "This photograph cannot be read, or is not there any more." : "The photograph is on its way.";
    for (const [number, other] of photos) {
      if (number >= now - 1 && number <= now + 2) continue;
      other.removeAttribute("src"); // ends what is on its way
      photos.delete(number);
    }
    if (photo.complete) for (const number of [now + 1, now + 2]) if (number < questions.length) photoOf(number);
  };

  const show = () => {
    const done = Object.keys(said).length, changed = Object.values(said).filter(([what]) => what === "relabel").length;
    at("progress").textContent = questions.length
      ? `${now + 1} of ${questions.length}; ${done} decided, ${changed} with another class`
      : "There is nothing to decide.";
    at("bar").max = Math.max(1, questions.length);
    at("bar").value = done;
    for (const button of document.querySelectorAll(".desk button, .desk input")) button.disabled = !questions.length;
    if (!questions.length) return;
    const one = questions[now];
    place();
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
  };

  const move = (number) => { now = Math.min(Math.max(0, number), questions.length - 1); show(); };

  // nobody decides about a photograph that does not show yet
  const isThere = () => photoOf(now).complete;

  const decide = (decision, label = "") => isThere() && alone(async () => {
    const number = now;
    await ask("decide", { number, decision, new_label: label });
    const next = undecided(number + 1);
    if (next !== null) now = next;
    show();
  });

  const relabel = (name) => {
    if (!isThere()) return null;
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
  // on a keyboard of other letters, or whose numbers need shift, the place of the key counts
  const keyOf = ({ key, code, shiftKey }) => {
    if (/^Digit[1-9]$/.test(code) && !shiftKey) return code.slice(5);
    if (key.length > 1) return key;
    return key > "~" && /^Key[A-Z]$/.test(code) ? code.slice(3).toLowerCase() : key.toLowerCase();
  };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || !questions.length) return;
    if (event.target === at("typed")) { if (event.key === "Escape") at("typed").blur(); return; }
    const key = keyOf(event), number = "123456789".indexOf(key);
    const act = number >= 0 && number < classes.length ? () => relabel(classes[number]) : KEYS[key];
    if (!act) return;
    event.preventDefault();
    if (!event.repeat || key.startsWith("Arrow")) act(); // a key that is held down decides once
  });
  for (const name of ["keep", "exclude", "unsure"]) at(name).addEventListener("click", () => decide(name));
  for (const [name, key] of [["before", "ArrowLeft"], ["after", "ArrowRight"], ["open", "n"], ["undo", "z"]]) at(name).addEventListener("click", KEYS[key]);
  at("search").addEventListener("submit", (event) => {
    event.preventDefault();
    const typed = at("typed").value.trim(), lower = typed.toLowerCase();
    const near = classes.includes(typed) ? [typed] : classes.filter((one) => lower && one.toLowerCase().includes(lower));
    if (near.length !== 1) {
      complain(near.length ? `${near.length} classes have this in their names; type more.` : "No class of these data has this in its name.");
      return;
    }
    at("typed").value = "";
    at("typed").blur();
    complain("");
    relabel(near[0]);
  });
  alone(async () => {
    await ask("state");
    const first = undecided(0);
    move(first === null ? 0 : first);
  });
})();
