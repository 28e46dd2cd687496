"""What follows from a noised image, in closed form: for tests of the process and of its walks."""

from torch import Tensor

from inpainting.diffusion.process import Diffusion


def predict_x_0(diffusion: Diffusion, x_t: Tensor, t: Tensor, output: Tensor) -> Tensor:
    """The clean image that a network's output stands for, (B, C, H, W)."""
    from_x, from_output = (
        table[t].float().view(-1, 1, 1, 1)
        for table in (diffusion.x_0_from_x, diffusion.x_0_from_output)
    )
    return from_x * x_t + from_output * output


def predict_eps(diffusion: Diffusion, x_t: Tensor, t: Tensor, x_0: Tensor) -> Tensor:
    """The noise that turns x_0 into x_t, (B, C, H, W)."""
    signal, sigma = (
        table[t].float().view(-1, 1, 1, 1) for table in (diffusion.signal, diffusion.sigma)
    )
    return (x_t - signal * x_0) / sigma
