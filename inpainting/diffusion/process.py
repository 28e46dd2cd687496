"""The noising process of DDPM (arXiv 2006.11239): noising, training targets, respacing.

Let abar_t be the product of 1 - beta up to step t, with t counted from 0 (least noise). Then
q(x_t | x_0) = N(sqrt(abar_t) x_0, (1 - abar_t) I). Images are in [-1, 1].
"""

import torch
from torch import Tensor

from inpainting.errors import InputError, check_whole

OBJECTIVES = ("eps", "v", "x_0")


class Diffusion:
    """The noising process and the quantities that follow from it in closed form.

    Nothing here is learned or belongs in a checkpoint. The tables are computed in float64 and
    applied in float32 on the device given to `to`. The float64 tables stay on the CPU, where a
    sampler reads its coefficients without waiting for the device.

    Args:
        betas: (T,) float64, variance of the noise that each step adds
        objective: what the network outputs: "eps" (the noise), "v" or "x_0"
        times: (T,) int64, the number under which the network knows each step; None means 0 to T - 1
        device: device of the tensors to be noised

    Raises:
        InputError: the objective is unknown.
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
        self.signal, self.sigma = abar.sqrt(), (1 - abar).sqrt()  # factors of x_0 and eps in x_t
        self.posterior_variance = self.betas * (1 - before) / (1 - abar)
        self.x_0_from_x, self.x_0_from_output = {
            "eps": (1 / self.signal, -self.sigma / self.signal),
            "v": (self.signal, -self.sigma),
            "x_0": (torch.zeros_like(abar), torch.ones_like(abar)),
        }[objective]
        tables = {"signal": self.signal, "sigma": self.sigma}
        self._tables = {name: table.float().to(self.device) for name, table in tables.items()}

    def _at(self, name: str, t: Tensor) -> Tensor:
        return self._tables[name][t].view(-1, 1, 1, 1)  # (B, 1, 1, 1)

    def to(self, device: torch.device | str) -> "Diffusion":
        """Return the same process for tensors on a device, or itself if the device is the same."""
        if torch.device(device) == self.device:
            return self
        return Diffusion(self.betas, self.objective, self.times, device)

    def q_sample(self, x_0: Tensor, t: Tensor, eps: Tensor) -> Tensor:
        """Noise images to step t: sqrt(abar_t) x_0 + sqrt(1 - abar_t) eps.

        Args:
            x_0: (B, C, H, W) in [-1, 1]
            t: (B,) int64 in [0, T)
            eps: (B, C, H, W), standard normal

        Returns:
            (B, C, H, W)
        """
        return self._at("signal", t) * x_0 + self._at("sigma", t) * eps

    def target(self, x_0: Tensor, t: Tensor, eps: Tensor) -> Tensor:
        """Return the training target of the network for `q_sample(x_0, t, eps)`, (B, C, H, W).

        v = sqrt(abar_t) eps - sqrt(1 - abar_t) x_0 (arXiv 2202.00512, section 4).
        """
        if self.objective == "eps":
            return eps
        if self.objective == "x_0":
            return x_0
        return self._at("signal", t) * eps - self._at("sigma", t) * x_0

    def respace(self, steps: int) -> "Diffusion":
        """Return the process on fewer, evenly spaced steps (arXiv 2102.09672, section 4).

        The first and the last step are kept, or the last step only if `steps` is 1.

        Raises:
            InputError: `steps` is below 1 or above the number of steps of this process.
        """
        check_whole("model.sampler.steps", steps, 1, self.timesteps)
        last = self.timesteps - 1
        # Counted down from the end, so that a single step starts at pure noise.
        spread = torch.linspace(0, last, steps, dtype=torch.float64, device="cpu")
        kept = last - spread.round().long()
        return self.keep(kept.flip(0))

    def keep(self, steps: Tensor) -> "Diffusion":
        """Return the process on some of its steps, with the same abar and times at these steps.

        Args:
            steps: (S,) int64, ascending
        """
        abar = self.alphas_cumprod[steps]
        betas = 1 - abar / torch.cat([abar.new_ones(1), abar[:-1]])
        return Diffusion(betas, self.objective, self.times.cpu()[steps], self.device)
