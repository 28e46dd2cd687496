"""The image algebra."""

import torch

from inpainting.images.algebra import composite, erase, known_mean, resize
from inpainting.images.crops import crop, local_corners, local_size
from inpainting.images.seams import enlarged_into
from inpainting.images.windows import hole_windows, pad_to_multiple, unpad


def rectangle(height: int, width: int, top: int, left: int, h: int, w: int) -> torch.Tensor:
    mask = torch.zeros(1, 1, height, width)
    mask[..., top : top + h, left : left + w] = 1
    return mask


def test_erase_replaces_soft_and_hard_holes_and_leaves_no_trace_of_what_was_there() -> None:
    image = torch.rand(2, 3, 4, 4)
    mask = torch.zeros(2, 1, 4, 4)
    mask[0, 0, 0, 0], mask[0, 0, 1, 1] = 1.0, 0.01
    image[0, :, 0, 0] = float("nan")
    erased = erase(image, mask, 0.25)
    assert (erased[0, :, 0, 0] == 0.25).all() and (erased[0, :, 1, 1] == 0.25).all()
    assert torch.equal(erased[1], image[1])
    assert torch.equal(erased[0, :, 2:], image[0, :, 2:])


def test_erase_with_mean_uses_each_images_known_pixels_alone() -> None:
    image = torch.zeros(1, 1, 2, 2)
    image[0, 0] = torch.tensor([[1.0, 0.4], [0.2, 0.6]])
    mask = torch.tensor([[[[1.0, 0.0], [0.0, 0.0]]]])
    assert torch.allclose(known_mean(image, mask), torch.tensor(0.4))
    assert torch.allclose(erase(image, mask, "mean")[0, 0, 0, 0], torch.tensor(0.4))


def test_a_smooth_fill_continues_a_ramp_and_leaves_no_trace_of_what_was_there() -> None:
    """A ramp is its own smoothest continuation: each pixel is the mean of its neighbours."""
    y, x = torch.meshgrid(torch.linspace(0, 0.5, 48), torch.linspace(0.1, 0.4, 40), indexing="ij")
    image = torch.stack([y + x, torch.full_like(x, 0.3)]).expand(2, 2, 48, 40).clone()
    masks = torch.cat([rectangle(48, 40, 10, 12, 20, 16), rectangle(48, 40, 30, 8, 10, 24)])
    broken = torch.where(masks > 0, torch.nan, image)
    filled = erase(broken, masks, "smooth")
    assert (filled - image).abs().max() < 0.01  # the mean fill is off by up to 0.3
    torch.testing.assert_close(filled[:, 1], image[:, 1])
    assert torch.equal(filled[(masks == 0).expand_as(image)], image[(masks == 0).expand_as(image)])
    alone = erase(broken[1:], masks[1:], "smooth")
    torch.testing.assert_close(filled[1:], alone)


def test_a_smooth_fill_without_known_pixels_is_mid_grey() -> None:
    masks = torch.cat([torch.ones(1, 1, 8, 8), torch.zeros(1, 1, 8, 8)])
    image = torch.rand(2, 3, 8, 8)
    filled = erase(image, masks, "smooth")
    assert (filled[0] == 0.5).all() and torch.equal(filled[1], image[1])


def test_an_enlarged_prediction_joins_the_known_pixels() -> None:
    x = torch.linspace(0.2, 0.8, 48)
    image = x.expand(1, 2, 40, 48).clone()
    mask = rectangle(40, 48, 12, 16, 16, 18)
    pattern = 0.1 * torch.sin(torch.arange(12.0))[None, :].expand(1, 2, 10, 12)
    darker = resize(image, 10, 12) + pattern - 0.15
    joined = enlarged_into(darker, torch.where(mask > 0, torch.nan, image), mask)
    known = (mask == 0).expand_as(image)
    assert torch.equal(joined[known], image[known])
    error = (joined - image)[..., 12:28, 16:34]
    assert error.mean().abs() < 0.03  # enlarged alone it is 0.15 too dark
    assert error.std() > 0.03  # the pattern that the prediction drew is kept
    assert joined.min() >= 0 and joined.max() <= 1


def test_composite_blends_in_proportion_and_keeps_known_pixels_exactly() -> None:
    image = torch.full((1, 1, 1, 3), 0.2)
    prediction = torch.tensor([[[[float("nan"), 0.8, 0.8]]]])
    mask = torch.tensor([[[[0.0, 0.5, 1.0]]]])
    out = composite(prediction, image, mask)[0, 0, 0]
    assert out[0] == image[0, 0, 0, 0]
    assert torch.allclose(out[1:], torch.tensor([0.5, 0.8]))


def test_local_crop_is_28_of_64_pixels_centred_on_the_hole_and_inside_the_image() -> None:
    assert local_size(64, 64, 28 / 64) == (28, 28)
    masks = torch.cat([rectangle(64, 64, 20, 30, 20, 26), rectangle(64, 64, 0, 44, 20, 20)])
    corners = local_corners(masks, (28, 28))
    assert corners.tolist() == [[16, 29], [0, 36]]
    image = torch.arange(64 * 64.0).view(1, 1, 64, 64).repeat(2, 1, 1, 1)
    crops = crop(image, corners, (28, 28))
    assert torch.equal(crops[0], image[0, :, 16:44, 29:57])
    assert torch.equal(crops[1], image[1, :, 0:28, 36:64])


def test_local_crop_of_a_scattered_hole_is_around_a_hole_pixel() -> None:
    mask = torch.zeros(1, 1, 64, 64)
    mask[0, 0, 3, 60] = mask[0, 0, 60, 5] = mask[0, 0, 33, 30] = 1
    assert local_corners(mask, (28, 28)).tolist() == [[19, 16]]  # the pixel nearest to the middle
    generator = torch.Generator().manual_seed(0)
    drawn = {tuple(local_corners(mask, (28, 28), generator)[0].tolist()) for _ in range(50)}
    assert drawn == {(0, 36), (36, 0), (19, 16)}


def test_local_crop_without_a_hole_is_in_the_middle() -> None:
    assert local_corners(torch.zeros(1, 1, 64, 48), (28, 20)).tolist() == [[18, 14]]


def test_padding_reflects_or_replicates_and_is_cut_back() -> None:
    image = torch.rand(1, 3, 30, 29)
    padded = pad_to_multiple(image, 4)
    assert padded.shape == (1, 3, 32, 32)
    assert torch.equal(padded[..., 30, :29], image[..., 28, :])
    assert torch.equal(unpad(padded, 30, 29), image)
    narrow = torch.rand(1, 1, 1, 5)
    assert torch.equal(pad_to_multiple(narrow, 4)[..., 3, :5], narrow[..., 0, :])


def test_windows_cover_every_hole_pixel_once_and_hold_their_holes_wholly() -> None:
    mask = torch.zeros(1, 1, 200, 300)
    mask[..., 10:30, 10:40] = 1
    mask[..., 15:20, 50:55] = 1  # near the first: the same window
    mask[..., 180:200, 250:300] = 1
    mask[..., 60:170, 100:240] = 1  # larger than a window of 64
    windows = hole_windows(mask[0], 64)
    assert len(windows) == 3
    covered = torch.zeros(200, 300, dtype=torch.int)
    for window, members in windows:
        top, left, height, width = window
        assert top >= 0 and top + height <= 200 and left >= 0 and left + width <= 300
        assert members.shape == (height, width)
        covered[window.pixels] += members
    assert torch.equal(covered, (mask[0, 0] > 0).int())
    assert windows[0][0][2:] == (200, 300)  # 140 px of hole at 45 % would be 312 px: the image
