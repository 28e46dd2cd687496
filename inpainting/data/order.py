"""The order of the training images, and the random numbers of an epoch: both can be taken up."""

from collections.abc import Iterator
from itertools import islice
from typing import Any

import torch
from torch import Generator
from torch.utils.data import Dataset, DistributedSampler

from inpainting.rng import default_generator, seed_from

DRAW_NOISE, DRAW_BATCHES = 0, 1  # independent streams of random numbers


class TrainingOrder(DistributedSampler):
    """Shuffles by (seed, epoch), so that a resumed run sees the images in the same order.

    A distributed sampler is used on a single device too.

    Args:
        dataset: the training images
        processes: number of processes that share the images
        rank: number of this process
        seed: of the training
        epoch: the epoch that is about to begin or to go on
        done: number of this process's images that the epoch has been through already; their places
            in the order are passed over without reading them
    """

    def __init__(
        self, dataset: Dataset, processes: int, rank: int, seed: int, epoch: int, done: int
    ):
        super().__init__(dataset, processes, rank, seed=seed_from(seed) % 2**31, drop_last=True)
        self.set_epoch(epoch)
        self._begun, self._done = epoch, done

    def __iter__(self) -> Iterator[int]:
        """Yield the indices of the present epoch, from the place where it goes on."""
        return islice(super().__iter__(), self._done if self.epoch == self._begun else 0, None)


class EpochGenerators:
    """The random numbers of a training: a generator for holes and augmentation, and torch's own.

    All of them are seeded anew at the start of each epoch, so a resumed run draws the same numbers
    as an uninterrupted one; within an epoch they take up a stored state.

    Args:
        seed: of the training

    Attributes:
        generator: draws holes and augmentation; None before the first epoch
    """

    def __init__(self, seed: int):
        self.seed, self.generator = seed, None
        self._epoch: int | None = None
        self._stored: dict[str, Any] = {}

    def restart(self) -> None:
        """Let a second training begin with its own first epoch."""
        self._epoch = None

    def start(self, epoch: int, rank: int, device: torch.device) -> None:
        """Seed at the first batch of an epoch, and do nothing at the others.

        Torch's global generators, from which methods draw noise, are seeded too.
        """
        if self._epoch == epoch:
            return
        self._epoch = epoch
        self.generator = self.of_epoch(epoch, rank, device)
        torch.manual_seed(seed_from(self.seed, rank, epoch, DRAW_NOISE))
        if self._stored.get("epoch") == epoch:
            self.generator.set_state(self._stored["generator"])
            torch.default_generator.set_state(self._stored["global"])
            default_generator(device).set_state(self._stored["device"])

    def of_epoch(self, epoch: int, rank: int, device: torch.device) -> Generator:
        """Return the generator of holes and augmentation as it starts an epoch."""
        return Generator(device).manual_seed(seed_from(self.seed, rank, epoch, DRAW_BATCHES))

    def state_dict(self) -> dict[str, Any]:
        """Return the epoch and the state of all generators; empty before the first epoch."""
        if self._epoch is None:
            return {}
        return {
            "epoch": self._epoch,
            "generator": self.generator.get_state(),
            "global": torch.default_generator.get_state(),
            "device": default_generator(self.generator.device).get_state(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Keep a state for when its epoch goes on."""
        self._stored = state
