"""Every kind of hole: what it draws, how often, and what it says about impossible settings."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from PIL import Image

from inpainting.errors import InputError
from inpainting.masks import strokes
from inpainting.masks.files import Files
from inpainting.masks.patterns import Box, EverySecondLine, Expand, Half, SuperResolution
from inpainting.masks.random import Mixed, Nothing, Pixels, Rectangle
from inpainting.masks.strokes import Strokes

ROOT = Path(__file__).parents[1]
KINDS = sorted(file.stem for file in (ROOT / "conf" / "mask").glob("*.yaml"))
FIXED = {"box", "box_10", "every_second_line", "expand", "mouth", "none", "super_resolution"}
SIZES = [(28, 28), (64, 64), (65, 48)]


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def draw(kind, batch_size=1, height=4, width=4, seed=0) -> torch.Tensor:
    return kind(batch_size, height, width, seeded(seed))


def save(array, path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.asarray(array, np.uint8)).save(path)
    return path


@pytest.fixture
def compose_mask(tmp_path):
    for index in range(4):
        grey = np.zeros((40, 50))
        grey[5 * index : 5 * index + 9, 10:30] = 255
        save(grey, tmp_path / "masks" / f"{index}.png")

    def compose_(name: str, *overrides: str):
        if name == "files":
            overrides = (f"mask.path={tmp_path / 'masks'}", *overrides)
        with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
            config = compose(overrides=[f"+mask={name}", *overrides])
        return instantiate(config.mask, _convert_="all")

    return compose_


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("name", KINDS)
def test_every_kind_leaves_a_hole_and_known_pixels_in_each_sample(name, size, compose_mask):
    masks = draw(compose_mask(name), 24, *size)
    assert masks.shape == (24, 1, *size)
    assert masks.dtype == torch.float32
    assert masks.is_contiguous()
    assert masks.min() >= 0
    assert masks.max() <= 1
    hole_pixels = (masks > 0).sum((1, 2, 3))
    assert (hole_pixels < size[0] * size[1]).all()
    assert (hole_pixels == 0).all() if name == "none" else (hole_pixels > 0).all()


@pytest.mark.parametrize("name", KINDS)
def test_the_seed_alone_decides_the_masks(name, compose_mask):
    first, again = (draw(compose_mask(name), 24, 64, 64, seed=3) for _ in range(2))
    assert torch.equal(first, again)
    if name not in FIXED:
        assert not torch.equal(first, draw(compose_mask(name), 24, 64, 64, seed=4))
        assert len(first.unique(dim=0)) > 1, "the samples share one hole"


@pytest.mark.parametrize("name", KINDS)
def test_the_repr_names_every_knob_of_the_yaml(name, compose_mask):
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        config = compose(overrides=[f"+mask={name}"]).mask
    for key in config:
        assert key == "_target_" or f"{key}=" in repr(compose_mask(name))


def test_rectangles_have_every_side_equally_often_and_reach_every_border():
    masks = draw(Rectangle(), 20_000, 64, 64)[:, 0]
    for lines in (masks.amax(1), masks.amax(2)):  # the columns, the rows that the hole touches
        sides = lines.sum(1).long()
        counts = torch.bincount(sides, minlength=65)
        assert counts[20:27].sum() == 20_000
        assert counts[20:27].min() > 2_600  # 2857 expected, standard deviation 50
        first = lines.argmax(1)
        assert first.min() == 0
        assert (first + sides).max() == 64
        at_20 = torch.bincount(first[sides == 20], minlength=45)  # 0 to 44, both ends included
        assert len(at_20) == 45
        assert at_20.min() > 25  # 63 expected, standard deviation 8
    assert torch.equal(masks.sum((1, 2)), masks.amax(1).sum(1) * masks.amax(2).sum(1))


def test_sides_of_rectangles_are_drawn_independently():
    masks = draw(Rectangle(), 20_000, 64, 64)[:, 0]
    sides = torch.stack([masks.amax(1).sum(1), masks.amax(2).sum(1)])
    assert abs(torch.corrcoef(sides)[0, 1]) < 0.03


def test_rectangles_in_pixels_and_in_shares_are_the_same():
    shares, pixels = Rectangle(0.25, 0.5), Rectangle(16, 32)
    assert torch.equal(draw(shares, 8, 64, 64), draw(pixels, 8, 64, 64))


def test_rectangles_keep_to_their_aspect():
    masks = draw(Rectangle(20, 26, aspect=[0.5, 2.0]), 4_000, 64, 64)[:, 0]
    heights, widths = masks.amax(2).sum(1), masks.amax(1).sum(1)
    aspect = heights / widths
    assert 0.45 < aspect.min() < 0.6
    assert 1.8 < aspect.max() < 2.2
    assert 0.47 < (aspect > 1).float().mean() / (aspect != 1).float().mean() < 0.53
    squares = draw(Rectangle(20, 26, aspect=1), 100, 64, 64)[:, 0]
    assert torch.equal(squares.amax(2).sum(1), squares.amax(1).sum(1))


def test_rectangles_come_in_the_number_asked_for():
    single_pixels = Rectangle(1, 1, count=[2, 4])  # on 200x200 px they hardly ever meet
    counts = torch.bincount(draw(single_pixels, 600, 200, 200).sum((1, 2, 3)).long())
    assert len(counts) == 5
    assert (counts[2:] > 150).all()


def test_half_is_half_and_all_four_sides_come():
    left = draw(Half("left"), 2, 2, 4)
    assert left.tolist() == [[[[1, 1, 0, 0], [1, 1, 0, 0]]]] * 2
    assert draw(Half("right"), 1, 1, 5)[0, 0].tolist() == [[0, 0, 0, 1, 1]]
    assert draw(Half("top"), 1, 5, 1).flatten().tolist() == [1, 1, 0, 0, 0]
    assert draw(Half("bottom"), 1, 5, 1).flatten().tolist() == [0, 0, 0, 1, 1]
    assert len(draw(Half(), 64, 8, 8).unique(dim=0)) == 4


def test_expand_knows_the_centre_alone():
    hole = draw(Expand(0.5), 1, 4, 8)[0, 0]
    row, middle = [1] * 8, [1, 1, 0, 0, 0, 0, 1, 1]
    assert hole.tolist() == [row, middle, middle, row]
    assert (draw(Expand(), 1, 256, 256) == 0).sum() == 64 * 64  # RePaint's


def test_lines_super_resolution_and_box_are_exact():
    assert draw(EverySecondLine(), 1, 5, 2)[0, 0].tolist() == [[0, 0], [1, 1]] * 2 + [[0, 0]]
    assert draw(SuperResolution(2), 1, 3, 4)[0, 0].tolist() == [
        [0, 1, 0, 1],
        [1, 1, 1, 1],
        [0, 1, 0, 1],
    ]
    assert (draw(SuperResolution(4), 1, 64, 64) == 0).sum() == 16 * 16
    assert draw(Box(1, 0, 2, 0.5), 1, 4, 4)[0, 0].tolist() == [
        [0, 0, 0, 0],
        [1, 1, 0, 0],
        [1, 1, 0, 0],
        [0, 0, 0, 0],
    ]


def test_pixels_miss_exactly_their_share():
    assert (draw(Pixels(0.25), 16, 20, 30).sum((1, 2, 3)) == 150).all()
    drawn = draw(Pixels([0.2, 0.8]), 500, 20, 20).mean((1, 2, 3))
    assert 0.2 <= drawn.min() < 0.23
    assert 0.77 < drawn.max() <= 0.8
    everywhere = draw(Pixels(0.5), 2_000, 8, 8).mean(0)
    assert (everywhere - 0.5).abs().max() < 0.06  # no pixel is preferred; deviation 0.011


def test_strokes_cover_what_their_yaml_says(compose_mask):
    said = {"thin": (0.11, 0.04, 0.18), "medium": (0.23, 0.08, 0.40), "thick": (0.33, 0.12, 0.49)}
    means = []
    for name, (mean, low, high) in said.items():
        shares = draw(compose_mask(name), 1_000, 64, 64).mean((1, 2, 3))
        means.append(shares.mean().item())
        assert abs(means[-1] - mean) < 0.02
        assert ((low - 0.02 <= shares) & (shares <= high + 0.02)).float().mean() > 0.87
        assert shares.max() <= 0.5
    assert means == sorted(means)


def test_strokes_cover_the_same_share_at_every_size(compose_mask):
    for name in ("thin", "medium", "thick"):
        rng = np.random.default_rng(0)
        kind = compose_mask(name)
        shares = [kind.draw(150, side, side, rng).mean() for side in (28, 64, 192)]
        assert max(shares) - min(shares) < 0.04


def test_strokes_show_the_bank_rolled_and_mirrored():
    kind = Strokes(1, 2, 0.4, 0.2, bank_size=2)
    drawn = kind.draw(2, 9, 7, np.random.default_rng(0))
    possible = {
        np.roll(turned, (dy, dx), (0, 1)).tobytes()
        for mask in drawn
        for turned in (mask, mask[::-1], mask[:, ::-1], mask[::-1, ::-1])
        for dy in range(9)
        for dx in range(7)
    }
    seen = {mask.numpy().astype(np.uint8).tobytes() for mask in draw(kind, 8_000, 9, 7)[:, 0]}
    assert seen == possible


def test_strokes_hit_every_pixel_equally_often(compose_mask):
    everywhere = draw(compose_mask("medium"), 20_000, 28, 20).mean(0)
    assert everywhere.std() / everywhere.mean() < 0.03


def test_lines_are_as_wide_as_asked():
    kind = Strokes(1, 1, [0.5, 0.5], [0.14, 0.14], turn=0)  # 9 of 64 px wide, 32 long
    areas = kind.draw(200, 64, 64, np.random.default_rng(0)).sum((1, 2))
    expected = 32 * 9 + np.pi * 4.5**2  # two round ends
    assert abs(areas.mean() / expected - 1) < 0.08


def test_strokes_of_a_run_do_not_depend_on_other_seeds(compose_mask):
    torch.manual_seed(1)
    np.random.seed(1)
    first = draw(compose_mask("thin", "mask.bank_seed=5"), 4, 32, 32)
    torch.manual_seed(2)
    np.random.seed(2)
    strokes._bank.cache_clear()
    assert torch.equal(first, draw(compose_mask("thin", "mask.bank_seed=5"), 4, 32, 32))
    assert not torch.equal(first, draw(compose_mask("thin", "mask.bank_seed=6"), 4, 32, 32))


def test_mixed_draws_each_kind_as_often_as_its_weight_says():
    kinds = {"none": Nothing(), "left": Half("left"), "expand": Expand(0.5), "box": Box()}
    mixed = Mixed(kinds, {"none": 1, "left": 2, "expand": 5, "box": 0})
    shares = draw(mixed, 4_000, 8, 8).mean((1, 2, 3))
    frequency = [(shares == value).float().mean().item() for value in (0, 0.5, 0.75, 0.25)]
    assert frequency == pytest.approx([0.125, 0.25, 0.625, 0], abs=0.03)


def test_mixed_takes_another_kind_from_the_command_line(compose_mask):
    kind = compose_mask(
        "mixed", "+mask@mask.kinds.half=half", "+mask.weights.half=3", "mask.weights.thin=0"
    )
    assert kind.kinds["half"] == Half()
    assert kind.weights == {"rectangle": 1, "thin": 0, "medium": 1, "thick": 1, "half": 3}


def test_mask_files_white_or_black_is_the_hole(tmp_path):
    grey = np.zeros((4, 4))
    grey[:, :1] = 255
    path = str(save(grey, tmp_path / "mask.png"))
    hole = torch.zeros(1, 1, 4, 4)
    hole[..., 0] = 1
    assert torch.equal(draw(Files(path)), hole)
    assert torch.equal(draw(Files(path, hole="black")), 1 - hole)


def test_masks_without_any_hole_are_refused(tmp_path):
    save(np.zeros((4, 4)), tmp_path / "black.png")
    with pytest.raises(InputError, match=r"no mask has a hole.*mask.hole=black"):
        draw(Files(str(tmp_path / "black.png")))


def test_two_valued_mask_files_stay_so_and_soft_ones_stay_soft(tmp_path):
    circle = np.hypot(*np.mgrid[-32:32, -32:32]) < 20
    hard = draw(Files(str(save(circle * 255, tmp_path / "hard.png"))), 1, 24, 36)
    assert hard.unique().tolist() == [0, 1]
    assert hard.mean() == pytest.approx(circle.mean(), abs=0.01)
    soft = np.tile(np.linspace(0, 255, 64).round(), (64, 1))
    kept = draw(Files(str(save(soft, tmp_path / "soft.png"))), 1, 64, 64)
    assert torch.equal(kept[0, 0], torch.from_numpy(soft / 255).float())


def test_mask_files_of_a_folder_all_come_and_mirrored_if_asked(tmp_path):
    for index in range(3):
        grey = np.zeros((8, 8))
        grey[index, index + 1] = 255
        save(grey, tmp_path / "set" / f"deep{index}" / "mask.png")
    assert len(draw(Files(str(tmp_path / "set")), 200, 8, 8).unique(dim=0)) == 3
    assert len(draw(Files(str(tmp_path / "set"), flip=True), 200, 8, 8).unique(dim=0)) == 12


def test_published_irregular_masks_are_read():
    folder = ROOT.parent / "shared" / "data" / "masks" / "irregular256"
    if not folder.exists():
        pytest.skip(f"{folder} is absent")
    files = sorted(folder.glob("*.png"))[:20]
    for file in files:
        with Image.open(file) as image:
            share = (np.asarray(image.convert("L")) > 127).mean()
        mask = draw(Files(str(file)), 1, 64, 64)
        assert mask.unique().tolist() == [0, 1]
        assert mask.mean() == pytest.approx(share, abs=0.01)


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (lambda: Rectangle(20, 80), "mask.max_side=80 does not fit images of 64 px"),
        (lambda: Rectangle(0.5, 0.25), "mask.min_side=0.5 is above mask.max_side=0.25"),
        (lambda: Rectangle(40, 60, aspect=[1, 4]), "mask.aspect=.* does not fit images of 64x64"),
        (lambda: Rectangle(1.5, 20), "mask.min_side=1.5"),
        (lambda: Rectangle("a", 20), "mask.min_side=a"),
        (lambda: Rectangle(count=0), "mask.count=0"),
        (lambda: Rectangle(count=[1, 2.5]), "mask.count=.* no whole number"),
        (lambda: Half("middle"), "mask.side=middle"),
        (lambda: Expand(1.0), "mask.known_share=1.0"),
        (lambda: SuperResolution(1), "mask.factor=1"),
        (lambda: Pixels(1.0), "mask.share=1.0"),
        (lambda: Pixels([0.5, 0.1]), "mask.share="),
        (lambda: Box(0.75, 0, 0.5, 0.5), "ends at row 80 and column 32"),
        (lambda: Mixed({"half": Half()}, {"box": 1}), "mask.weights names"),
        (lambda: Mixed({"half": Half()}, {"half": 0}), "mask.weights="),
        (lambda: Strokes(5, 5, [0.5, 0.9], 0.3), "mask.length=0.9 with mask.width=0.3"),
        (lambda: Strokes(5, 5, 0.5, 0.3, max_share=0.01), "mask.max_share=0.01 is too small"),
        (lambda: Strokes([5, 1], 5, 0.5, 0.3), "mask.strokes="),
        (lambda: Files("nowhere/at/all"), "nowhere/at/all"),
        (lambda: Files("x", hole="red"), "mask.hole=red"),
    ],
)
def test_impossible_settings_say_which_key_and_what_to_type(kind, words):
    with pytest.raises(InputError, match=words) as error:
        draw(kind(), 2, 64, 64)
    assert "\n" not in str(error.value)


def test_unusable_mask_files_are_named(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="empty holds no image"):
        draw(Files(str(tmp_path / "empty")))
    save(np.full((8, 8), 255), tmp_path / "full" / "all_white.png")
    with pytest.raises(InputError, match="all_white.png has no known pixel"):
        draw(Files(str(tmp_path / "full")))
    broken = save(np.eye(64) * 255, tmp_path / "cut" / "broken.png")
    broken.write_bytes(broken.read_bytes()[:60])
    with pytest.raises(InputError, match="broken.png"):
        draw(Files(str(tmp_path / "cut")))
