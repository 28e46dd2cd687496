"""EXIF data of a photograph for its filled copy: without orientation and without thumbnail.

PIL would write the data anew and lose letters beyond ASCII and makers' notes; here all other bytes
stay as the camera wrote them. The structure is TIFF's (EXIF 2.32, section 4.5).
"""

import struct

HEADER = b"Exif\0\0"
ORIENTATION, THUMBNAIL_START, THUMBNAIL_LENGTH = 0x0112, 0x0201, 0x0202
UPRIGHT = 1


def for_filled_copy(exif: bytes) -> bytes | None:
    """Return EXIF data of upright pixels, without the thumbnail, which shows what a hole hides.

    Args:
        exif: with or without "Exif" before the TIFF structure

    Returns:
        as given otherwise; None if the structure is damaged
    """
    content = bytearray(exif.removeprefix(HEADER))
    order = {b"II": "<", b"MM": ">"}.get(bytes(content[:2]))
    if order is None:
        return None
    try:
        entries, end = _entries(content, order, struct.unpack_from(f"{order}I", content, 4)[0])
        if ORIENTATION in entries:
            struct.pack_into(f"{order}H", content, entries[ORIENTATION] + 8, UPRIGHT)
        second = struct.unpack_from(f"{order}I", content, end)[0]
        if second:
            struct.pack_into(f"{order}I", content, end, 0)
            places, _ = _entries(content, order, second)
            start, length = (
                struct.unpack_from(f"{order}I", content, places[tag] + 8)[0] if tag in places else 0
                for tag in (THUMBNAIL_START, THUMBNAIL_LENGTH)
            )
            length = max(0, min(length, len(content) - start))
            content[start : start + length] = bytes(length)
    except struct.error:  # it ends too early
        return None
    return HEADER + bytes(content)


def _entries(content: bytearray, order: str, start: int) -> tuple[dict[int, int], int]:
    """Return where each tag's entry of 12 bytes lies, and where the last one ends."""
    (count,) = struct.unpack_from(f"{order}H", content, start)
    places = [start + 2 + 12 * number for number in range(count)]
    tags = {struct.unpack_from(f"{order}H", content, place)[0]: place for place in places}
    return tags, start + 2 + 12 * count
