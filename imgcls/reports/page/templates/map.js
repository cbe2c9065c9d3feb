"use strict";
(() => {
  const holder = document.getElementById("map-data");
  if (!holder) return;
  const given = JSON.parse(holder.textContent);
  const { classes, several, labels, label, answer, confidence, right, valid, places, ids, images } = given;
  const at = (id) => document.getElementById(id);
  const canvas = at("map-canvas"), pen = canvas.getContext("2d"), tip = at("map-tip");
  const N = places.length, GRID = 9999, MARGIN = 16, NEAREST = 60, PAGE = 120;
  const dark = matchMedia("(prefers-color-scheme: dark)");

  // control characters of names are written out, as in the rest of the page
  const harmless = (text) => text.replace(/[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g,
    (found) => `\\u${found.charCodeAt(0).toString(16).padStart(4, "0")}`);
  const namesOf = (text) => (several ? text.split("|").filter(Boolean) : text ? [text] : []);
  const inWords = (text) => namesOf(text).map(harmless).join(", ") || (several ? "no class" : "no label");
  const element = (tag, text, kind) => {
    const made = document.createElement(tag);
    if (kind) made.className = kind;
    if (text !== undefined) { const inner = document.createElement("bdi"); inner.textContent = text; made.append(inner); }
    return made;
  };
  const sourceOf = (row) => `data:image/${given.kind};base64,${images[row]}`;

  // ---- what each photograph looks like: a colour and a shape, of which 7 × 8 differ
  const COLOURS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "ink"]; // Okabe and Ito 2008
  const SHAPES = [
    (p, r) => p.arc(0, 0, r, 0, 7),
    (p, r) => p.rect(-r * 0.88, -r * 0.88, r * 1.76, r * 1.76),
    (p, r) => polygon(p, [[0, -r * 1.2], [r * 1.1, r * 0.8], [-r * 1.1, r * 0.8]]),
    (p, r) => polygon(p, [[0, -r * 1.3], [r * 1.3, 0], [0, r * 1.3], [-r * 1.3, 0]]),
    (p, r) => polygon(p, [[0, r * 1.2], [r * 1.1, -r * 0.8], [-r * 1.1, -r * 0.8]]),
    (p, r) => polygon(p, star(r * 1.45, r * 0.62, 5)),
    (p, r) => polygon(p, cross(r * 1.2, r * 0.45)),
    (p, r) => polygon(p, turned(cross(r * 1.3, r * 0.4))),
  ];
  function polygon(p, corners) { corners.forEach(([x, y], n) => (n ? p.lineTo(x, y) : p.moveTo(x, y))); p.closePath(); }
  function star(outer, inner, n) {
    return Array.from({ length: 2 * n }, (_, k) => [k % 2 ? inner : outer, Math.PI * (k / n - 0.5)]).map(([r, a]) => [r * Math.cos(a), r * Math.sin(a)]);
  }
  function cross(a, b) { return [[-b, -a], [b, -a], [b, -b], [a, -b], [a, b], [b, b], [b, a], [-b, a], [-b, b], [-a, b], [-a, -b], [-b, -b]]; }
  function turned(corners) { return corners.map(([x, y]) => [(x - y) * Math.SQRT1_2, (x + y) * Math.SQRT1_2]); }
  const placeOf = new Map(classes.map((name, place) => [name, place]));
  const lookOf = labels.map((text) => { const first = namesOf(text)[0]; return placeOf.has(first) ? placeOf.get(first) : -1; });
  const membersOf = labels.map((text) => new Set(namesOf(text)));

  let ink, paper, soft, blue, ratio, symbols;
  const symbol = (look, radius) => {
    const key = `${look} ${radius}`;
    if (symbols.has(key)) return symbols.get(key);
    const made = document.createElement("canvas"), side = Math.ceil((radius * 3 + 4) * ratio);
    made.width = made.height = side;
    const p = made.getContext("2d");
    p.setTransform(ratio, 0, 0, ratio, side / 2, side / 2);
    p.beginPath();
    (look < 0 ? SHAPES[0] : SHAPES[look % SHAPES.length])(p, radius);
    const colour = COLOURS[look % COLOURS.length];
    p.fillStyle = look < 0 ? soft : colour === "ink" ? ink : colour;
    p.fill();
    p.lineWidth = 0.8;
    p.strokeStyle = paper;
    p.stroke();
    symbols.set(key, made);
    return made;
  };

  // ---- which are shown, which are chosen
  const WHICH = {
    all: ["all photographs", () => true],
    wrong: ["mistakes", (row) => right[row] === false],
    right: ["right answers", (row) => right[row] === true],
    open: ["left to a person", (row) => answer[row] >= 0 && right[row] === null],
    valid: ["validation", (row) => valid[row]],
    train: ["train", (row) => !valid[row]],
  };
  const pressed = new Set(), chosen = new Set();
  let shown = new Uint8Array(N), which = "all", pointed = -1;
  const filter = () => {
    for (let row = 0; row < N; row += 1) {
      const members = membersOf[label[row]];
      const fits = !pressed.size || [...pressed].some((name) => members.has(name));
      shown[row] = fits && WHICH[which][1](row) ? 1 : 0;
    }
    draw();
    tell();
  };

  // ---- where everything is drawn
  let width = 0, height = 0, scale = 1, left = 0, top = 0;
  const fit = () => Math.max(1, Math.min(width, height) - 2 * MARGIN) / GRID;
  const across = (row) => width / 2 + (places[row][0] - GRID / 2) * fit() * scale + left;
  const down = (row) => height / 2 + (places[row][1] - GRID / 2) * fit() * scale + top;
  const bound = () => {
    const most = (size) => Math.max(0, (GRID * fit() * scale - size) / 2 + size * 0.4);
    const limits = scale > 1 ? [most(width), most(height)] : [0, 0];
    left = Math.min(limits[0], Math.max(-limits[0], left));
    top = Math.min(limits[1], Math.max(-limits[1], top));
    canvas.classList.toggle("nearer", scale > 1);
  };
  const zoom = (factor, x = width / 2, y = height / 2) => {
    const next = Math.min(NEAREST, Math.max(1, scale * factor)), change = next / scale;
    left = (x - width / 2) * (1 - change) + left * change;
    top = (y - height / 2) * (1 - change) + top * change;
    scale = next;
    bound();
    draw();
    tell();
  };
  const whole = () => { scale = 1; left = top = 0; bound(); draw(); tell(); };
  const move = (x, y) => { left += x; top += y; bound(); draw(); tell(); };

  let loop = null, waiting = false;
  const draw = () => {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => { waiting = false; paint(); });
  };
  const put = (row, radius) => {
    const made = symbol(lookOf[label[row]], radius), side = made.width / ratio;
    pen.drawImage(made, across(row) - side / 2, down(row) - side / 2, side, side);
  };
  const ring = (row, radius, colour, thick) => {
    pen.beginPath();
    pen.arc(across(row), down(row), radius, 0, 7);
    pen.lineWidth = thick;
    pen.strokeStyle = colour;
    pen.stroke();
  };
  const paint = () => {
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, width, height);
    const radius = Math.round(10 * Math.min(7, (N > 1500 ? 2.4 : N > 300 ? 3.4 : 4.6) * Math.sqrt(Math.min(scale, 5)))) / 10;
    pen.fillStyle = soft;
    pen.globalAlpha = 0.3;
    for (let row = 0; row < N; row += 1) if (!shown[row]) pen.fillRect(across(row) - 1, down(row) - 1, 2, 2);
    pen.globalAlpha = 1;
    for (let row = 0; row < N; row += 1) if (shown[row] && right[row] !== false) put(row, radius);
    for (let row = 0; row < N; row += 1) if (shown[row] && right[row] === false) { put(row, radius); ring(row, radius + 2.6, ink, 1.3); }
    for (const row of chosen) ring(row, radius + 4.4, blue, 2);
    if (pointed >= 0) { put(pointed, radius + 2); ring(pointed, radius + 6, ink, 2); }
    if (loop && loop.length > 1) {
      pen.beginPath();
      polygon(pen, loop);
      pen.fillStyle = blue;
      pen.globalAlpha = 0.15;
      pen.fill();
      pen.globalAlpha = 1;
      pen.setLineDash([5, 4]);
      pen.lineWidth = 1.5;
      pen.strokeStyle = blue;
      pen.stroke();
      pen.setLineDash([]);
    }
  };
  const isSeen = (row) => { const x = across(row), y = down(row); return x >= 0 && y >= 0 && x <= width && y <= height; };
  const dress = () => {
    const style = getComputedStyle(document.documentElement), value = (name) => style.getPropertyValue(name).trim();
    [ink, paper, soft, blue] = ["--ink", "--paper", "--grey", "--blue"].map(value);
    ratio = devicePixelRatio || 1;
    symbols = new Map();
    for (const swatch of document.querySelectorAll(".map-legend canvas")) {
      const made = symbol(Number(swatch.dataset.look), 4);
      swatch.width = swatch.height = 14 * ratio;
      swatch.getContext("2d").drawImage(made, (swatch.width - made.width) / 2, (swatch.height - made.height) / 2);
    }
  };
  const resize = () => {
    const box = canvas.getBoundingClientRect();
    if (!box.width) return;
    [width, height] = [box.width, box.height];
    dress();
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
    bound();
    paint();
  };

  // ---- what is told in words
  const number = (n) => n.toLocaleString("en");
  const counted = (rows) => {
    const counts = new Map();
    for (const row of rows) {
      const members = membersOf[label[row]];
      for (const name of members.size ? members : [""]) counts.set(name, (counts.get(name) || 0) + 1);
    }
    return [...counts].sort((a, b) => b[1] - a[1]);
  };
  let later = 0;
  const tell = () => {
    clearTimeout(later);
    later = setTimeout(() => {
      let n = 0, seen = 0;
      for (let row = 0; row < N; row += 1) if (shown[row]) { n += 1; if (isSeen(row)) seen += 1; }
      at("map-state").textContent = `${number(n)} of ${number(N)} fit the filters${seen < n ? `, ${number(seen)} of them in view` : ""}; ${number(chosen.size)} selected.`;
    }, 120);
  };
  const said = (row) => {
    const found = [];
    if (ids.length || images.length) found.push(["label", `Label: ${inWords(labels[label[row]])}`]);
    else found.push(["label", inWords(labels[label[row]])]);
    if (answer[row] >= 0) {
      const sure = confidence[row] === null ? "" : `, ${Math.round(100 * confidence[row])} %`;
      found.push([right[row] === false ? "wrong" : "answer", `${right[row] === false ? "Mistake" : "Answer"}: ${inWords(labels[answer[row]])}${sure}`]);
    }
    found.push(["split", valid[row] ? "validation" : "train"]);
    if (ids.length) found.push(["id", harmless(ids[row])]);
    return found;
  };
  const card = (row, tag) => {
    const made = element(tag);
    if (images.length && images[row]) {
      const picture = new Image();
      picture.alt = "";
      picture.src = sourceOf(row);
      made.append(picture);
    }
    for (const [kind, text] of said(row)) made.append(element("p", text, kind));
    return made;
  };
  const point = (row, follow = true) => {
    if (row === pointed) return;
    pointed = row;
    tip.hidden = row < 0 || !follow;
    if (!tip.hidden) {
      tip.replaceChildren(...card(row, "div").childNodes);
      const x = across(row), y = down(row), wide = tip.offsetWidth, tall = tip.offsetHeight;
      tip.style.left = `${Math.max(4, x + 14 + wide > width ? x - 14 - wide : x + 14)}px`;
      tip.style.top = `${Math.max(4, Math.min(height - tall - 4, y - tall / 2))}px`;
    }
    draw();
  };
  const nearest = (x, y, reach) => {
    let best = -1, least = reach * reach;
    for (let row = 0; row < N; row += 1) {
      if (!shown[row]) continue;
      const far = (across(row) - x) ** 2 + (down(row) - y) ** 2;
      if (far < least) { least = far; best = row; }
    }
    return best;
  };

  // ---- the selection
  let listed = 0;
  const list = () => {
    const rows = [...chosen];
    at("map-chosen").hidden = !rows.length;
    const n = rows.length, wrong = rows.filter((row) => right[row] === false).length;
    at("map-count").textContent = `${number(n)} ${n === 1 ? "photograph" : "photographs"} selected${wrong ? `, ${number(wrong)} answered wrongly` : ""}`;
    const most = counted(rows);
    at("map-classes").replaceChildren(element("span", most.slice(0, 12).map(([name, k]) => `${name ? harmless(name) : several ? "no class" : "no label"} ${number(k)}`).join(", ") + (most.length > 12 ? ` and ${most.length - 12} more classes` : "")));
    if (at("map-list")) {
      at("map-list").replaceChildren();
      at("map-done").textContent = "";
      listed = 0;
      more();
    }
    draw();
    tell();
  };
  const more = () => {
    const rows = [...chosen].slice(listed, listed + PAGE);
    for (const row of rows) {
      const made = card(row, "li");
      made.tabIndex = 0;
      made.classList.toggle("wrong", right[row] === false);
      for (const event of ["mouseenter", "focus"]) made.addEventListener(event, () => point(row, false));
      for (const event of ["mouseleave", "blur"]) made.addEventListener(event, () => point(-1));
      at("map-list").append(made);
    }
    listed += rows.length;
    at("map-more").hidden = listed >= chosen.size;
  };
  const choose = (rows) => { chosen.clear(); for (const row of rows) chosen.add(row); list(); };
  const within = (corners, x, y) => {
    let inside = false;
    for (let k = 0, j = corners.length - 1; k < corners.length; j = k, k += 1) {
      const [ax, ay] = corners[k], [bx, by] = corners[j];
      if (ay > y !== by > y && x < ((bx - ax) * (y - ay)) / (by - ay) + ax) inside = !inside;
    }
    return inside;
  };
  const rowsWhere = (fits) => Array.from({ length: N }, (_, row) => row).filter((row) => shown[row] && fits(row));

  // ---- mouse and fingers
  const down_ = new Map();
  let span = 0, moved = 0;
  const where = (event) => { const box = canvas.getBoundingClientRect(); return [event.clientX - box.left, event.clientY - box.top]; };
  const lassoed = () => at("map-lasso").getAttribute("aria-pressed") === "true";
  canvas.addEventListener("pointerdown", (event) => {
    if (event.button > 0) return;
    down_.set(event.pointerId, where(event));
    moved = 0;
    span = 0;
    loop = down_.size === 1 && (lassoed() || event.shiftKey) ? [where(event)] : null;
    if (loop || scale > 1) canvas.setPointerCapture(event.pointerId);
  });
  canvas.addEventListener("pointermove", (event) => {
    const [x, y] = where(event), before = down_.get(event.pointerId);
    if (!before) { if (event.pointerType !== "touch") point(nearest(x, y, 12)); return; }
    moved += Math.hypot(x - before[0], y - before[1]);
    down_.set(event.pointerId, [x, y]);
    if (loop) { loop.push([x, y]); point(-1); draw(); return; }
    if (down_.size === 2) {
      const [[ax, ay], [bx, by]] = [...down_.values()], wide = Math.hypot(ax - bx, ay - by);
      if (span) zoom(wide / span, (ax + bx) / 2, (ay + by) / 2);
      span = wide;
      return;
    }
    if (scale > 1 && moved > 3) { point(-1); move(x - before[0], y - before[1]); }
  });
  const lift = (event) => {
    const [x, y] = where(event);
    if (!down_.delete(event.pointerId)) return;
    span = 0;
    const corners = loop;
    loop = null;
    if (event.type === "pointercancel") { draw(); return; }
    if (corners && corners.length > 2 && moved > 12) choose(rowsWhere((row) => within(corners, across(row), down(row))));
    else if (moved < 6) point(nearest(x, y, event.pointerType === "touch" ? 24 : 12));
    draw();
  };
  canvas.addEventListener("pointerup", lift);
  canvas.addEventListener("pointercancel", lift);
  canvas.addEventListener("pointerleave", (event) => { if (!down_.size && event.pointerType !== "touch") point(-1); });
  canvas.addEventListener("wheel", (event) => {
    if (event.deltaY > 0 && scale === 1) return; // the whole map is there: the page goes on
    event.preventDefault();
    point(-1);
    zoom(Math.exp(-Math.max(-60, Math.min(60, event.deltaY)) * 0.006), ...where(event));
  }, { passive: false });

  // ---- keys and buttons
  const take = () => choose(rowsWhere(isSeen));
  const drop = () => choose([]);
  const step = (from, by) => { // to the next of those that are shown and in view, from left to right
    const rows = rowsWhere(isSeen).sort((a, b) => places[a][0] - places[b][0] || places[a][1] - places[b][1]);
    if (!rows.length) return;
    const k = rows.indexOf(from);
    point(rows[k < 0 ? (by > 0 ? 0 : rows.length - 1) : (k + by + rows.length) % rows.length]);
    at("map-state").textContent = said(pointed).map(([, text]) => text).join("; ");
  };
  const STEP = 60;
  const KEYS = {
    "+": () => zoom(1.5), "=": () => zoom(1.5), "-": () => zoom(1 / 1.5), "0": whole, s: take, Escape: drop, n: (from) => step(from, 1), p: (from) => step(from, -1),
    ArrowLeft: () => move(STEP, 0), ArrowRight: () => move(-STEP, 0), ArrowUp: () => move(0, STEP), ArrowDown: () => move(0, -STEP),
  };
  canvas.addEventListener("keydown", (event) => {
    const act = KEYS[event.key];
    if (!act || event.ctrlKey || event.metaKey || event.altKey || (event.key.startsWith("Arrow") && scale === 1)) return;
    event.preventDefault();
    const from = pointed;
    point(-1);
    act(from);
  });
  const press = (id, act) => at(id) && at(id).addEventListener("click", act);
  press("map-in", () => zoom(1.5));
  press("map-out", () => zoom(1 / 1.5));
  press("map-whole", whole);
  press("map-take", take);
  press("map-drop", drop);
  press("map-more", more);
  press("map-lasso", () => {
    const on = !lassoed();
    at("map-lasso").setAttribute("aria-pressed", String(on));
    canvas.classList.toggle("lasso", on);
  });
  // a cell that a spreadsheet could run gets an apostrophe, as in all tables of imgcls
  const cell = (text) => {
    const inert = /^'|^[ \u00a0\u3000]*[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20|%]/.test(text) && !/^[+-]?[0-9]+(\.[0-9]*)?([eE][+-]?[0-9]+)?$/.test(text) ? `'${text}` : text;
    return /[",\r\n]/.test(inert) ? `"${inert.replaceAll('"', '""')}"` : inert;
  };
  press("map-save", () => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([["id", ...[...chosen].map((row) => cell(ids[row]))].join("\n") + "\n"], { type: "text/csv" }));
    link.download = "ids.csv";
    link.click();
    URL.revokeObjectURL(link.href);
  });
  press("map-copy", async () => {
    const text = [...chosen].map((row) => ids[row]).join("\n");
    try { await navigator.clipboard.writeText(text); at("map-done").textContent = "Copied."; } catch {
      at("map-done").textContent = "This browser does not let a page copy; download the file instead.";
    }
  });

  const counts = new Map(counted(Array.from({ length: N }, (_, row) => row)));
  const buttonOf = new Map();
  const turn = (name, on) => {
    pressed[on ? "add" : "delete"](name);
    buttonOf.get(name).setAttribute("aria-pressed", String(on));
    filter();
  };
  classes.forEach((name, place) => {
    if (!counts.has(name)) return;
    const entry = element("li"), button = element("button"), swatch = element("canvas"), amount = element("small");
    button.type = "button";
    button.setAttribute("aria-pressed", "false");
    swatch.dataset.look = String(place);
    swatch.setAttribute("aria-hidden", "true");
    amount.textContent = number(counts.get(name));
    const text = element("bdi");
    text.textContent = harmless(name);
    button.append(swatch, text, amount);
    button.addEventListener("click", () => turn(name, !pressed.has(name)));
    buttonOf.set(name, button);
    entry.append(button);
    at("map-legend").append(entry);
    const option = element("option");
    option.value = harmless(name);
    at("map-names").append(option);
  });
  at("map-find-label").hidden = buttonOf.size < 9;
  at("map-find").addEventListener("input", () => {
    const typed = at("map-find").value;
    for (const [name, button] of buttonOf) button.parentElement.hidden = !pressed.has(name) && !harmless(name).toLowerCase().includes(typed.toLowerCase());
  });
  at("map-find").addEventListener("change", () => {
    const typed = at("map-find").value, found = [...buttonOf.keys()].find((name) => harmless(name) === typed);
    if (found === undefined) return;
    at("map-find").value = "";
    for (const button of buttonOf.values()) button.parentElement.hidden = false;
    turn(found, true);
    buttonOf.get(found).scrollIntoView({ block: "nearest" });
  });
  for (const [key, [text, fits]] of Object.entries(WHICH)) {
    const n = places.reduce((sum, _, row) => sum + (fits(row) ? 1 : 0), 0);
    if (n && (key === "all" || n < N || key === "wrong")) at("map-which").append(new Option(`${text} (${number(n)})`, key));
  }
  at("map-which").addEventListener("change", (event) => { which = event.target.value; filter(); });

  at("map-desk").hidden = false;
  new ResizeObserver(resize).observe(canvas);
  dark.addEventListener("change", resize);
  resize();
  filter();
})();
