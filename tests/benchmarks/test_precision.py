"""GLCIC's steps in bf16 with channels last against float32, and what bf16 costs in quality."""

import itertools
from collections.abc import Callable
from pathlib import Path
from statistics import mean

import pytest
import torch
from bare_glcic import BareGLCIC
from interleaved import Spread, processor_flags, ratio
from lightning import seed_everything
from omegaconf import DictConfig

from inpainting.methods.glcic import COMPLETION, JOINT
from inpainting.tasks.build import build, build_method, build_trainer
from inpainting.tasks.test import test as run_test

BATCH, SIDE = 16, 64


@pytest.mark.parametrize(
    ("phase", "name", "goal"), [(COMPLETION, "completion", 3), (JOINT, "joint", 2)]
)
def test_glcic_steps_are_faster_in_bf16(
    phase: int,
    name: str,
    goal: float,
    composed: Callable[..., DictConfig],
    report: Callable[..., None],
):
    flags = processor_flags()
    if "amx_bf16" in flags:
        processor = "AMX"
    elif "avx512_bf16" in flags:
        processor, goal = "AVX512-BF16 without AMX: only not slower", 1.0
    else:
        pytest.skip("this processor has no instructions for bf16")
    image, mask = torch.rand(BATCH, 3, SIDE, SIDE), torch.zeros(BATCH, 1, SIDE, SIDE)
    mask[:, :, 20:44, 20:44] = 1

    def stepper(bf16: bool) -> Callable[[], None]:
        config = composed("model=glcic", "data=photos", "budget=full", f"channels_last={bf16}")
        method = build_method(config.model, config)
        bare = BareGLCIC(method.generator, method.discriminator, method.critic.local_size, bf16)
        layout = torch.channels_last if bf16 else torch.contiguous_format
        images = image.contiguous(memory_format=layout)
        return lambda: bare.step(phase, images, mask)

    report(
        f"GLCIC {name} step, float32 contiguous / bf16 channels last ({processor})",
        ratio(stepper(False), stepper(True), repeats=4),
        at_least=goal,
    )


QUALITY = [
    "model=glcic",
    "model.width=16",
    "data=photos",
    "budget=full",
    "data.batch_size=32",
    "data.patches=[960,16,150]",
    "trainer=cpu",
    "trainer.max_epochs=8",
    "model.phases=[0.8,0.1,0.1]",
    "model.lr_schedule={_target_: inpainting.schedules.OneCycle}",
    "model.mse_weight=300",
    "logger=none",
    "callbacks=none",
    "trainer.enable_progress_bar=false",
    "trainer.enable_model_summary=false",
]


SEEDS = range(4)  # one training in bf16 differs by as much from another in bf16


@pytest.mark.slow
def test_bf16_training_fills_as_well_as_float32(
    composed: Callable[..., DictConfig],
    tmp_path: Path,
    report: Callable[..., None],
):
    decibels: dict[str, list[float]] = {"32-true": [], "bf16-mixed": []}
    for seed, precision in itertools.product(SEEDS, decibels):
        config = composed(*QUALITY, f"seed={seed}", f"trainer.precision={precision}")
        config.paths.run = str(tmp_path / f"{precision}-{seed}")
        seed_everything(seed, verbose=False)
        method, data = build_method(config.model, config), build(config.data)
        trainer = build_trainer(config)
        trainer.fit(method, data)
        tested = run_test(trainer, method, data, precision)
        decibels[precision].append(tested.result.summary["psnr_hole"])
        print(f"\nseed {seed}, {precision}: {decibels[precision][-1]:.2f} dB")
    lost = [one - two for one, two in zip(*decibels.values(), strict=True)]
    report(
        f"GLCIC, hole PSNR after the same training: float32 less bf16, mean of {len(lost)} seeds",
        Spread(mean(lost), min(lost), max(lost)),
        at_most=0.2,
        unit=" dB",
    )
