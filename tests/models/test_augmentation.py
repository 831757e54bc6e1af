"""Keyed noise against the distributions it claims, and views of rows and images against what a key can be seen to draw.

What an image's key draws is measured on two ramps, whose pixels say where they came from: a bilinear view of a ramp is
exact, so the affine map of the key can be read off its pixels. Other images must then move by that same map.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from scipy import stats
from torch import Tensor

from clusterexplain import ClusterExplainer, Dataset
from clusterexplain.exceptions import InvalidParameterError
from clusterexplain.models import ConvAutoencoder, VariationalAutoencoder
from clusterexplain.models.augmentation import ImageAugmentation, TableAugmentation
from clusterexplain.models.counter_rng import normal, uniform
from clusterexplain.models.networks import ImageShape

KEYS = torch.arange(400)
FAR = torch.tensor([0, 1, 2**31, 2**53 + 1, 2**62, 2**63 - 1])
HEIGHT, WIDTH = 7, 9
STILL = {"shift": 0.0, "rotation": 0.0, "scale": 0.0, "noise": 0.0, "cutout": 0}
DRAWS = {"uniform": (uniform, stats.uniform), "normal": (normal, stats.norm)}


def fits(sample: Tensor, distribution: Any) -> bool:
    """Whether a sample passes the Kolmogorov-Smirnov test; keys are fixed, so this never flickers."""
    return stats.kstest(sample.reshape(-1).numpy(), distribution.cdf).pvalue > 0.01


# --- keyed noise


@pytest.mark.parametrize("name", DRAWS)
@pytest.mark.parametrize("keys", [KEYS, KEYS + 2**62, KEYS * 2**40], ids=["small", "large", "spread"])
def test_draws_follow_their_distribution(name: str, keys: Tensor) -> None:
    draw, distribution = DRAWS[name]
    for stream in (0, 1):
        sample = draw(keys, 25, stream=stream, dtype=torch.float64)
        assert sample.shape == (400, 25)
        assert fits(sample, distribution)
        assert fits(sample[0], distribution)  # the numbers of one key
        assert fits(sample[:, 0], distribution)  # the first number of all keys
        spread = distribution.std() / math.sqrt(sample.numel())
        assert abs(sample.mean().item() - distribution.mean()) < 4 * spread
        fourth = stats.kurtosis(sample.reshape(-1).numpy())
        assert fourth == pytest.approx(distribution.stats(moments="k"), abs=0.2)
        assert sample.var().item() == pytest.approx(distribution.var(), rel=0.06)


@pytest.mark.parametrize("name", DRAWS)
def test_draws_of_other_keys_columns_and_streams_are_unrelated(name: str) -> None:
    draw, _ = DRAWS[name]
    here, there = (draw(KEYS, 25, stream=stream, dtype=torch.float64) for stream in (0, 1))
    pairs = [(here, there), (here[1:], here[:-1]), (here[:, 1:], here[:, :-1]), (here[1:, 1:], here[:-1, :-1])]
    pairs += [
        (here[1:], there[:-1]),
        (here[:-1], there[1:]),
        (here[:, 1:], there[:, :-1]),
        (here[:, :-1], there[:, 1:]),
    ]
    for one, other in pairs:
        pair = torch.stack([one.reshape(-1), other.reshape(-1)])
        assert abs(torch.corrcoef(pair)[0, 1].item()) < 4 / math.sqrt(pair.shape[1])
    assert len(torch.cat([here, there]).unique()) == 2 * here.numel()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", DRAWS)
def test_a_draw_depends_on_its_key_alone(name: str, dtype: torch.dtype) -> None:
    draw, _ = DRAWS[name]
    together = draw(FAR, 3, stream=2, dtype=dtype)
    assert together.dtype == dtype
    assert torch.isfinite(together).all()
    assert torch.equal(draw(FAR.flip(0), 3, stream=2, dtype=dtype).flip(0), together)
    for key, row in zip(FAR, together, strict=True):
        assert torch.equal(draw(key[None], 3, stream=2, dtype=dtype)[0], row)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_uniform_numbers_lie_inside_the_open_interval(dtype: torch.dtype) -> None:
    sample = uniform(torch.arange(2000), 100, stream=0, dtype=dtype)
    assert 0 < sample.min() < 1e-4
    assert 1 > sample.max() > 1 - 1e-4


def test_the_nearest_number_to_one_stays_below_one_in_float32() -> None:
    """The first number of this key is 1 - 2.4e-8, which rounds to 1 in float32."""
    key = torch.tensor([311897])
    assert uniform(key, 1, stream=0, dtype=torch.float64) < 1
    assert uniform(key, 1, stream=0, dtype=torch.float32) < 1


# --- rows of a table


def table(n: int = 400, **strengths: float) -> tuple[TableAugmentation, Tensor]:
    """Return an augmentation with the given strengths, all others 0, and rows whose columns differ in scale."""
    rows = torch.rand(50, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64) + 1
    columns = rows * torch.tensor([1.0, 2.0, 4.0, 8.0])
    augmentation = TableAugmentation.measured(columns, **{"noise": 0.0, "mask": 0.0, "swap": 0.0, **strengths})
    return augmentation, columns[:1].expand(n, -1)


def test_a_table_view_without_strengths_is_the_row() -> None:
    augmentation, rows = table()
    torch.testing.assert_close(augmentation(rows, KEYS), rows, rtol=1e-15, atol=1e-15)


def test_table_noise_is_normal_with_its_standard_deviation() -> None:
    augmentation, rows = table(noise=0.3)
    assert fits((augmentation(rows, KEYS) - rows) / 0.3, stats.norm)


def test_masked_features_are_zero_and_the_rest_is_the_row() -> None:
    augmentation, rows = table(mask=0.25)
    view = augmentation(rows, KEYS)
    masked = view == 0
    assert torch.equal(view[~masked], rows[~masked])
    assert masked.double().mean().item() == pytest.approx(0.25, abs=0.04)
    assert 0 < masked.sum(dim=1).double().var().item() < 4  # not all features of a row at once


def test_swapped_features_get_values_of_their_own_column() -> None:
    augmentation, rows = table(swap=0.25)
    view = augmentation(rows, KEYS)
    swapped = view != rows
    assert swapped.double().mean().item() == pytest.approx(0.25, abs=0.04)
    columns = table()[0].quantiles
    for j, scale in enumerate([1.0, 2.0, 4.0, 8.0]):
        new = view[swapped[:, j], j]
        assert new.min() >= columns[:, j].min()
        assert new.max() <= columns[:, j].max()
        assert stats.ks_2samp(new.numpy(), columns[:, j].numpy()).pvalue > 0.01
        assert scale < new.mean() < 2 * scale


def test_everything_masked_hides_the_row() -> None:
    augmentation, rows = table(mask=1.0)
    assert augmentation(rows, KEYS).count_nonzero() == 0


def test_table_strengths_do_not_disturb_each_others_draws() -> None:
    """The features that a key masks are those that it masks without noise."""
    masked = [(table(mask=0.25, noise=noise)[0](table()[1], KEYS) == 0) for noise in (0.0, 0.3)]
    assert torch.equal(*masked)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_table_view_depends_on_its_row_and_key_alone(dtype: torch.dtype) -> None:
    rows = torch.randn(12, 4, generator=torch.Generator().manual_seed(1), dtype=torch.float64).to(dtype)
    augmentation = TableAugmentation.measured(rows)
    view = augmentation(rows, KEYS[:12])
    assert view.dtype == dtype
    assert not torch.equal(view, augmentation(rows, KEYS[12:24]))
    order = torch.tensor([7, 2, 11])
    assert torch.equal(augmentation(rows[order], KEYS[:12][order]), view[order])


def test_quantiles_are_measured_on_the_training_columns() -> None:
    columns = torch.linspace(0, 1, 201, dtype=torch.float64)[:, None] * torch.tensor([[1.0, -3.0]])
    augmentation = TableAugmentation.measured(columns)
    expected = torch.linspace(0, 1, 101, dtype=torch.float64)
    torch.testing.assert_close(augmentation.quantiles[:, 0], expected)
    torch.testing.assert_close(augmentation.quantiles[:, 1], 3 * expected - 3)


# --- images


def images(shape: tuple[int, ...] = (HEIGHT, WIDTH), background: float = 0.0, **strengths: Any) -> ImageAugmentation:
    """Return an augmentation with the given strengths, all others 0."""
    level = torch.full((math.prod(shape),), background, dtype=torch.float64)
    return ImageAugmentation(ImageShape(shape), level, **{**STILL, **strengths})


def picture(n: int, channels: int = 1, seed: int = 0) -> Tensor:
    """Return flat random images of positive pixels."""
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(n, HEIGHT * WIDTH * channels, generator=generator, dtype=torch.float64) + 0.5


def maps_of(keys: Tensor, **strengths: float) -> Tensor:
    """Read off what each key draws: maps of shape (n, 2, 3) from (x, y, 1) in a view to where it was in the image.

    Coordinates are in pixels from the middle of the image.
    """
    y, x = torch.meshgrid(
        torch.arange(HEIGHT, dtype=torch.float64), torch.arange(WIDTH, dtype=torch.float64), indexing="ij"
    )
    x, y = x - (WIDTH - 1) / 2, y - (HEIGHT - 1) / 2
    ramps = torch.stack([x, y], dim=-1)
    augmentation = images((HEIGHT, WIDTH, 2), **strengths)
    views = augmentation(ramps.reshape(1, -1).expand(len(keys), -1), keys).reshape(len(keys), HEIGHT, WIDTH, 2)
    maps = []
    for view in views:
        whole = (view.abs() < ramps.amax(dim=(0, 1)) - 1e-9).all(dim=-1)  # where nothing beyond the border was needed
        assert whole.sum() >= 12
        place = torch.stack([x[whole], y[whole], torch.ones_like(x[whole])], dim=1)
        solution = torch.linalg.lstsq(place, view[whole]).solution
        torch.testing.assert_close(place @ solution, view[whole], rtol=0, atol=1e-12)  # it is an affine map
        maps.append(solution.T)
    return torch.stack(maps)


def moved(image: Tensor, place: Tensor) -> Tensor:
    """Return a bilinear view of an image of shape (height, width) pixel by pixel; its border goes on for ever."""
    view = torch.empty_like(image)
    for row in range(HEIGHT):
        for column in range(WIDTH):
            here = torch.tensor([column - (WIDTH - 1) / 2, row - (HEIGHT - 1) / 2, 1.0], dtype=torch.float64)
            x, y = (place @ here).tolist()
            x = min(max(x + (WIDTH - 1) / 2, 0.0), WIDTH - 1.0)
            y = min(max(y + (HEIGHT - 1) / 2, 0.0), HEIGHT - 1.0)
            left, top = min(int(x), WIDTH - 2), min(int(y), HEIGHT - 2)
            a, b = x - left, y - top
            upper = (1 - a) * image[top, left] + a * image[top, left + 1]
            lower = (1 - a) * image[top + 1, left] + a * image[top + 1, left + 1]
            view[row, column] = (1 - b) * upper + b * lower
    return view


def test_an_image_view_without_strengths_is_the_image() -> None:
    torch.testing.assert_close(images()(picture(3), KEYS[:3]), picture(3), rtol=0, atol=1e-13)
    single = ImageAugmentation(ImageShape((HEIGHT, WIDTH)), torch.zeros(HEIGHT * WIDTH), **STILL)
    torch.testing.assert_close(single(picture(3).float(), KEYS[:3]), picture(3).float(), rtol=0, atol=1e-5)


def test_shifts_are_uniform_in_both_directions() -> None:
    maps = maps_of(KEYS, shift=1.5)
    torch.testing.assert_close(
        maps[:, :, :2], torch.eye(2, dtype=torch.float64).expand(400, -1, -1), rtol=0, atol=1e-12
    )
    for axis in range(2):
        assert fits(maps[:, axis, 2], stats.uniform(-1.5, 3))
    assert abs(torch.corrcoef(maps[:, :, 2].T)[0, 1].item()) < 0.2


def test_rotations_are_uniform_and_turn_an_oblong_image_without_shearing_it() -> None:
    maps = maps_of(KEYS, rotation=20.0)
    turn, offset = maps[:, :, :2], maps[:, :, 2]
    unit = torch.eye(2, dtype=torch.float64).expand(400, -1, -1)
    torch.testing.assert_close(turn @ turn.mT, unit, rtol=0, atol=1e-12)
    torch.testing.assert_close(torch.linalg.det(turn), torch.ones(400, dtype=torch.float64))
    torch.testing.assert_close(offset, torch.zeros_like(offset), rtol=0, atol=1e-12)  # about the middle
    angle = torch.rad2deg(torch.atan2(turn[:, 1, 0], turn[:, 0, 0]))
    assert fits(angle, stats.uniform(-20, 40))


def test_sizes_change_by_at_most_their_share() -> None:
    """The share is that of the sampled area: a view that samples 0.8 of the width shows the image 1.25 times as large."""
    maps = maps_of(KEYS, scale=0.2)
    factor = maps[:, 0, 0]
    expected = factor[:, None, None] * torch.eye(2, 3, dtype=torch.float64)
    torch.testing.assert_close(maps, expected, rtol=0, atol=1e-12)
    assert fits(factor, stats.uniform(0.8, 0.4))


def test_moves_together_stay_within_each_ones_strength() -> None:
    maps = maps_of(KEYS, shift=1.0, rotation=20.0, scale=0.1)
    turn, offset = maps[:, :, :2], maps[:, :, 2]
    factor = torch.linalg.det(turn).sqrt()
    assert 0.9 <= factor.min() < factor.max() <= 1.1
    torch.testing.assert_close(turn @ turn.mT, factor[:, None, None] ** 2 * torch.eye(2, dtype=torch.float64))
    assert torch.rad2deg(torch.atan2(turn[:, 1, 0], turn[:, 0, 0])).abs().max() <= 20
    assert offset.abs().max() <= 1 + 1e-12
    drawn = torch.stack([factor, torch.atan2(turn[:, 1, 0], turn[:, 0, 0]), offset[:, 0], offset[:, 1]])
    related = torch.corrcoef(drawn) - torch.eye(4)
    assert related.abs().max() < 4 / math.sqrt(len(KEYS))


def test_any_image_moves_as_its_key_moves_the_ramps() -> None:
    strengths = {"shift": 1.0, "rotation": 25.0, "scale": 0.2}
    views = images((HEIGHT, WIDTH, 2), **strengths)(picture(5, 2), KEYS[:5]).reshape(5, HEIGHT, WIDTH, 2)
    originals = picture(5, 2).reshape(5, HEIGHT, WIDTH, 2)
    for view, original, place in zip(views, originals, maps_of(KEYS[:5], **strengths), strict=True):
        for channel in range(2):
            expected = moved(original[:, :, channel], place)
            torch.testing.assert_close(view[:, :, channel], expected, rtol=0, atol=1e-11)


def test_a_shift_by_whole_pixels_is_a_roll() -> None:
    """The strength is chosen for the key so that it shifts by exactly two pixels along one axis."""
    x, y = maps_of(KEYS[:1], shift=0.5)[0, :, 2].tolist()
    columns = picture(1).reshape(HEIGHT, WIDTH)[:1].expand(HEIGHT, -1).reshape(1, -1)  # alike in every row
    view = images(shift=0.5 * 2 / abs(x))(columns, KEYS[:1]).reshape(HEIGHT, WIDTH)
    rolled = torch.roll(columns.reshape(HEIGHT, WIDTH), -2 if x > 0 else 2, dims=1)
    kept = slice(0, WIDTH - 2) if x > 0 else slice(2, WIDTH)
    torch.testing.assert_close(view[:, kept], rolled[:, kept], rtol=0, atol=1e-12)
    rows = picture(1).reshape(HEIGHT, WIDTH)[:, :1].expand(-1, WIDTH).reshape(1, -1)
    view = images(shift=0.5 * 2 / abs(y))(rows, KEYS[:1]).reshape(HEIGHT, WIDTH)
    rolled = torch.roll(rows.reshape(HEIGHT, WIDTH), -2 if y > 0 else 2, dims=0)
    kept = slice(0, HEIGHT - 2) if y > 0 else slice(2, HEIGHT)
    torch.testing.assert_close(view[kept], rolled[kept], rtol=0, atol=1e-12)


def test_a_rotation_by_a_right_angle_turns_the_pixels() -> None:
    """The strength is chosen for the key so that it rotates by exactly 90 degrees."""
    turn = maps_of(KEYS[:1], rotation=20.0)[0]
    angle = math.degrees(math.atan2(turn[1, 0], turn[0, 0]))
    square = picture(1)[:, : HEIGHT * HEIGHT]
    view = images((HEIGHT, HEIGHT), rotation=20.0 * 90 / abs(angle))(square, KEYS[:1]).reshape(HEIGHT, HEIGHT)
    # The value at (x, y) comes from (-y, x) of the image if the map turns by +90 degrees.
    expected = torch.rot90(square.reshape(HEIGHT, HEIGHT), 1 if angle > 0 else -1)
    torch.testing.assert_close(view, expected, rtol=0, atol=1e-12)


def test_a_crop_is_a_part_of_the_image_enlarged_whatever_its_colours() -> None:
    """Read off where each key looks; then every channel is what Pillow makes of that part."""
    size = 16
    across = torch.arange(size, dtype=torch.float64)
    ramps = torch.stack([across.expand(size, -1), across[:, None].expand(-1, size)], dim=-1)  # x and y of each pixel
    augmentation = images((size, size, 2), crop=0.6)
    places = augmentation(ramps.reshape(1, -1).expand(400, -1), KEYS).reshape(400, size, size, 2)
    side = (places[:, 8, 12] - places[:, 8, 4])[:, 0] / 8  # pixels between two pixels of the view
    assert fits(1 - side, stats.uniform(0, 0.6))
    torch.testing.assert_close((places[:, 12, 8] - places[:, 4, 8])[:, 1] / 8, side, rtol=0, atol=1e-9)
    corner = (places[:, 7, 7] + places[:, 8, 8]) / 2 + 0.5 - side[:, None] * size / 2  # of the part, in pixels
    assert bool((corner > -1e-9).all() and (corner + side[:, None] * size < size + 1e-9).all())  # inside the image
    wide = side < 0.95
    for axis in range(2):
        assert fits(corner[wide, axis] / (size * (1 - side[wide])), stats.uniform(0, 1))
    pixels = torch.rand(size, size, 3, dtype=torch.float32)
    views = images((size, size, 3), crop=0.6)(pixels.double().reshape(1, -1).expand(4, -1), KEYS[:4])
    for view, (left, top), share in zip(
        views.reshape(4, size, size, 3), corner[:4].tolist(), side[:4].tolist(), strict=True
    ):
        box = (left, top, left + share * size, top + share * size)
        for channel in range(3):
            part = Image.fromarray(pixels[:, :, channel].numpy())
            expected = part.transform((size, size), Image.Transform.EXTENT, box, Image.Resampling.BILINEAR)
            found, wanted = view[1:-1, 1:-1, channel], torch.from_numpy(np.array(expected)).double()[1:-1, 1:-1]
            torch.testing.assert_close(found, wanted, rtol=0, atol=1e-5)


def test_colours_change_by_a_factor_for_each_channel() -> None:
    """In units of the pixels themselves: what the scaling subtracted is added before."""
    background = 0.3
    flat = picture(400, 3)
    view = images((HEIGHT, WIDTH, 3), background=background, color=0.4)(flat - background, KEYS) + background
    factors = (view / flat).reshape(400, HEIGHT * WIDTH, 3)
    torch.testing.assert_close(factors, factors[:, :1].expand_as(factors), rtol=0, atol=1e-12)
    for channel in range(3):
        assert fits(factors[:, 0, channel], stats.uniform(0.6, 0.8))
    related = torch.corrcoef(factors[:, 0].T) - torch.eye(3)
    assert related.abs().max() < 4 / math.sqrt(len(KEYS))


def test_crops_and_colours_leave_the_other_draws_alone() -> None:
    still = images((HEIGHT, WIDTH, 3), noise=0.2, cutout=2)(picture(20, 3), KEYS[:20])
    both = images((HEIGHT, WIDTH, 3), noise=0.2, cutout=2, color=0.5)(picture(20, 3), KEYS[:20])
    cut = still == 0
    assert torch.equal(cut, both == 0)
    factors = images((HEIGHT, WIDTH, 3), color=0.5)(torch.ones_like(still), KEYS[:20])
    noise = (still - picture(20, 3))[~cut]
    torch.testing.assert_close((both - picture(20, 3) * factors)[~cut], noise, rtol=0, atol=1e-12)


@pytest.mark.parametrize("encoder", ["dense", "conv"])
def test_a_contrastive_model_of_colour_images_is_explained_as_refits_say(encoder: str) -> None:
    rng = np.random.default_rng(0)
    data = Dataset(rng.random((18, 8, 8, 3)) + np.repeat([0.0, 0.5, 1.0], 6)[:, None, None, None])
    options = {"encoder": encoder, "augmentation": {"crop": 0.4, "color": 0.3}}
    ce = ClusterExplainer(
        "contrastive",
        n_clusters=3,
        n_steps=6,
        latent_dim=2,
        hidden=(4,),
        batch_size=9,
        dtype="float64",
        random_state=0,
        model_options=options,
        min_agreement=0.0,
    ).fit(data)
    e, ends = ce.explain([2]), []
    row = int(np.abs(e.influence[0]).argmax())
    for sign in (1, -1):
        weights = np.ones(18)
        weights[row] += sign * 1e-5
        ends.append(e.evaluate(ce.refit(weights), assignments="kept")[0])
    assert (ends[0] - ends[1]) / 2e-5 == pytest.approx(e.influence[0, row], rel=1e-5)
    with pytest.raises(InvalidParameterError, match="augmentation strength 'crop'=1"):
        ClusterExplainer("contrastive", n_clusters=3, model_options={"augmentation": {"crop": 1}}).fit(data)


def test_image_noise_is_normal_with_its_standard_deviation() -> None:
    view = images(noise=0.3)(picture(400), KEYS)
    assert fits((view - picture(400)) / 0.3, stats.norm)


@pytest.mark.parametrize("side", [1, 3, HEIGHT])
def test_cutout_sets_one_square_to_the_mean_image(side: int) -> None:
    augmentation = images((HEIGHT, WIDTH, 2), background=0.7, cutout=side)
    view = augmentation(picture(400, 2), KEYS).reshape(400, HEIGHT, WIDTH, 2)
    cut = view == 0
    assert torch.equal(cut[..., 0], cut[..., 1])
    assert (cut[..., 0].sum(dim=(1, 2)) == side * side).all()
    assert (cut[..., 0].any(dim=1).sum(dim=1) == side).all()
    assert (cut[..., 0].any(dim=2).sum(dim=1) == side).all()
    original = picture(400, 2).reshape(400, HEIGHT, WIDTH, 2)
    torch.testing.assert_close(view[~cut], original[~cut], rtol=0, atol=1e-12)
    corner = cut[..., 0].reshape(400, -1).to(torch.int8).argmax(dim=1)
    places = (HEIGHT - side + 1) * (WIDTH - side + 1)
    counts = torch.bincount(corner).double()
    assert (counts > 0).sum() == min(places, len(corner.unique()))
    if side == 3:
        assert (counts > 0).sum() == places
        assert stats.chisquare(counts[counts > 0].numpy()).pvalue > 0.01


def test_the_mean_image_stays_where_it_is_only_if_it_is_constant() -> None:
    strengths = {"shift": 1.0, "rotation": 25.0, "scale": 0.2}
    nothing = torch.zeros(20, HEIGHT * WIDTH, dtype=torch.float64)
    constant = images(background=2.0, **strengths)(nothing, KEYS[:20])
    torch.testing.assert_close(constant, nothing, rtol=0, atol=1e-12)
    mean = picture(1)[0]
    varied = ImageAugmentation(ImageShape((HEIGHT, WIDTH)), mean, **{**STILL, **strengths})
    view = varied(nothing, KEYS[:20])
    assert (view.abs().amax(dim=1) > 1e-3).all()
    torch.testing.assert_close(view, images(**strengths)(mean.expand(20, -1), KEYS[:20]) - mean, rtol=0, atol=1e-12)


def test_images_move_with_what_the_scaling_subtracted() -> None:
    strengths = {"shift": 1.0, "rotation": 25.0, "scale": 0.2}
    mean = picture(1, seed=1)[0]
    varied = ImageAugmentation(ImageShape((HEIGHT, WIDTH)), mean, **{**STILL, **strengths})
    raw = picture(20)
    expected = images(**strengths)(raw, KEYS[:20]) - mean
    torch.testing.assert_close(varied(raw - mean, KEYS[:20]), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_an_image_view_depends_on_its_image_and_key_alone(dtype: torch.dtype) -> None:
    shape = (HEIGHT, WIDTH, 2)
    background = torch.linspace(0, 1, math.prod(shape), dtype=dtype)
    augmentation = ImageAugmentation(ImageShape(shape), background, cutout=2)
    rows = picture(12, 2).to(dtype)
    view = augmentation(rows, KEYS[:12])
    assert view.shape == rows.shape
    assert view.dtype == dtype
    assert not torch.equal(view, augmentation(rows, KEYS[12:24]))
    order = torch.tensor([7, 2, 11])
    assert torch.equal(augmentation(rows[order], KEYS[:12][order]), view[order])


# --- what other models draw


def test_the_noise_of_the_variational_autoencoder_is_standard_normal_and_keyed() -> None:
    task = VariationalAutoencoder(4, hidden=(3,), latent_dim=5)
    rows = torch.zeros(400, 4, dtype=torch.float64)
    inputs, noise = task.augment(rows, KEYS)
    assert torch.equal(inputs, rows)
    assert noise.shape == (400, 5)
    assert fits(noise, stats.norm)
    assert torch.equal(task.augment(rows[:3], KEYS[[9, 4, 7]])[1], noise[[9, 4, 7]])


def test_a_model_without_augmentation_sees_its_rows() -> None:
    task = ConvAutoencoder((HEIGHT, WIDTH), hidden=(2,), latent_dim=2)
    assert torch.equal(task.augment(picture(3), KEYS[:3]), picture(3))
