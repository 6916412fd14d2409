"use strict";
// The page: what is chosen, where the window stands, and how both are drawn.

const given = JSON.parse(element("data").textContent);
const picture = {
  width: given.width,
  height: given.height,
  channels: given.channels.length,
  samples: Uint8Array.from(atob(given.samples), (c) => c.charCodeAt(0)),
};
const CHANNELS = { r: "red", g: "green", b: "blue", l: "gray" };
const DRAWINGS = {
  edge: "a a a | a b c d | d d d",
  constant: "V V V | a b c d | V V V",
  reflect: "d c b | a b c d | c b a",
  symmetric: "c b a | a b c d | d c b",
  wrap: "b c d | a b c d | a b c",
};
const RULES = {
  clip: () => "r",
  abs: () => "|r|",
  offset: () => "128 + r ÷ 2",
  stretch: (low, high) => (low < high
    ? `(r − ${bracketed(low)}) · 255 ÷ (${shown(high)} − ${bracketed(low)})` : "0"),
};
const LARGEST_STEP = 1000;
const IDLE = 700; // milliseconds before a screen reader is told
const calm = matchMedia("(prefers-reduced-motion: reduce)");

const state = {
  chosen: given.chosen,
  kernel: copyOf(given.kernels[given.chosen]),
  settings: {
    padding: paddingOf(given.padding), paddingText: given.padding, border: given.border,
    fill: given.fill, stride: given.stride, dilation: given.dilation, levels: given.levels,
  },
  x: given.at[0],
  y: given.at[1],
  channel: 0,
  held: false, // the pointer does not move the window
  stepping: false, // the output is shown only as far as the window has come
  playing: false,
};
let result; // geometry, responses and pixels of the state

function element(id) {
  return document.getElementById(id);
}

function make(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

function copyOf({ weights, divisor, bias }) {
  return { weights: weights.map((row) => [...row]), divisor, bias };
}

/** A number as people read it: at most six digits, and a true minus. */
function shown(value) {
  const number = Number(value);
  const text = Number.isInteger(number) ? String(number) : String(Number(number.toPrecision(6)));
  return text.replace("-", "−");
}

function bracketed(value) {
  return value < 0 ? `(${shown(value)})` : shown(value);
}

/** A number in as few characters as a cell has; `title` keeps the rest. */
function fillCell(cell, value) {
  const size = Math.abs(value);
  let text = shown(value);
  if (!Number.isInteger(value)) {
    if (size < 0.0005) text = "≈0";
    else if (size < 1) text = shown(value.toFixed(3)).replace("0.", ".");
    else text = shown(value.toPrecision(3));
  }
  if (cell.tagName === "INPUT") cell.value = text.replace("−", "-");
  else cell.textContent = text;
  cell.title = text === shown(value) ? "" : String(value);
}

/** Padding as [top, right, bottom, left]; null for same, undefined where the text is neither. */
function paddingOf(text) {
  const word = text.trim();
  if (word === "same") return null;
  if (word === "valid") return [0, 0, 0, 0];
  if (!/^\d{1,4}(\s*,\s*\d{1,4}){0,3}$/.test(word)) return undefined;
  const n = word.split(",").map(Number);
  if (n.length === 3) return undefined;
  return n.length === 4 ? n : [n[0], n[n.length - 1], n[0], n[n.length - 1]];
}

// What is computed

/** Compute everything anew; where that cannot be, say why and return false. */
function compute(kernel, settings) {
  const geometry = makeGeometry(picture, kernel, settings);
  const { rows, columns } = geometry;
  if (rows.outputs < 1 || columns.outputs < 1) {
    complain(`No output pixel: a kernel that spans ${columns.span}×${rows.span} does not fit. ` +
      "The page still shows what fitted; use more padding or a smaller kernel or dilation.");
    return false;
  }
  if (rows.outputs * columns.outputs > 4e6) {
    complain("The output would have more than four million pixels; use less padding.");
    return false;
  }
  const responses = respond(picture, kernel, geometry, settings);
  result = { geometry, responses, ...toPixels(responses, settings.levels) };
  complain("");
  return true;
}

function complain(text) {
  element("problem").textContent = text;
}

/** Take over a changed kernel or changed settings, if they make an output. */
function change({ kernel = state.kernel, settings = state.settings } = {}) {
  if (!compute(kernel, settings)) return;
  Object.assign(state, { kernel, settings });
  state.x = Math.min(state.x, result.geometry.columns.outputs - 1);
  state.y = Math.min(state.y, result.geometry.rows.outputs - 1);
  drawTitle();
  drawSettings();
  drawMatrices();
  drawOutput();
  moveTo(state.x, state.y);
}

// Pictures

function drawSamples(canvas, width, height, samples, reach = Infinity) {
  const depth = samples.length / (width * height);
  const image = new ImageData(width, height);
  for (let p = 0; p < width * height; p++) {
    for (let c = 0; c < 3; c++) image.data[4 * p + c] = samples[p * depth + (depth === 3 ? c : 0)];
    image.data[4 * p + 3] = p <= reach ? 255 : 40;
  }
  Object.assign(canvas, { width, height });
  // Pixels are only put there, never drawn, so nothing is gained by a graphics card.
  canvas.getContext("2d", { willReadFrequently: true }).putImageData(image, 0, 0);
  canvas.parentElement.style.setProperty("--ratio", width / height);
}

function drawOutput() {
  const { rows, columns } = result.geometry;
  const reach = state.stepping ? state.y * columns.outputs + state.x : Infinity;
  drawSamples(element("output-canvas"), columns.outputs, rows.outputs, result.pixels, reach);
  element("output-size").textContent = `${columns.outputs} × ${rows.outputs}`;
}

function box(x, y, width, height) {
  return `M${x} ${y}h${width}v${height}h${-width}z`;
}

function drawMarks() {
  const { rows, columns } = result.geometry;
  const [ys, xs] = [rows.positions(state.y), columns.positions(state.x)];
  const line = 1.2 * picture.width / (element("input").clientWidth || 1); // around, not upon it
  const [across, down] = [columns.span + 2 * line, rows.span + 2 * line];
  setMarks("input", picture.width, picture.height, box(xs[0] - line, ys[0] - line, across, down));
  const { border } = state.settings;
  const apart = columns.dilation > 1 || rows.dilation > 1;
  const read = [];
  for (const y of ys) {
    for (const x of xs) {
      const line = sourceOf(y, picture.height, border);
      const column = sourceOf(x, picture.width, border);
      const outside = line !== y || column !== x;
      if ((apart || outside) && line >= 0 && column >= 0) read.push(box(column, line, 1, 1));
    }
  }
  element("input-marks").querySelector(".taps").setAttribute("d", [...new Set(read)].join(""));
  // A pixel may be too small to be seen, so the mark stands around it.
  const zoom = element("output").clientWidth / columns.outputs || 1;
  const room = Math.max(0, 5 / zoom - 0.5);
  const side = 1 + 2 * room;
  const around = box(state.x - room, state.y - room, side, side);
  setMarks("output", columns.outputs, rows.outputs, around);
}

function setMarks(name, width, height, path) {
  const marks = element(`${name}-marks`);
  marks.setAttribute("viewBox", `0 0 ${width} ${height}`);
  for (const kind of [".halo", ".mark"]) marks.querySelector(kind).setAttribute("d", path);
}

// The window

/** Move the window to an output pixel and show its arithmetic. */
function moveTo(x, y) {
  const { rows, columns } = result.geometry;
  state.x = Math.min(Math.max(Math.round(x), 0), columns.outputs - 1);
  state.y = Math.min(Math.max(Math.round(y), 0), rows.outputs - 1);
  drawMarks();
  drawArithmetic();
  const middle = (axis, index) => axis.positions(index)[(axis.taps - 1) >> 1];
  const input = `around column ${middle(columns, state.x)}, row ${middle(rows, state.y)}`;
  for (const [name, text] of [["input", input], ["output", `column ${state.x}, row ${state.y}`]]) {
    const stage = element(name);
    stage.setAttribute("aria-valuemax", columns.outputs * rows.outputs - 1);
    stage.setAttribute("aria-valuenow", state.y * columns.outputs + state.x);
    stage.setAttribute("aria-valuetext", text);
  }
  for (const [id, value, axis] of [["x", state.x, columns], ["y", state.y, rows]]) {
    element(id).max = axis.outputs - 1;
    if (document.activeElement !== element(id)) element(id).value = value;
  }
  tellWhenIdle();
}

let waiting = 0;
/** Tell a screen reader of the pixel once the window rests; it would chatter otherwise. */
function tellWhenIdle() {
  clearTimeout(waiting);
  if (state.playing) return;
  waiting = setTimeout(() => {
    const values = channelValues().map(({ name, pixel }) => `${name} ${pixel}`);
    element("status").textContent = `Column ${state.x}, row ${state.y}: ${values.join(", ")}`;
  }, IDLE);
}

/** Take the output out of the stepping, where all of it is shown. */
function stopStepping() {
  pause();
  if (!state.stepping) return;
  state.stepping = false;
  drawOutput();
}

function followPointer(name) {
  const stage = element(name);
  const follow = (event) => {
    const frame = stage.getBoundingClientRect();
    const { rows, columns } = result.geometry;
    const across = (event.clientX - frame.left) / frame.width;
    const down = (event.clientY - frame.top) / frame.height;
    stopStepping();
    if (name === "output") {
      moveTo(Math.floor(across * columns.outputs), Math.floor(down * rows.outputs));
      return;
    }
    const nearest = (axis, position) =>
      (position + axis.before - axis.dilation * ((axis.taps - 1) >> 1)) / axis.stride;
    moveTo(nearest(columns, Math.floor(across * picture.width)),
      nearest(rows, Math.floor(down * picture.height)));
  };
  stage.addEventListener("pointermove", (event) => {
    if (event.pointerType !== "mouse" || !state.held) follow(event);
  });
  stage.addEventListener("pointerdown", (event) => {
    if (event.pointerType === "mouse") hold(!state.held);
    if (stage.setPointerCapture && event.pointerType !== "mouse") {
      stage.setPointerCapture(event.pointerId);
    }
    follow(event);
  });
  stage.addEventListener("keydown", (event) => moveByKey(event));
}

function hold(held) {
  state.held = held;
  const free = "Move the pointer or a finger over a picture; a click holds the window.";
  element("held").textContent = held ? "Held; a click lets go." : free;
}

function moveByKey(event) {
  const { rows, columns } = result.geometry;
  const far = event.shiftKey ? 10 : 1;
  const moves = {
    ArrowLeft: [-far, 0], ArrowRight: [far, 0], ArrowUp: [0, -far], ArrowDown: [0, far],
    PageUp: [0, -10], PageDown: [0, 10], Home: [-columns.outputs, 0], End: [columns.outputs, 0],
  };
  const move = moves[event.key];
  if (event.key === "Escape") hold(false);
  if (!move || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  stopStepping();
  moveTo(Math.min(state.x, columns.outputs) + move[0], Math.min(state.y, rows.outputs) + move[1]);
}

// Stepping through

/** Move by so many pixels, row after row, and around at the end. */
function step(count) {
  const { rows, columns } = result.geometry;
  const all = rows.outputs * columns.outputs;
  const index = modulo(state.y * columns.outputs + state.x + count, all);
  state.stepping = true;
  moveTo(index % columns.outputs, Math.floor(index / columns.outputs));
  drawOutput();
}

function pace() {
  const asked = Math.round(10 ** element("speed").valueAsNumber);
  return calm.matches ? Math.min(asked, 2) : asked;
}

let last = 0;
let due = 0;
function tick(now) {
  if (!state.playing) return;
  due += Math.min((now - last) / 1000, 0.1) * pace();
  last = now;
  if (due >= 1) {
    step(Math.floor(due));
    due %= 1;
  }
  requestAnimationFrame(tick);
}

function play() {
  state.playing = true;
  due = 0;
  last = performance.now();
  drawPlay();
  step(0);
  requestAnimationFrame(tick);
}

function pause() {
  if (!state.playing) return;
  state.playing = false;
  drawPlay();
  tellWhenIdle();
}

function drawPlay() {
  element("play").setAttribute("aria-label", state.playing ? "Pause" : "Play");
  element("play-icon").setAttribute("d", state.playing ? "M3 2h4v12H3zM9 2h4v12H9z"
    : "M4 2.5v11l9-5.5z");
}

function drawPace() {
  const slow = calm.matches ? ", calmly" : "";
  element("pace").textContent = `${pace()} a second${slow}`;
  element("speed").setAttribute("aria-valuetext", `${pace()} pixels a second`);
}

// Arithmetic

/** The numbers of every channel at the window. */
function channelValues() {
  const { responses, pixels, ends, geometry } = result;
  const at = (state.y * geometry.columns.outputs + state.x) * picture.channels;
  return [...given.channels].map((letter, c) => {
    const numerator = responses.numerators[at + c];
    const cells = windowAt(picture, geometry, state.settings, state.x, state.y, c);
    const products = state.kernel.weights.map((row, a) =>
      row.map((w, b) => w * cells[a][b].sample));
    const [top, bottom] = levelOf(numerator, responses.denominator, state.settings.levels, ends);
    return {
      name: CHANNELS[letter], cells, products,
      sum: products.flat().reduce((sum, p) => sum + p, 0),
      response: Number(numerator) / Number(responses.denominator),
      level: Number(top) / Number(bottom),
      pixel: pixels[at + c],
    };
  });
}

/** Build the tables of the matrices for the kernel's size. */
function drawMatrices() {
  const { weights } = state.kernel;
  const columns = weights[0].length;
  const side = columns <= 3 ? 46 : columns <= 5 ? 42 : columns <= 7 ? 38 : 34;
  element("matrices").style.setProperty("--side", `${side}px`);
  element("matrices").style.setProperty("--digits", columns <= 5 ? "14px" : "12px");
  const table = element("weights");
  if (table.rows.length !== weights.length || table.rows[0].cells.length !== columns) {
    table.replaceChildren(...tableRows(weights, (a, b) => make("td", {}, weightField(a, b))));
    for (const id of ["samples", "products"]) {
      element(id).replaceChildren(...tableRows(weights, () => make("td")));
    }
  }
  for (const scroll of document.querySelectorAll(".scroll")) {
    if (scroll.scrollWidth > scroll.clientWidth) scroll.tabIndex = 0;
    else scroll.removeAttribute("tabindex");
  }
  const largest = Math.max(...weights.flat().map(Math.abs)) || 1;
  weights.forEach((row, a) => row.forEach((w, b) => {
    const cell = table.rows[a].cells[b];
    const field = cell.firstChild;
    field.removeAttribute("aria-invalid");
    if (document.activeElement !== field) fillCell(field, w);
    cell.style.backgroundColor = tint(w / largest);
  }));
}

function tableRows(weights, cell) {
  return weights.map((row, a) => make("tr", {}, ...row.map((_, b) => cell(a, b))));
}

function weightField(a, b) {
  const field = make("input", { type: "text", inputMode: "text", autocomplete: "off" });
  field.setAttribute("aria-label", `Weight in row ${a + 1}, column ${b + 1}`);
  field.addEventListener("focus", () => {
    field.value = String(state.kernel.weights[a][b]);
    field.select();
  });
  field.addEventListener("input", () => {
    const value = numberIn(field);
    if (value === undefined) return;
    const kernel = copyOf(state.kernel);
    kernel.weights[a][b] = value;
    change({ kernel });
  });
  field.addEventListener("blur", () => drawMatrices());
  return field;
}

/** The number in a text field; undefined, and the field marked, where there is none. */
function numberIn(field) {
  const text = field.value.trim().replace("−", "-");
  const good = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text) && Math.abs(Number(text)) < 1e15;
  field.toggleAttribute("aria-invalid", false);
  if (good) return Number(text);
  field.setAttribute("aria-invalid", "true");
  return undefined;
}

/** The accent for what is positive, gray for what is negative. */
function tint(share) {
  const colour = share > 0 ? "var(--accent)" : "var(--ink)";
  return `color-mix(in srgb, ${colour} ${Math.round(Math.abs(share) * 26)}%, var(--card))`;
}

function drawArithmetic() {
  const channels = channelValues();
  const { cells, products } = channels[state.channel];
  const largest = Math.max(...products.flat().map(Math.abs)) || 1;
  let outside = 0;
  cells.forEach((row, a) => row.forEach(({ sample, outside: beyond }, b) => {
    const cell = element("samples").rows[a].cells[b];
    cell.textContent = sample;
    cell.className = beyond ? "outside" : "";
    cell.style.backgroundColor = `rgb(${sample} ${sample} ${sample})`;
    cell.style.color = sample < 118 ? "#fff" : "#000";
    outside += beyond;
    const product = element("products").rows[a].cells[b];
    fillCell(product, products[a][b]);
    product.style.backgroundColor = tint(products[a][b] / largest);
  }));
  channels.forEach((channel, c) => {
    const row = element("channels").rows[c];
    row.className = c === state.channel ? "chosen" : "";
    [channel.sum, channel.response, channel.level].forEach((value, i) => {
      row.cells[i + 1].textContent = shown(value);
    });
    row.querySelector(".number").textContent = channel.pixel;
    row.querySelector(".swatch").style.backgroundColor = colourOf(given.channels[c], channel.pixel);
  });
  const { border, fill } = state.settings;
  const origin = border === "constant" ? `filled with ${fill}` : `made by border ${border}`;
  const told = `Dashed: ${outside} outside the picture, ${origin}.`;
  element("outside").textContent = outside ? told : "";
}

/** A sample as light of its channel's colour. */
function colourOf(letter, v) {
  const light = ["r", "g", "b"].map((name) => (letter === name || letter === "l" ? v : 0));
  return `rgb(${light.join(" ")})`;
}

/** The rows of the table of results; the first cells choose whose samples are shown. */
function buildChannels() {
  element("channels").replaceChildren(...[...given.channels].map((letter, c) => {
    const id = `channel-${letter}`;
    const radio = make("input", { type: "radio", name: "channel", id, checked: !c });
    radio.addEventListener("change", () => {
      state.channel = c;
      drawArithmetic();
    });
    const head = make("th", { scope: "row" },
      make("label", { htmlFor: id }, radio, CHANNELS[letter]));
    const pixel = make("td", {}, make("span", { className: "pixel" },
      make("span", { className: "number" }), make("span", { className: "swatch" })));
    return make("tr", {}, head, make("td"), make("td"), make("td"), pixel);
  }));
}

// Kernels

function isEdited() {
  return JSON.stringify(copyOf(given.kernels[state.chosen])) !== JSON.stringify(state.kernel);
}

function drawTitle() {
  const { name, summary } = given.kernels[state.chosen];
  const edited = isEdited();
  element("name").textContent = edited ? `${name}, edited` : name;
  const { weights } = state.kernel;
  element("summary").textContent = summary || `${weights.length} × ${weights[0].length} weights`;
  element("reset").disabled = !edited;
}

function buildKernels() {
  const list = [];
  let family = "";
  given.kernels.forEach((kernel, index) => {
    if (kernel.family !== family) {
      family = kernel.family;
      list.push(make("h3", { textContent: family }));
    }
    const radio = make("input", { type: "radio", name: "kernel", value: index });
    radio.checked = index === state.chosen;
    radio.addEventListener("change", () => choose(index));
    list.push(make("label", {}, radio, glyph(kernel.weights),
      make("span", { className: "called", textContent: kernel.name }), " ",
      make("span", { className: "does", textContent: kernel.summary })));
  });
  const none = "No kernel has that in its name.";
  list.push(make("p", { className: "none", textContent: none, hidden: true }));
  element("kernels").replaceChildren(...list);
  scrollToChosen();
}

function scrollToChosen() {
  const list = element("kernels");
  const chosen = list.querySelector(":checked").parentElement;
  list.scrollTop = chosen.offsetTop - list.offsetTop - list.clientHeight / 3;
}

/** Weights as a small picture: gray is 0. */
function glyph(weights) {
  const [height, width] = [weights.length, weights[0].length];
  const largest = Math.max(...weights.flat().map(Math.abs)) || 1;
  const canvas = make("canvas", { width, height });
  canvas.setAttribute("aria-hidden", "true");
  const image = new ImageData(width, height);
  weights.flat().forEach((w, i) => {
    const level = 128 + (127 * w) / largest;
    image.data.set([level, level, level, 255], 4 * i);
  });
  canvas.getContext("2d").putImageData(image, 0, 0);
  const zoom = Math.max(1, Math.floor(27 / Math.max(width, height)));
  Object.assign(canvas.style, { width: `${width * zoom}px`, height: `${height * zoom}px` });
  return canvas;
}

function choose(index) {
  if (!compute(copyOf(given.kernels[index]), state.settings)) {
    element("kernels").querySelector(`[value="${state.chosen}"]`).checked = true;
    return;
  }
  state.chosen = index;
  change({ kernel: copyOf(given.kernels[index]) });
}

/** Show only the kernels that have the text in their name, family or summary. */
function filterKernels() {
  const wanted = element("filter").value.trim().toLowerCase();
  let heading;
  let found = 0;
  for (const item of element("kernels").children) {
    if (item.tagName === "H3") {
      heading = item;
      heading.hidden = true;
    } else if (item.tagName === "LABEL") {
      const text = `${heading.textContent} ${item.textContent}`.toLowerCase();
      item.style.display = text.includes(wanted) ? "" : "none";
      if (text.includes(wanted)) heading.hidden = false;
      found += text.includes(wanted);
    } else {
      item.hidden = found > 0;
    }
  }
}

// Settings

function drawSettings() {
  const { settings, kernel } = state;
  const values = {
    levels: settings.levels, padding: settings.paddingText, border: settings.border,
    fill: settings.fill, divisor: kernel.divisor, bias: kernel.bias,
    "stride-y": settings.stride[0], "stride-x": settings.stride[1],
    "dilation-y": settings.dilation[0], "dilation-x": settings.dilation[1],
    "kernel-rows": kernel.weights.length, "kernel-columns": kernel.weights[0].length,
  };
  for (const [id, value] of Object.entries(values)) {
    if (document.activeElement !== element(id)) {
      element(id).value = value;
      element(id).removeAttribute("aria-invalid");
    }
  }
  element("fill").disabled = settings.border !== "constant";
  element("drawing").textContent = DRAWINGS[settings.border].replaceAll("V", settings.fill);
  const divided = `÷ ${bracketed(kernel.divisor)} + ${bracketed(kernel.bias)}`;
  element("head-response").textContent = divided;
  element("head-level").textContent = settings.levels;
  const ends = result.ends.map((end) => Number(end) / Number(result.responses.denominator));
  element("rule").textContent =
    `r = sum ${divided}; pixel = ${RULES[settings.levels](...ends)}, ` +
    "rounded half to even and cut to 0…255.";
  for (const [id, axis] of [["rows", result.geometry.rows], ["columns", result.geometry.columns]]) {
    const padded = `${axis.size} + ${axis.before} + ${axis.after}`;
    const span = `${axis.dilation}·(${axis.taps} − 1)`;
    element(`formula-${id}`).textContent =
      `${id} ⌊(${padded} − ${span} − 1) ÷ ${axis.stride}⌋ + 1 = ${axis.outputs}`;
  }
  element("command").textContent = command();
}

/** What the command line is told for the same. */
function command() {
  const { settings, kernel } = state;
  const { spec } = given.kernels[state.chosen];
  const rows = kernel.weights.map((row) => row.join(",")).join(";");
  const weights = rows + (kernel.divisor !== 1 ? `/${kernel.divisor}` : "") +
    (kernel.bias ? `+${kernel.bias}` : "");
  const words = ["imgconv", "apply", given.file === "stdin" ? "-" : given.file,
    `--kernel=${isEdited() || !spec ? weights : spec}`];
  if (given.gray) words.push("--channels=gray");
  const options = [
    ["levels", settings.levels, "clip"], ["padding", settings.paddingText, "same"],
    ["border", settings.border, "edge"], ["fill", String(settings.fill), "0"],
    ["stride", settings.stride.join(","), "1,1"], ["dilation", settings.dilation.join(","), "1,1"],
  ];
  for (const [option, value, usual] of options) {
    const needless = option === "fill" && settings.border !== "constant";
    if (value !== usual && !needless) words.push(`--${option}=${value.replace(/\s/g, "")}`);
  }
  return words.map(quoted).join(" ");
}

/** A word as a shell takes it. */
function quoted(word) {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

function wholeIn(field, least, most) {
  const value = field.valueAsNumber;
  const good = Number.isInteger(value) && value >= least && value <= most;
  field.toggleAttribute("aria-invalid", false);
  if (good) return value;
  field.setAttribute("aria-invalid", "true");
  return undefined;
}

/** Have a field change the state as soon as its value is one. */
function onInput(id, read, use) {
  element(id).addEventListener("input", () => {
    const value = read(element(id));
    if (value !== undefined) use(value);
  });
  element(id).addEventListener("blur", () => drawSettings());
}

function set(changes) {
  change({ settings: { ...state.settings, ...changes } });
}

function bindSettings() {
  for (const id of ["levels", "border"]) {
    element(id).addEventListener("change", (event) => set({ [id]: event.target.value }));
  }
  onInput("padding", (field) => {
    const padding = paddingOf(field.value);
    field.toggleAttribute("aria-invalid", false);
    if (padding === undefined) field.setAttribute("aria-invalid", "true");
    return padding;
  }, (padding) => set({ padding, paddingText: element("padding").value.trim() }));
  onInput("fill", (field) => wholeIn(field, 0, MAXIMUM), (fill) => set({ fill }));
  for (const name of ["stride", "dilation"]) {
    ["y", "x"].forEach((way, i) => {
      onInput(`${name}-${way}`, (field) => wholeIn(field, 1, LARGEST_STEP), (value) =>
        set({ [name]: state.settings[name].with(i, value) }));
    });
  }
}

function bindKernel() {
  const edit = (changes) => change({ kernel: { ...copyOf(state.kernel), ...changes } });
  onInput("divisor", (field) => numberIn(field) || undefined, (divisor) => edit({ divisor }));
  onInput("bias", numberIn, (bias) => edit({ bias }));
  for (const id of ["kernel-rows", "kernel-columns"]) {
    onInput(id, (field) => wholeIn(field, 1, given.largest), () => {
      const sides = ["kernel-rows", "kernel-columns"].map((side) => element(side).valueAsNumber);
      edit({ weights: resized(state.kernel.weights, ...sides) });
    });
    element(id).max = given.largest;
  }
  element("reset").addEventListener("click", () => choose(state.chosen));
}

/** Weights of another size around the same middle, with 0 where there were none. */
function resized(weights, rows, columns) {
  const up = Math.floor(rows / 2) - Math.floor(weights.length / 2);
  const left = Math.floor(columns / 2) - Math.floor(weights[0].length / 2);
  return Array.from({ length: rows }, (_, a) =>
    Array.from({ length: columns }, (_, b) => weights[a - up]?.[b - left] ?? 0));
}

// The rest

function bindTheme() {
  const button = element("theme");
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const { dataset } = document.documentElement;
  const isDark = () => (dataset.theme ?? (dark.matches ? "dark" : "light")) === "dark";
  const draw = () => button.setAttribute("aria-pressed", isDark());
  button.addEventListener("click", () => {
    dataset.theme = isDark() ? "light" : "dark";
    draw();
  });
  dark.addEventListener("change", draw);
  draw();
}

function bindCopy() {
  element("copy").addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(element("command").textContent);
      element("copy").textContent = "Copied";
    } catch { // a file opened without leave for the clipboard
      getSelection().selectAllChildren(element("command"));
      element("copy").textContent = "Selected";
    }
    setTimeout(() => { element("copy").textContent = "Copy"; }, 2000);
  });
}

function bindTransport() {
  element("play").addEventListener("click", () => (state.playing ? pause() : play()));
  element("next").addEventListener("click", () => { pause(); step(1); });
  element("back").addEventListener("click", () => { pause(); step(-1); });
  element("speed").addEventListener("input", drawPace);
  calm.addEventListener("change", drawPace);
  for (const id of ["x", "y"]) {
    element(id).addEventListener("input", () => {
      const [x, y] = [element("x").valueAsNumber, element("y").valueAsNumber];
      stopStepping();
      if (x >= 0 && y >= 0) moveTo(x, y);
    });
    element(id).addEventListener("blur", () => moveTo(state.x, state.y));
  }
  drawPace();
}

function start() {
  const size = `${picture.width} × ${picture.height}`;
  element("source").textContent = [given.file, ...given.notes].join(", ");
  element("input-size").textContent = size;
  drawSamples(element("input-canvas"), picture.width, picture.height, picture.samples);
  buildChannels();
  buildKernels();
  followPointer("input");
  followPointer("output");
  bindSettings();
  bindKernel();
  bindTransport();
  bindTheme();
  bindCopy();
  hold(false);
  element("filter").addEventListener("input", filterKernels);
  addEventListener("resize", () => moveTo(state.x, state.y));
  change();
}

start();
