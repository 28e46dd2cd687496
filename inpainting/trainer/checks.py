"""The check of devices that runs before any long work."""

from collections.abc import Sequence

import torch
from omegaconf import DictConfig

from inpainting.errors import InputError


def check_devices(trainer: DictConfig) -> None:
    """Refuse devices that this machine lacks, and several devices without a strategy.

    Raises:
        InputError: the message names the key and what to type.
    """
    found = torch.cuda.device_count()
    on_gpu = trainer.accelerator in ("gpu", "cuda") or (trainer.accelerator == "auto" and found)
    if trainer.accelerator in ("gpu", "cuda") and found == 0:
        raise InputError(
            f"trainer.accelerator={trainer.accelerator}: this machine has no GPU that torch can "
            "use; type trainer=cpu"
        )
    if trainer.accelerator == "mps" and not torch.backends.mps.is_available():
        raise InputError(
            "trainer.accelerator=mps: this machine has no GPU of Apple's that torch can use; type "
            "trainer=cpu or trainer=gpu"
        )
    devices = trainer.devices
    whole = isinstance(devices, int) and not isinstance(devices, bool) and devices >= 1
    if not (on_gpu or whole or isinstance(devices, str)):  # a list numbers GPUs, and -1 takes all
        raise InputError(
            f"trainer.devices={devices}: a CPU counts its processes; type trainer.devices=1"
        )
    if isinstance(devices, str):
        numbers = devices.split(",")
        if devices != "auto" and not all(number.strip("- ").isdigit() for number in numbers):
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
            f"trainer.devices={trainer.devices}: several devices need a strategy that lets a phase "
            f"of GLCIC leave one network out; type trainer={'ddp' if on_gpu else 'ddp_cpu'}"
        )
