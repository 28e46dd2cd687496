"""Diffusion in discrete steps (DDPM, arXiv 2006.11239): schedules, noising, posterior, respacing.

With abar_t the product of 1 - beta up to step t, and t counted from 0 (least noise):
q(x_t | x_0) = N(sqrt(abar_t) x_0, (1 - abar_t) I). Pictures are in [-1, 1].
"""

import math

import torch
from torch import Tensor

from inpainting.errors import InputError, check_whole

OBJECTIVES = ("eps", "v", "x_0")
LARGEST_BETA = 0.999  # a beta of 1 would leave nothing of x_0 to divide by


def linear_betas(timesteps: int, first: float = 1e-4, last: float = 0.02) -> Tensor:
    """Betas on a straight line (arXiv 2006.11239, section 4).

    Args:
        timesteps: T
        first: beta of the first step at T = 1000; scaled by 1000 / T otherwise, so that x_T is
            close to pure noise whatever T is (unscaled, T = 80 leaves abar_T = 0.445)
        last: beta of the last step at T = 1000

    Returns:
        (T,) float64
    """
    check_whole("model.betas.timesteps", timesteps, 1)
    scale = 1000 / timesteps
    betas = torch.linspace(
        first * scale, last * scale, timesteps, dtype=torch.float64, device="cpu"
    )
    return betas.clamp(max=LARGEST_BETA)


def cosine_betas(timesteps: int) -> Tensor:
    """Betas under which abar falls like a squared cosine (arXiv 2102.09672, eq. 17).

    Returns:
        (T,) float64
    """
    check_whole("model.betas.timesteps", timesteps, 1)
    offset = 0.008  # eq. 17: keeps the first betas from being too small
    time = torch.arange(timesteps + 1, dtype=torch.float64, device="cpu") / timesteps
    abar = torch.cos((time + offset) / (1 + offset) * math.pi / 2).square()
    return (1 - abar[1:] / abar[:-1]).clamp(max=LARGEST_BETA)


class Diffusion:
    """The noising process and what follows from it in closed form.

    Nothing here is learned or belongs in a checkpoint. Tables are built in float64 and applied in
    float32, on the device that `to` was given; the float64 ones stay on the CPU, where a sampler
    reads its coefficients without waiting for the device.

    Args:
        betas: (T,) float64, variance of the noise that each step adds
        objective: what the network's output is: "eps" (the noise), "v" or "x_0"
        times: (T,) int64, the number that the network knows each step by; None: 0 to T - 1
        device: of the tensors that will be noised

    Raises:
        InputError: an unknown objective.
    """

    def __init__(
        self,
        betas: Tensor,
        objective: str = "eps",
        times: Tensor | None = None,
        device: torch.device | str = "cpu",
    ):
        if objective not in OBJECTIVES:
            raise InputError(f"model.objective={objective}: type {', '.join(OBJECTIVES)}")
        self.objective, self.timesteps = objective, len(betas)
        self.betas = betas.double().cpu()
        self.alphas_cumprod = (1 - self.betas).cumprod(0)
        self.device = torch.device(device)
        times = torch.arange(self.timesteps, device="cpu") if times is None else times
        self.times = times.to(self.device)

        abar = self.alphas_cumprod
        before = torch.cat([abar.new_ones(1), abar[:-1]])  # abar of step t - 1; x_0 has no noise
        self.signal, self.sigma = abar.sqrt(), (1 - abar).sqrt()  # of x_0 and eps in x_t
        self.posterior_variance = self.betas * (1 - before) / (1 - abar)
        self.x_0_from_x, self.x_0_from_output = {
            "eps": (1 / self.signal, -self.sigma / self.signal),
            "v": (self.signal, -self.sigma),
            "x_0": (torch.zeros_like(abar), torch.ones_like(abar)),
        }[objective]
        tables = {
            "signal": self.signal,
            "sigma": self.sigma,
            "x_0_from_x": self.x_0_from_x,
            "x_0_from_output": self.x_0_from_output,
            # eq. 7 of arXiv 2006.11239
            "mean_from_x_0": before.sqrt() * self.betas / (1 - abar),
            "mean_from_x": (1 - self.betas).sqrt() * (1 - before) / (1 - abar),
            "posterior_variance": self.posterior_variance,
        }
        self._tables = {name: table.float().to(self.device) for name, table in tables.items()}

    def _at(self, name: str, t: Tensor) -> Tensor:
        return self._tables[name][t].view(-1, 1, 1, 1)  # (B, 1, 1, 1)

    def to(self, device: torch.device | str) -> "Diffusion":
        """The same process for tensors on another device; itself where that is its own."""
        if torch.device(device) == self.device:
            return self
        return Diffusion(self.betas, self.objective, self.times, device)

    def q_sample(self, x_0: Tensor, t: Tensor, eps: Tensor) -> Tensor:
        """Noise pictures to step t: sqrt(abar_t) x_0 + sqrt(1 - abar_t) eps.

        Args:
            x_0: (B, C, H, W) in [-1, 1]
            t: (B,) int64 in [0, T)
            eps: (B, C, H, W), standard normal

        Returns:
            (B, C, H, W)
        """
        return self._at("signal", t) * x_0 + self._at("sigma", t) * eps

    def target(self, x_0: Tensor, t: Tensor, eps: Tensor) -> Tensor:
        """What the network is to put out for `q_sample(x_0, t, eps)`: (B, C, H, W).

        v = sqrt(abar_t) eps - sqrt(1 - abar_t) x_0 (arXiv 2202.00512, section 4).
        """
        if self.objective == "eps":
            return eps
        if self.objective == "x_0":
            return x_0
        return self._at("signal", t) * eps - self._at("sigma", t) * x_0

    def predict_x_0(self, x_t: Tensor, t: Tensor, output: Tensor) -> Tensor:
        """The clean picture that a network's output stands for; not clipped.

        Args:
            x_t: (B, C, H, W)
            t: (B,) int64 in [0, T)
            output: (B, C, H, W), of the kind that `objective` says

        Returns:
            (B, C, H, W)
        """
        return self._at("x_0_from_x", t) * x_t + self._at("x_0_from_output", t) * output

    def predict_eps(self, x_t: Tensor, t: Tensor, x_0: Tensor) -> Tensor:
        """The noise that turns x_0 into x_t: (B, C, H, W)."""
        return (x_t - self._at("signal", t) * x_0) / self._at("sigma", t)

    def posterior(self, x_0: Tensor, x_t: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        """Mean (B, C, H, W) and variance (B, 1, 1, 1) of q(x_{t-1} | x_t, x_0).

        Eqs. 6 and 7 of arXiv 2006.11239. At t = 0 the mean is x_0 and the variance 0.
        """
        mean = self._at("mean_from_x_0", t) * x_0 + self._at("mean_from_x", t) * x_t
        return mean, self._at("posterior_variance", t)

    def respace(self, sampling_steps: int) -> "Diffusion":
        """The process on fewer steps, evenly spread from the first to the last (2102.09672, 4).

        Raises:
            InputError: more steps than there are, or less than one.
        """
        check_whole("model.sampling_steps", sampling_steps, 1, self.timesteps)
        last = self.timesteps - 1
        # From the end down, so that a single step starts at pure noise.
        steps = torch.linspace(0, last, sampling_steps, dtype=torch.float64, device="cpu")
        kept = last - steps.round().long()
        return self.keep(kept.flip(0))

    def keep(self, steps: Tensor) -> "Diffusion":
        """The process on some of its steps; abar at those, and the network's times, stay.

        Args:
            steps: (S,) int64, rising
        """
        abar = self.alphas_cumprod[steps]
        betas = 1 - abar / torch.cat([abar.new_ones(1), abar[:-1]])
        return Diffusion(betas, self.objective, self.times.cpu()[steps], self.device)
