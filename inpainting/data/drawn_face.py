"""Draws a simple face, with eyes and mouth where the aligned faces of CelebA have them."""

import cv2
import numpy as np

from inpainting.data.face_canvas import FaceCanvas, arc, between, ellipse, muted

SKINS = (
    (255, 224, 196),
    (241, 194, 160),
    (222, 164, 122),
    (176, 116, 76),
    (120, 76, 50),
    (84, 52, 36),
)
HAIRS = (
    (24, 18, 16),
    (60, 38, 24),
    (110, 68, 36),
    (172, 120, 60),
    (224, 190, 120),
    (150, 58, 30),
    (170, 170, 172),
)


def draw_face(rng: np.random.Generator, smiling: bool, eyeglasses: bool, side: int) -> np.ndarray:
    """Draw a face.

    All that varies besides the two attributes (shape, colours, hair, pose, light, background)
    follows from the generator alone, so one state of it gives one person in four states.

    Args:
        rng: draws the person
        smiling: mouth drawn up at its corners, with teeth; otherwise closed and level
        eyeglasses: a frame around each eye
        side: of the image, in pixels

    Returns:
        (side, side, 3) uint8, RGB
    """
    tilt, scale = rng.normal(0, 0.06), rng.uniform(0.94, 1.08)
    matrix = scale * np.array([[np.cos(tilt), -np.sin(tilt)], [np.sin(tilt), np.cos(tilt)]])
    origin = np.array([0.5, 0.52]) + rng.normal(0, 0.012, 2)
    canvas = _background(rng, side)
    face = FaceCanvas(canvas, rng, float(np.clip(rng.normal(0, 0.03), -0.07, 0.07)), matrix, origin)
    skin, hair = between(rng, SKINS), between(rng, HAIRS)
    width, jaw = rng.uniform(0.29, 0.36), rng.uniform(0.8, 1.1)
    _behind(face, hair, skin, width)
    _head(face, skin, width, jaw)
    _eyes(face, skin, hair)
    _nose(face, skin)
    _mouth(face, skin, smiling)
    _in_front(face, hair, width)
    _glasses(face, eyeglasses)
    return _lit(canvas, rng)


def _background(rng: np.random.Generator, side: int) -> np.ndarray:
    first, second = muted(rng, 2)
    angle = rng.uniform(0, 2 * np.pi)
    y, x = np.mgrid[:side, :side] / side - 0.5
    share = np.clip(0.5 + (x * np.cos(angle) + y * np.sin(angle)), 0, 1)[..., None]
    canvas = (1 - share) * first + share * second
    for _ in range(rng.integers(0, 4)):  # things out of focus
        centre, radius = rng.uniform(0, 1, 2), rng.uniform(0.06, 0.25)
        distance = np.hypot(x + 0.5 - centre[0], y + 0.5 - centre[1])
        blob = 1 / (1 + np.exp((distance - radius) / rng.uniform(0.01, 0.05)))[..., None]
        canvas += blob * (muted(rng, 1) - canvas)
    return canvas.astype(np.uint8)


def _behind(face: FaceCanvas, hair: np.ndarray, skin: np.ndarray, width: float) -> None:
    """Hair behind the head, neck, clothes and ears."""
    rng = face.rng
    length, volume = rng.choice([0.0, 0.25, 0.6], p=[0.45, 0.25, 0.3]), rng.uniform(1.12, 1.35)
    if length:
        face.area(
            ellipse(0, 0.02 + length / 2, width * volume, 0.42 + length / 2, 0.8), 0.85 * hair, 0.2
        )
    face.area(ellipse(0, 0.55, 0.16, 0.22), 0.8 * skin, 0.3)
    face.area(ellipse(0, 0.78, 0.55, 0.24), muted(rng, 1)[0], 0.1)
    for side in (-1, 1):
        face.area(ellipse(side * (width + 0.01), 0.06, 0.045, 0.08), 0.92 * skin, 0.1)


def _head(face: FaceCanvas, skin: np.ndarray, width: float, jaw: float) -> None:
    points = ellipse(0, 0.06, width, 0.42)
    below = np.clip((points[:, 1] - 0.06) / 0.42, 0, 1)
    points[:, 0] *= 1 + (jaw - 1) * below
    face.area(points, skin, 0.3)
    for side in (-1, 1):  # cheeks
        colour = skin * [1.0, 0.93, 0.92]
        face.area(ellipse(side * 0.17, 0.2, 0.07, 0.05), colour, 0.8)


def _eyes(face: FaceCanvas, skin: np.ndarray, hair: np.ndarray) -> None:
    rng = face.rng
    distance, opening = rng.uniform(0.125, 0.155), rng.uniform(0.02, 0.034)
    size, iris = rng.uniform(0.05, 0.062), rng.uniform(0.022, 0.028)
    colour = between(rng, ((60, 36, 20), (110, 74, 36), (70, 110, 70), (70, 120, 180)))
    gaze, lift, thickness = rng.normal(0, 0.008), rng.uniform(0.07, 0.1), rng.uniform(0.012, 0.03)
    slope = rng.normal(0, 0.012)
    for side in (-1, 1):
        x = side * distance
        face.area(ellipse(x, 0, size, opening), np.array([244, 242, 238]))
        face.area(ellipse(x + gaze, 0, iris, min(iris, opening)), colour)
        face.area(ellipse(x + gaze, 0, 0.4 * iris, 0.4 * iris), np.array([12, 10, 10]))
        face.area(ellipse(x + gaze + 0.008, -0.008, 0.006, 0.006), np.array([250, 250, 250]))
        face.line(arc(x, 0.0, size, opening), 0.35 * skin, 0.01)
        brow = arc(x, -lift, 0.07, 0.018)
        brow[:, 1] += slope * (brow[:, 0] - x) * side * 10
        face.line(brow, 0.7 * hair, thickness)


def _nose(face: FaceCanvas, skin: np.ndarray) -> None:
    rng = face.rng
    length, width = rng.uniform(0.15, 0.19), rng.uniform(0.035, 0.055)
    bridge = np.array([[-0.012, 0.03], [0.012, 0.03], [width, length], [-width, length]])
    face.area(bridge, 0.95 * skin, 1.5)
    face.area(ellipse(0, length, width, 0.026), 0.98 * skin, 1.8)
    for side in (-1, 1):
        face.area(ellipse(side * 0.5 * width, length + 0.015, 0.012, 0.007), 0.5 * skin, 1.7)


def _mouth(face: FaceCanvas, skin: np.ndarray, smiling: bool) -> None:
    rng = face.rng
    y, width = rng.uniform(0.295, 0.325), rng.uniform(0.085, 0.105)
    redness = rng.uniform(0.0, 1.0)
    lips = (1 - redness) * skin * [0.86, 0.66, 0.64] + redness * np.array([186, 46, 66])
    bend, thickness, openness = (
        rng.normal(0, 0.008),
        rng.uniform(0.012, 0.02),
        rng.uniform(0.03, 0.05),
    )
    if smiling:
        width *= 1.25
        top, bottom = (
            arc(0, y - 0.02, width, -0.018),
            arc(0, y - 0.02, width, -0.018 - 2 * openness),
        )
        inside = np.concatenate([top, bottom[::-1]])
        face.area(inside, np.array([246, 242, 236]), 1.2)
        face.line(inside, lips, thickness, closed=True, depth=1.2)
        for side in (-1, 1):  # folds beside the mouth
            fold = np.array(
                [[side * 0.14, 0.27], [side * 0.15, y - 0.02], [side * 0.145, y + 0.03]]
            )
            face.line(fold, 0.82 * skin, 0.008, depth=1.1)
    else:
        upper, lower = arc(0, y, width, thickness), arc(0, y, width, -1.6 * thickness)
        face.area(np.concatenate([upper, lower[::-1]]), lips, 1.2)
        face.line(arc(0, y, width, bend), 0.5 * lips, 0.009, depth=1.2)


def _in_front(face: FaceCanvas, hair: np.ndarray, width: float) -> None:
    """Hair over the forehead: a parting, a fringe, or none."""
    rng = face.rng
    style, edge, parting = (
        rng.choice(3, p=[0.5, 0.35, 0.15]),
        rng.uniform(-0.28, -0.2),
        rng.uniform(-0.15, 0.15),
    )
    if style == 2:  # bald
        return
    t = np.linspace(-1, 1, 25)
    crown = np.stack([1.08 * width * np.sin(1.4 * t), 0.06 - 0.48 * np.cos(1.4 * t)], 1)
    line = edge + (0.06 if style == 0 else 0.1) * np.abs(t if style == 1 else t - 3 * parting) ** 2
    if style == 1:
        line += 0.06
    hairline = np.stack([0.98 * width * t, np.minimum(line, 0.02)], 1)
    face.area(np.concatenate([crown, hairline[::-1]]), hair, 0.4)


def _glasses(face: FaceCanvas, worn: bool) -> None:
    rng = face.rng
    power, width, height = rng.uniform(0.45, 1.0), rng.uniform(0.085, 0.11), rng.uniform(0.06, 0.09)
    frame = between(rng, ((15, 15, 18), (50, 35, 25), (120, 30, 40), (60, 70, 90)))
    thickness, tint = rng.uniform(0.012, 0.024), rng.uniform(0.0, 0.35)
    if not worn:
        return
    for side in (-1, 1):
        rim = ellipse(side * 0.14, 0.01, width, height, power)
        tinted = FaceCanvas(face.canvas.copy(), rng, face.turn, face.matrix, face.origin)
        tinted.area(rim, 0.5 * frame, 1.6)
        cv2.addWeighted(tinted.canvas, tint, face.canvas, 1 - tint, 0, dst=face.canvas)
        face.line(rim, frame, thickness, closed=True, depth=1.6)
        temple = np.array([[side * (0.14 + width), -0.01], [side * 0.36, -0.02]])
        face.line(temple, frame, thickness, depth=0.9)
    face.line(arc(0, 0.0, 0.14 - width, 0.012), frame, thickness, depth=1.8)


def _lit(canvas: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Add light from one side, a colour cast and a little grain."""
    angle, strength = rng.uniform(0, 2 * np.pi), rng.uniform(0, 0.45)
    side = len(canvas)
    y, x = np.mgrid[:side, :side] / side - 0.5
    light = 1 + strength * (x * np.cos(angle) + y * np.sin(angle))[..., None]
    cast = rng.uniform(0.75, 1.08) * rng.uniform(0.94, 1.06, 3)
    return np.clip(canvas * (light * cast) + rng.normal(0, 2, (side, side, 1)), 0, 255).astype(
        np.uint8
    )
