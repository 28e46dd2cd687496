// Paints a mask over an image. The mask is an array of its own at the image's resolution: what is
// painted never enters the image, and no canvas, which may be antialiased, is read back.
"use strict";

const $ = (id) => document.getElementById(id);
const view = $("view"), pen = view.getContext("2d"), tint = document.createElement("canvas");
// Colour and opacity of each grey level of the mask: the accent, opaque to two thirds in a full hole.
const TINTS = Uint32Array.from({ length: 256 }, (_, level) =>
  new Uint32Array(Uint8Array.of(232, 163, 61, (level * 2) / 3).buffer)[0]);
const MOST_UNDO = 256 * 2 ** 20;   // bytes of all steps that can be undone

const state = {
  width: 0, height: 0,             // of the image and its mask, in pixels
  picture: null,                   // what is shown as the image
  result: null,                    // what is shown over it, right of the split
  file: null,                      // the image's file, as it is sent
  tool: "brush",
};
let mask = new Uint8Array(), before = mask;  // 0 = known … 255 = hole; before the present stroke
let changed = null;                // the box [left, top, right, bottom] that the stroke has touched
let undone = [], done = [];        // steps: a box and the pixels it had
let zoom = 1, left = 0, top_ = 0;  // CSS pixels of an image pixel, and where the image begins
let stroke = null;                 // the stroke in progress: its last point, first point and value
let cursor = { x: 0, y: 0 };       // of the keyboard, in image pixels
const pointers = new Map();        // pointers that are down, in CSS pixels

// ---- the mask

function cut(source, [x0, y0, x1, y1]) {
  const part = new Uint8Array((x1 - x0) * (y1 - y0));
  for (let y = y0; y < y1; y++)
    part.set(source.subarray(y * state.width + x0, y * state.width + x1), (y - y0) * (x1 - x0));
  return part;
}

function paste(part, [x0, y0, x1, y1]) {
  for (let y = y0; y < y1; y++)
    mask.set(part.subarray((y - y0) * (x1 - x0), (y - y0 + 1) * (x1 - x0)), y * state.width + x0);
}

function touch(box) {
  const [x0, y0, x1, y1] = box, pixels = cut(mask, box);
  if (!pixels.length) return;
  const shown = new ImageData(x1 - x0, y1 - y0), colours = new Uint32Array(shown.data.buffer);
  for (let i = 0; i < pixels.length; i++) if (pixels[i]) colours[i] = TINTS[pixels[i]];
  tint.getContext("2d").putImageData(shown, x0, y0);
  const past = changed || box;
  changed = [Math.min(past[0], x0), Math.min(past[1], y0), Math.max(past[2], x1), Math.max(past[3], y1)];
  redraw();
}

const whole = () => [0, 0, state.width, state.height];
const inside = (value, most) => Math.min(most, Math.max(0, value));

// Paint every pixel whose centre is within half a brush of the line between two pixels' centres.
function line(from, to, value) {
  const radius = brush() / 2, dx = to.x - from.x, dy = to.y - from.y, length = dx * dx + dy * dy;
  const x0 = inside(Math.floor(Math.min(from.x, to.x) - radius), state.width);
  const y0 = inside(Math.floor(Math.min(from.y, to.y) - radius), state.height);
  const x1 = inside(Math.ceil(Math.max(from.x, to.x) + radius) + 1, state.width);
  const y1 = inside(Math.ceil(Math.max(from.y, to.y) + radius) + 1, state.height);
  for (let y = y0; y < y1; y++)
    for (let x = x0; x < x1; x++) {
      const px = x - from.x, py = y - from.y;
      const share = length ? Math.min(1, Math.max(0, (px * dx + py * dy) / length)) : 0;
      if ((px - share * dx) ** 2 + (py - share * dy) ** 2 <= radius * radius) mask[y * state.width + x] = value;
    }
  touch([x0, y0, x1, y1]);
}

function rectangle(a, b, value) {
  const x0 = inside(Math.min(a.x, b.x), state.width), x1 = inside(Math.max(a.x, b.x) + 1, state.width);
  const y0 = inside(Math.min(a.y, b.y), state.height), y1 = inside(Math.max(a.y, b.y) + 1, state.height);
  for (let y = y0; y < y1; y++) mask.fill(value, y * state.width + x0, y * state.width + x1);
  touch([x0, y0, x1, y1]);
}

function begin() {
  before.set(mask);
  changed = null;
  show(null);
}

function commit() {
  if (changed) done.push({ box: changed, pixels: cut(before, changed) });
  undone = [];
  while (done.reduce((sum, step) => sum + step.pixels.length, 0) > MOST_UNDO) done.shift();
  told();
}

function step(from, to) {
  if (stroke || !from.length) return;
  const { box, pixels } = from.pop();
  show(null);
  to.push({ box, pixels: cut(mask, box) });
  paste(pixels, box);
  touch(box);
  told();
}

function alter(change) {  // the whole mask in one step
  begin();
  change();
  touch(whole());
  commit();
}

// ---- strokes, in whole image pixels

function start(point, erasing) {
  begin();
  stroke = { first: point, last: point, value: erasing || state.tool === "eraser" ? 0 : 255 };
  if (state.tool !== "rectangle") line(point, point, stroke.value);
}

function extend(point) {
  if (state.tool !== "rectangle") line(stroke.last, point, stroke.value);
  stroke.last = point;
  redraw();
}

function finish() {
  if (stroke && state.tool === "rectangle") rectangle(stroke.first, stroke.last, stroke.value);
  if (stroke) commit();
  stroke = null;
  redraw();
}

function abandon() {
  if (stroke && changed) {
    const box = changed;
    paste(cut(before, box), box);
    touch(box);
  }
  stroke = null;
  redraw();
}

// ---- the view

function redraw() {
  if (!redraw.asked) redraw.asked = requestAnimationFrame(paintView);
}

function paintView() {
  redraw.asked = 0;
  const ratio = devicePixelRatio, { width, height, picture, result } = state;
  view.width = Math.round(view.clientWidth * ratio);
  view.height = Math.round(view.clientHeight * ratio);
  if (!picture) return;
  pen.setTransform(zoom * ratio, 0, 0, zoom * ratio, left * ratio, top_ * ratio);
  pen.imageSmoothingEnabled = zoom < 3;  // above, every pixel is a square
  pen.drawImage(picture, 0, 0, width, height);
  if (result) {
    const split = ($("split").value / 100) * width;
    pen.save();
    pen.beginPath();
    pen.rect(split, 0, width - split, height);
    pen.clip();
    pen.drawImage(result, 0, 0, width, height);
    pen.restore();
    if (split > 0) outline(() => pen.rect(split, 0, 0, height));
  } else pen.drawImage(tint, 0, 0);
  const { first, last } = stroke || {};
  if (stroke && state.tool === "rectangle")
    outline(() => pen.rect(Math.min(first.x, last.x), Math.min(first.y, last.y),
      Math.abs(first.x - last.x) + 1, Math.abs(first.y - last.y) + 1));
  else if (cursor.shown && state.tool !== "hand")
    outline(() => pen.arc(cursor.x + 0.5, cursor.y + 0.5, state.tool === "rectangle" ? 4 / zoom : brush() / 2, 0, 7));
}

function outline(path) {  // black on white, visible on any image
  for (const [colour, thickness] of [["#fff", 3], ["#000", 1]]) {
    pen.beginPath();
    path();
    pen.strokeStyle = colour;
    pen.lineWidth = thickness / zoom;
    pen.stroke();
  }
}

function fit() {
  zoom = Math.min(view.clientWidth / state.width, view.clientHeight / state.height);
  left = (view.clientWidth - zoom * state.width) / 2;
  top_ = (view.clientHeight - zoom * state.height) / 2;
  redraw();
}

function zoomAt(factor, x = view.clientWidth / 2, y = view.clientHeight / 2) {
  const next = Math.min(64, Math.max(0.02, zoom * factor));
  left = x - ((x - left) * next) / zoom;
  top_ = y - ((y - top_) * next) / zoom;
  zoom = next;
  redraw();
}

const brush = () => Number($("size").value);
const place = (event) => ({ x: event.clientX - view.getBoundingClientRect().x, y: event.clientY - view.getBoundingClientRect().y });
const pixel = ({ x, y }) => ({ x: Math.floor((x - left) / zoom), y: Math.floor((y - top_) / zoom) });

view.addEventListener("pointerdown", (event) => {
  if (!state.picture) return;
  view.setPointerCapture(event.pointerId);  // the stroke goes on outside of the canvas
  pointers.set(event.pointerId, place(event));
  if (pointers.size === 2) abandon();  // two fingers move and zoom
  else if (pointers.size === 1 && state.tool !== "hand" && event.button !== 1)
    start(pixel(place(event)), event.button === 2);
});
view.addEventListener("pointermove", (event) => {
  cursor = { ...pixel(place(event)), shown: true };
  const past = pointers.get(event.pointerId), now = place(event);
  if (past && stroke) for (const each of event.getCoalescedEvents().concat(event)) extend(pixel(place(each)));
  else if (past) {
    const [other] = [...pointers].filter(([id]) => id !== event.pointerId).map(([, point]) => point);
    const apart = (a) => (other ? Math.hypot(a.x - other.x, a.y - other.y) : 1);
    if (other) zoomAt(apart(now) / Math.max(1, apart(past)), other.x, other.y);
    else { left += now.x - past.x; top_ += now.y - past.y; }
  }
  if (past) pointers.set(event.pointerId, now);
  redraw();
});
for (const name of ["pointerup", "pointercancel"])
  view.addEventListener(name, (event) => {
    pointers.delete(event.pointerId);
    if (name === "pointerup") finish(); else abandon();
  });
