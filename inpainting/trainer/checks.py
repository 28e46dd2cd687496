"""Refuses devices and precisions that cannot be, before any long work."""

from collections.abc import Sequence

import torch
from omegaconf import DictConfig

from inpainting.errors import InputError


def check_devices(trainer: DictConfig) -> None:
    """Refuse accelerators and devices that this machine lacks, and several without a strategy.

    Raises:
        InputError: names the key and what to type.
    """
    found = torch.cuda.device_count()
    on_gpu = trainer.accelerator in ("gpu", "cuda") or (trainer.accelerator == "auto" and found)
    if trainer.accelerator in ("gpu", "cuda") and found == 0:
        raise InputError(
            f"trainer.accelerator={trainer.accelerator}: this machine has no GPU that torch can "
            "use; type trainer=cpu"
        )
    devices = trainer.devices
    if isinstance(devices, str):
        if devices != "auto" and not all(one.strip("- ").isdigit() for one in devices.split(",")):
            raise InputError(f"trainer.devices={devices}: type a number, such as trainer.devices=2")
        devices = [int(number) for number in devices.split(",")] if devices != "auto" else found
    if isinstance(devices, Sequence):
        wanted, number = max(devices) + 1, len(devices)
    else:
        wanted = number = found if devices == -1 else devices
    if on_gpu and wanted > found:
        raise InputError(
            f"trainer.devices={trainer.devices}: this machine has {found} GPU(s); "
            f"type trainer.devices={found}"
        )
    if number > 1 and trainer.strategy == "auto":
        raise InputError(
            f"trainer.devices={trainer.devices}: several devices need trainer="
            f"{'ddp' if on_gpu else 'ddp_cpu'}, which knows that a phase of GLCIC leaves one "
            "network out"
        )


def check_precision(precision: str | int | None) -> None:
    """Refuse weights of half precision: small steps of training would round to nothing.

    Raises:
        InputError: names what to type.
    """
    kind = str(precision)
    if kind.endswith("-true") and kind.startswith(("16", "bf16")):
        raise InputError(
            f"trainer.precision={kind}: weights of 16 bits lose the small steps of an optimiser "
            f"and of averaging, type trainer.precision={kind.replace('true', 'mixed')}"
        )
