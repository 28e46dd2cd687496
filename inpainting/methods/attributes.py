"""The attributes that a method is told, such as a smile, and those that a user asks for."""

from collections.abc import Mapping, Sequence

from torch import Tensor

from inpainting.errors import InputError


class Attributes:
    """Names of the attributes that a method is told, and the values that are asked for.

    Args:
        names: in the order of a batch's columns; none for a method that ignores attributes
        emphasis: 1 or more; the factor by which an attribute that is asked for lies further from
            the middle between absent and present than in training, where it is 1

    Raises:
        InputError: the emphasis is below 1.

    Attributes:
        asked: values in [0, 1], from absent to present, that all completions should show
    """

    def __init__(self, names: Sequence[str], emphasis: float = 1.0):
        if emphasis < 1:
            raise InputError(f"model.emphasis={emphasis}: type 1 or more")
        self.names, self.emphasis = list(names), emphasis
        self.asked: dict[str, float] = {}

    def __len__(self) -> int:
        """Return the number of attributes."""
        return len(self.names)

    def ask(self, values: Mapping[str, float]) -> None:
        """Let all completions from now on show these values, whatever the images' own are.

        Args:
            values: in [0, 1], from absent to present, by name; case is ignored

        Raises:
            InputError: the method is not told an attribute of this name, or a value is out of
                range.
        """
        known = {name.lower(): name for name in self.names}
        for name, value in values.items():
            if name.lower() not in known:
                told = f"this model is told {', '.join(self.names)}"
                none = "this model was trained without attributes; leave it out"
                raise InputError(f"attributes.{name}={value}: {told if known else none}")
            if isinstance(value, str | None) or not 0 <= value <= 1:
                raise InputError(f"attributes.{name}={value}: type a number from 0 to 1")
        self.asked = {known[name.lower()]: float(value) for name, value in values.items()}

    def wanted(self, batch: Mapping[str, Tensor]) -> Tensor | None:
        """Return the values (B, A) that a batch's completions should show.

        These are the images' own, except for those asked for. What is unknown counts as asked to be
        0. A method without attributes gets None.
        """
        if not self.names:
            return None
        image, own = batch["image"], batch.get("attributes")
        if own is None:
            values = image.new_full((len(image), len(self)), self._emphasised(0.0))
        else:
            values = own.clone()
        for name, value in self.asked.items():
            values[:, self.names.index(name)] = self._emphasised(value)
        return values

    def _emphasised(self, value: float) -> float:
        return 0.5 + self.emphasis * (value - 0.5)

    def each_way(self, wanted: Tensor) -> list[Tensor]:
        """Return `wanted` (B, A) with each attribute asked to be 0 and 1: 2 A tensors (B, A)."""
        ways = []
        for column in range(len(self)):
            for value in (0.0, 1.0):
                way = wanted.clone()
                way[:, column] = self._emphasised(value)
                ways.append(way)
        return ways
