"""The check that an image file can be read to its end."""

from pathlib import Path

from PIL import Image

from inpainting.errors import InputError


def check_whole_image(path: Path) -> None:
    """Raise an error unless an image that a command wrote can be read to its end.

    Raises:
        InputError: names the file.
    """
    try:
        with Image.open(path) as image:
            image.load()
    except (OSError, SyntaxError, ValueError) as error:
        raise InputError(
            f"{path} is not a whole image ({error}): run the test again, or remove the file"
        ) from error
