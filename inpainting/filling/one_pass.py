"""A method that fills in one forward pass, as a graph for programs without inpainting."""

from pathlib import Path

import torch
from torch import Tensor, nn

from inpainting.atomic import replacing
from inpainting.errors import InputError
from inpainting.images.algebra import composite, erase
from inpainting.methods.base import Inpainter


class OnePass(nn.Module):
    """Erases, predicts and composites, as `complete` does for images that fit the network.

    Args:
        method: that draws no random numbers
    """

    def __init__(self, method: Inpainter):
        super().__init__()
        self.method = method

    def forward(self, image: Tensor, mask: Tensor) -> Tensor:
        """Return the completion (B, C, H, W) of an image in [0, 1] and a mask, 1 = hole."""
        prediction = self.method.predict(erase(image, mask, self.method.fill), mask)
        return composite(prediction, image, mask)


def write_graph(method: Inpainter, name: str, side: int, path: Path) -> None:
    """Write a method's forward pass by torch.export, or as ONNX if the path ends in .onnx.

    The inputs are `image` (B, C, side, side) and `mask` (B, 1, side, side), the output is
    `completion`; B is free.

    Args:
        method: with its weights; it loses the networks that only a training needs
        name: of the method, for messages
        side: of the images, in pixels
        path: ends in .onnx or .pt2

    Raises:
        InputError: filling takes several network calls or random numbers, or a package is missing.
    """
    if method.stochastic or not (method.trained and method.fills_holes):
        raise InputError(
            f"out={path}: {name} is not one network that fills in one forward pass; type "
            "out=FILE.safetensors, which fills anywhere that inpainting is installed"
        )
    for part in method.only_trains:
        delattr(method, part)
    module = OnePass(method.cpu()).eval()
    image, mask = torch.rand(2, method.channels, side, side), torch.zeros(2, 1, side, side)
    mask[..., : side // 2, : side // 2] = 1
    free = {"image": {0: torch.export.Dim("batch")}, "mask": {0: torch.export.Dim("batch")}}
    with torch.no_grad():
        program = torch.export.export(module, (image, mask), dynamic_shapes=free, strict=False)
    if path.suffix == ".pt2":
        with replacing(path, "wb") as file:
            torch.export.save(program, file)
        return
    try:
        graph = torch.onnx.export(
            program, input_names=["image", "mask"], output_names=["completion"], verbose=False
        )
    except (ImportError, torch.onnx.errors.OnnxExporterError) as error:
        if isinstance(error, ImportError) or isinstance(error.__cause__, ImportError):
            raise InputError(
                f"out={path} needs onnx and onnxscript, which are not installed: type "
                "pip install 'inpainting[onnx]'"
            ) from error
        raise
    with replacing(path, "wb") as file:
        file.write(graph.model_proto.SerializeToString())
