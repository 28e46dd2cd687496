"""Strokes from the bank against an OpenCV loop that draws one mask for each sample."""

import numpy as np
import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from interleaved import ratio

from inpainting.masks.strokes import Strokes

BATCH, SIDE = 128, 64


@pytest.mark.parametrize("name", ["thin", "medium", "thick"])
def test_strokes_from_the_bank_are_ten_times_faster_than_a_loop(name, request, report):
    conf = request.config.rootpath / "conf"
    with initialize_config_dir(str(conf), version_base="1.3"):
        kind: Strokes = instantiate(compose(overrides=[f"+mask={name}"]).mask, _convert_="all")
    generator, rng = torch.Generator().manual_seed(0), np.random.default_rng(0)

    def loop() -> torch.Tensor:
        return torch.from_numpy(kind.draw(BATCH, SIDE, SIDE, rng))[:, None].float()

    def bank() -> torch.Tensor:
        return kind(BATCH, SIDE, SIDE, generator)

    assert loop().shape == bank().shape
    # The bank's calls are short: ten in each measurement.
    result = ratio(lambda: [loop() for _ in range(10)], lambda: [bank() for _ in range(10)])
    report(f"{name} strokes, batch {BATCH} at {SIDE} px, loop / bank", result, at_least=10)
