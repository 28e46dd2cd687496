"""What a user asks of a method: attributes that completions should show, and edits."""

from collections.abc import Mapping

from inpainting.errors import InputError
from inpainting.methods.base import Inpainter


def ask(method: Inpainter, name: str, attributes: Mapping[str, float], edit: bool) -> None:
    """Tell a method what completions should show, and whether whole images are edited.

    Args:
        method: that completes
        name: of the method, for messages
        attributes: values in [0, 1] by name
        edit: measure or write the whole prediction, see `Inpainter.edit`

    Raises:
        InputError: the method is not told such an attribute, or it leaves whole images as they are.
    """
    if edit and not method.trained:
        raise InputError(
            f"{name}: with edit=true there is no hole, and this method leaves whole images as they "
            "are; type edit=false, or another method"
        )
    method.attributes.ask(attributes)
    method.edits = edit
