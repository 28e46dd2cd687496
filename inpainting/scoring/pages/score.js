// Shows one image after another. Each gets two marks, which are sent once both are given.
"use strict";

const element = (id) => document.getElementById(id);
const who = "scorer=" + encodeURIComponent(document.body.dataset.scorer);
const scales = ["local", "global"];
let state = null;   // the server's last answer
let marks = {};     // the marks given to the image on the screen
let ready = false;  // false while images load, since a key pressed then is meant for the last image

async function ask(path, options) {
  const answer = await fetch(path, options);
  const content = await answer.json();
  if (!answer.ok) throw new Error(content.error);
  return content;
}

// Show the image with this token, or the first image without a score.
function open(item) {
  exchange(`/state?${who}` + (item ? `&item=${item}` : ""), {}, "");
}

function send() {
  const body = JSON.stringify({ item: state.item, ...marks });
  const headers = { "Content-Type": "application/json" };
  exchange(`/score?${who}`, { method: "POST", headers, body }, "The scores were not saved. ");
}

async function exchange(path, options, failed) {
  ready = false;
  let next;
  try {
    next = await ask(path, options);
  } catch (error) {
    const lost = error instanceof TypeError;  // fetch throws this if there is no answer
    const why = lost ? "The server does not answer. Is it still running?" : error.message;
    element("message").textContent = failed + why;
    marks = {};
    if (state) draw();
    ready = Boolean(state);
    return;
  }
  await show(next).catch(() => {
    element("message").textContent = "The next image did not load. Reload the page.";
  });
}

// Wait for the new images, so that the whole page changes at once.
async function show(next) {
  const { item, number, scored, total } = next;
  const images = item ? await Promise.all(["shown", "hole"].map((id) => load(id, item))) : [];
  state = next;
  marks = {};
  for (const image of images) element(image.id).replaceWith(image);
  element("message").textContent = "";
  element("progress").textContent = item ? `${number} of ${total}` : `${scored} of ${total}`;
  element("bar").max = total;
  element("bar").value = scored;
  element("report").textContent = next.report || "";
  element("scoring").hidden = !item;
  element("thanks").hidden = Boolean(item);
  if (item) resize();
  draw();
  ready = true;
}

async function load(id, item) {
  const image = new Image();
  image.id = id;
  image.alt = element(id).alt;
  image.src = `/image/${item}/${id}?${who}`;
  await image.decode();
  return image;
}

// Enlarge by whole factors, so that every pixel is a square; shrink only if there is no room.
function resize() {
  const ratio = window.devicePixelRatio;
  const room = Math.max(160, Math.min(512, window.innerHeight - 384, window.innerWidth * 0.55));
  for (const [which, share] of [["shown", 1], ["hole", 0.5]]) {
    const image = element(which);
    const side = Math.max(image.naturalWidth, image.naturalHeight);
    const factor = Math.floor((room * share * ratio) / side) / ratio;
    const scale = factor > 0 ? factor : (room * share) / side;
    image.classList.toggle("whole", factor > 0);
    image.style.width = `${image.naturalWidth * scale}px`;
  }
}

function draw() {
  const next = scales.find((name) => !(name in marks));
  for (const name of scales) {
    element(name).classList.toggle("next", name === next);
    for (const button of element(name).querySelectorAll("button")) {
      const mark = Number(button.dataset.mark);
      button.setAttribute("aria-pressed", marks[name] === mark);
      button.classList.toggle("before", state[name] === mark);
    }
  }
  element("forth").hidden = !("local" in state);
  element("back").disabled = !state.previous && !("local" in marks);
}

function give(name, mark) {
  if (!ready || !state.item) return;
  marks[name] = mark;
  element("message").textContent = "";
  draw();
  if (scales.every((scale) => scale in marks)) send();
}

function back() {
  if (!ready) return;
  if (Object.keys(marks).length) {
    marks = {};
    draw();
  } else if (state.previous) {
    open(state.previous);
  }
}

document.addEventListener("keydown", (event) => {
  // A key held down would also score the next images.
  if (event.repeat || event.ctrlKey || event.altKey || event.metaKey) return;
  if (/^[0-9]$/.test(event.key)) {
    event.preventDefault();
    give(scales.find((name) => !(name in marks)), Number(event.key) || 10);
  } else if (event.key === "Backspace") {
    event.preventDefault();
    back();
  } else if (event.key === "Escape" && ready && state && "local" in state) {
    open(null);
  }
});
for (const button of document.querySelectorAll(".marks button")) {
  const name = button.closest(".scale").id;
  button.addEventListener("click", () => {
    button.blur();
    give(name, Number(button.dataset.mark));
  });
}
element("back").addEventListener("click", back);
element("back-from-thanks").addEventListener("click", back);
element("forth").addEventListener("click", () => open(null));
window.addEventListener("resize", () => state && state.item && resize());
open(null);
