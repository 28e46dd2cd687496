// Buttons, keys and files of the page; sends the image and its mask to be filled, and shows what
// comes back. What is painted, and how it is shown, is canvas.js.
"use strict";

const form = $("settings");
const SIGNATURE = Uint8Array.of(137, 80, 78, 71, 13, 10, 26, 10);
const CRC = Uint32Array.from({ length: 256 }, (_, n) => {
  for (let k = 0; k < 8; k++) n = n & 1 ? 0xedb88320 ^ (n >>> 1) : n >>> 1;
  return n;
});
const stem = () => state.file.name.replace(/\.\w+$/, "");
const pause = (milliseconds) => new Promise((resume) => setTimeout(resume, milliseconds));
let watched = null;  // the card whose fill is shown on the canvas as it comes

function say(text) {
  $("say").textContent = text;
}

function told() {  // what the page says about image, mask and brush
  let holes = 0;
  for (let i = 0; i < mask.length; i++) if (mask[i]) holes++;
  const share = ((100 * holes) / mask.length).toFixed(holes && holes < mask.length / 100 ? 2 : 1);
  $("facts").textContent = `${state.file.name}, ${state.width} × ${state.height} px, ${share} % painted`;
  document.querySelector("[data-do=undo]").disabled = !done.length;
  document.querySelector("[data-do=redo]").disabled = !undone.length;
}

function sized() {
  $("size-said").textContent = `${$("size").value} px`;
  redraw();
}

function show(result) {
  state.result = result;
  $("compare").hidden = !result;
  if (!result) {
    watch(null);
    for (const one of document.querySelectorAll(".strip [aria-pressed=true]")) one.ariaPressed = "false";
  }
  redraw();
}

function watch(card, text = "") {
  watched = card;
  $("now").textContent = text;
  $("stop").hidden = !card;
}

// ---- requests

async function ask(path, fields) {
  const body = new FormData();
  for (const [key, value] of Object.entries(fields)) for (const each of [value].flat()) body.append(key, each);
  return answered(path, { method: "POST", body });
}

async function answered(path, options) {
  let answer;
  try {
    answer = await fetch(path, options);
  } catch {
    throw new Error("The server does not answer. Is it still running?");
  }
  if (!answer.ok) throw new Error((await answer.json().catch(() => ({}))).error || `The server refuses (${answer.status}).`);
  return answer;
}

const failing = (task) => async (...inputs) => {  // what goes wrong is said on the page
  try {
    await task(...inputs);
  } catch (error) {
    say(error.message);
  }
};

function refuseLarge(file) {
  const most = Number(document.body.dataset.bytes);
  if (file.size > most)
    throw new Error(`${file.name} has ${(file.size / 2 ** 20).toFixed(1)} MiB, more than the ${most / 2 ** 20} MiB that the page takes.`);
}

// ---- image and mask

const open = failing(async (file) => {
  refuseLarge(file);
  say(`Reading ${file.name} …`);
  const answer = await ask("/image", { image: file });
  const [width, height] = answer.headers.get("X-Size").split("x").map(Number);
  const picture = await createImageBitmap(await answer.blob()).catch(() => {
    throw new Error(`${file.name}: this browser cannot show the image; save it as PNG.`);
  });
  const same = width === state.width && height === state.height;
  Object.assign(state, { width, height, picture, file });
  if (!same) {  // the mask of an image of the same size stays
    [mask, before, done, undone] = [new Uint8Array(width * height), new Uint8Array(width * height), [], []];
    [tint.width, tint.height, cursor] = [width, height, { x: width >> 1, y: height >> 1 }];
    $("size").max = Math.max(4, Math.round(Math.max(width, height) / 3));
    $("size").value = Math.max(1, Math.round(Math.max(width, height) / 16));
  }
  show(null);
  fit();
  sized();
  told();
  say("");
});

const openMask = failing(async (file) => {
  refuseLarge(file);
  const answer = await ask("/mask", { mask: file, width: state.width, height: state.height });
  const levels = new Uint8Array(await answer.arrayBuffer());
  alter(() => mask.set(levels));
  say(`The mask is now ${file.name}.`);
});

function chunk(name, content) {
  const bytes = new Uint8Array(content.length + 12), numbers = new DataView(bytes.buffer);
  numbers.setUint32(0, content.length);
  bytes.set(new TextEncoder().encode(name), 4);
  bytes.set(content, 8);
  let crc = ~0;
  for (let i = 4; i < content.length + 8; i++) crc = CRC[(crc ^ bytes[i]) & 255] ^ (crc >>> 8);
  numbers.setUint32(content.length + 8, ~crc);
  return bytes;
}

// The mask as a grey PNG file of 8 bits. Browsers that hinder fingerprinting change what they read
// back from a canvas, and this must arrive bit for bit.
async function png() {
  const { width, height } = state, rows = new Uint8Array((width + 1) * height), head = new Uint8Array(13);
  for (let y = 0; y < height; y++) rows.set(mask.subarray(y * width, (y + 1) * width), y * (width + 1) + 1);
  new DataView(head.buffer).setUint32(0, width);
  new DataView(head.buffer).setUint32(4, height);
  head[8] = 8;
  const packed = new Blob([rows]).stream().pipeThrough(new CompressionStream("deflate"));
  const body = new Uint8Array(await new Response(packed).arrayBuffer());
  const parts = [SIGNATURE, chunk("IHDR", head), chunk("IDAT", body), chunk("IEND", new Uint8Array())];
  return new Blob(parts, { type: "image/png" });
}

function download(blob, name) {
  const link = Object.assign(document.createElement("a"), { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
}

// ---- fills

async function fill() {
  const chosen = [...form.querySelectorAll("[name=method]:checked")];
  if (!state.file || !form.reportValidity()) return;
  if (!chosen.length) return say("Choose a method.");
  if (!mask.some((level) => level)) return say("Nothing is painted: paint over what is to be filled.");
  say("");
  const sent = { image: state.file, name: state.file.name, mask: await png() };
  for (const key of ["samples", "seed"]) sent[key] = form.elements[key].value;
  for (const key of ["attribute", "blend"])
    sent[key] = [...form.querySelectorAll(`[name=${key}]:checked`)].map((one) => one.value);
  const cards = chosen.reverse().map((method) => [newCard(method.dataset.title), method.value]).reverse();
  watch(cards[0][0]);
  for (const [card, method] of cards) follow(card, { ...sent, method });  // side by side
}

function newCard(title) {
  const card = $("card").content.firstElementChild.cloneNode(true);
  card.querySelector("h2").textContent = title;
  $("results").prepend(card);
  return card;
}

async function follow(card, sent) {
  const part = (selector) => card.querySelector(selector);
  const drop = part("[data-card=drop]"), bar = part("progress");
  let ticket = null, dropped = false, version = 0;
  drop.addEventListener("click", () => {
    dropped = true;
    if (watched === card || card.contains(document.querySelector(".strip [aria-pressed=true]"))) show(null);
    card.remove();
    view.focus();
  });
  try {
    const answer = await (await ask("/fill", sent)).json();
    ticket = answer.ticket;
    while (!dropped) {
      const now = await (await answered(`/ticket/${ticket}`)).json();
      part(".state").textContent = now.text;
      if (watched === card) watch(card, now.text);
      if (now.state === "failed") throw new Error(now.text);
      if (now.state === "done") break;
      if (now.total) bar.value = now.done / now.total;
      if (now.version > version) await showEstimates(card, ticket, now.estimates, now.version);
      version = now.version;
      await pause(250);
    }
    if (!dropped) await showResults(card, ticket, answer, sent);
  } catch (error) {
    part(".state").textContent = error.message;
    card.classList.add("failed");
    if (!dropped) say(error.message);
  }
  // The server stops this fill if it still runs, and forgets what came out.
  if (ticket) fetch(`/ticket/${ticket}`, { method: "DELETE" }).catch(() => {});
  if (watched === card) watch(null);
  bar.remove();
  drop.textContent = "Remove";
}

async function showEstimates(card, ticket, count, version) {
  for (let k = 0; k < count; k++) {
    const answer = await fetch(`/ticket/${ticket}/estimate/${k}?${version}`);
    if (answer.status !== 200) return;  // the fill has ended
    const blob = await answer.blob();
    thumbnail(card, k, blob);
    if (k === 0 && watched === card && !stroke) show(await createImageBitmap(blob));
  }
}

function thumbnail(card, k, blob) {
  const strip = card.querySelector(".strip");
  if (!strip.children[k]) {
    const button = Object.assign(document.createElement("button"), { type: "button", disabled: true });
    button.append(new Image(), document.createElement("span"));
    strip.append(button);
  }
  const button = strip.children[k], image = button.firstChild;
  URL.revokeObjectURL(image.src);
  image.src = URL.createObjectURL(blob);
  image.alt = `sample ${k + 1}`;
  return button;
}

async function showResults(card, ticket, { seeds, command }, sent) {
  const name = `${stem()}_${card.querySelector("h2").textContent}`.replace(/[^\w.-]+/g, "_");
  const maskName = `${sent.name.replace(/\.\w+$/, "")}_mask.png`;
  for (const [k, seed] of seeds.entries()) {
    const blob = await (await answered(`/ticket/${ticket}/result/${k}`)).blob();
    const button = thumbnail(card, k, blob);
    button.disabled = false;
    button.ariaPressed = "false";
    button.lastChild.textContent = seeds.length > 1 ? `seed ${seed}` : "";
    const choose = async () => {
      const links = { result: [blob, `${name}_${seed}.png`], image: [sent.image, sent.name] };
      Object.assign(links, { mask: [sent.mask, maskName], command: [new Blob([command + "\n"]), `${name}.txt`] });
      for (const link of card.querySelectorAll("[data-link]")) link.onclick = () => download(...links[link.dataset.link]);
      card.querySelector("[data-card=use]").onclick = () => open(new File([blob], `${name}.png`));
      show(null);
      show(await createImageBitmap(blob));
      button.ariaPressed = "true";
    };
    button.addEventListener("click", choose);
    if (k === 0 && watched === card && !stroke) await choose();
  }
  const text = card.querySelector("pre");
  text.textContent = command;
  text.hidden = card.querySelector(".links").hidden = false;
}

// ---- buttons, keys and files

const choose = (tool) => () => {
  finish();
  state.tool = tool;
  for (const name of ["brush", "eraser", "rectangle", "hand"])
    document.querySelector(`[data-do=${name}]`).ariaPressed = String(name === tool);
};
const actions = {
  brush: choose("brush"), eraser: choose("eraser"), rectangle: choose("rectangle"), hand: choose("hand"),
  undo: () => step(done, undone),
  redo: () => step(undone, done),
  invert: () => alter(() => mask.forEach((level, i) => (mask[i] = 255 - level))),
  clear: () => alter(() => mask.fill(0)),
  load: () => $("mask-file").click(),
  save: failing(async () => download(await png(), `${stem()}_mask.png`)),
  out: () => zoomAt(1 / 1.25), in: () => zoomAt(1.25), fit,
  choose: () => $("file").click(),
  another: () => (form.elements.seed.value = Math.floor(Math.random() * Number(document.body.dataset.seeds))),
};
document.addEventListener("click", (event) => {
  const { do: name, example } = event.target.closest("button")?.dataset || {};
  if (name && (state.picture || name === "choose")) actions[name]();
  if (example) openExample(example);
});
form.addEventListener("submit", (event) => {
  event.preventDefault();
  failing(fill)();
});
$("stop").addEventListener("click", () => watched.querySelector("[data-card=drop]").click());
$("size").addEventListener("input", sized);
$("split").addEventListener("input", redraw);
const openExample = failing(async (name) =>
  open(new File([await (await answered(`/example/${name}`)).blob()], `${name}.png`)));

const MOVES = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
document.addEventListener("keydown", (event) => {
  const focus = document.activeElement;
  if (focus.matches("input:not([type=checkbox], [type=range])") || event.altKey) return;
  const command = event.ctrlKey || event.metaKey, key = event.key.toLowerCase();
  if (command && key !== "z" && key !== "y") return;
  const name = key === "z" && event.shiftKey ? "y" : key;
  const button = document.querySelector(`[data-key="${CSS.escape(name)}"]`);
  if (focus === view && onCanvas(event)) event.preventDefault();
  else if (button) { button.click(); event.preventDefault(); }
  else if (key === "[" || key === "]") {
    const now = brush(), by = Math.max(1, Math.round(now / 8));
    $("size").value = now + (key === "[" ? -by : by);
    sized();
  }
});

function onCanvas(event) {  // the keyboard's way to paint
  if (!state.picture) return false;
  const move = MOVES[event.key], by = event.shiftKey ? 1 : Math.max(1, Math.floor(brush() / 4));
  if (move) {
    cursor.x = inside(cursor.x + by * move[0], state.width - 1);
    cursor.y = inside(cursor.y + by * move[1], state.height - 1);
    if (stroke) extend({ ...cursor });
  } else if (event.key === " ") {
    if (stroke) finish(); else start({ ...cursor }, false);
    say(stroke ? "The brush is down." : "The brush is up.");
  } else if (event.key === "Escape") abandon();
  else if (event.key === "Enter") form.requestSubmit();
  else return false;
  cursor.shown = true;
  redraw();
  return true;
}

view.addEventListener("wheel", (event) => {
  event.preventDefault();
  const { x, y } = place(event);
  zoomAt(Math.exp(-event.deltaY / 400), x, y);
}, { passive: false });
view.addEventListener("contextmenu", (event) => event.preventDefault());
for (const name of ["pointerleave", "blur"]) view.addEventListener(name, () => { cursor.shown = false; redraw(); });
for (const [id, task] of [["file", open], ["mask-file", openMask]])
  $(id).addEventListener("change", () => { if ($(id).files[0]) task($(id).files[0]); $(id).value = ""; });
document.addEventListener("dragover", (event) => event.preventDefault());
document.addEventListener("drop", (event) => {
  event.preventDefault();
  if (event.dataTransfer.files[0]) open(event.dataTransfer.files[0]);
});
document.addEventListener("paste", (event) => {
  if (event.clipboardData.files[0]) open(event.clipboardData.files[0]);
});
addEventListener("beforeunload", (event) => done.length && event.preventDefault());  // asks first
new ResizeObserver(() => state.picture && fit()).observe(view);
function watchSharpness() {  // on a screen of another pixel density the view may keep its size, so no observer says so
  matchMedia(`(resolution: ${devicePixelRatio}dppx)`).addEventListener("change", () => { redraw(); watchSharpness(); }, { once: true });
}
watchSharpness();
openExample(document.querySelector("[data-example]").dataset.example);
