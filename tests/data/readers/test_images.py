"""Folders of pictures: ids are relative paths, class folders metadata; what is broken stops the reading with a list."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits

from clusterexplain import ClusterExplainer, Dataset
from clusterexplain.data.readers.new_files import read_new_rows
from clusterexplain.data.readers.registry import read
from clusterexplain.exceptions import InputWarning, InvalidDataError, InvalidParameterError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Write twelve digits into a folder for each class, every third as a JPEG."""
    digits = load_digits()
    for number in range(12):
        target = tmp_path / "pictures" / f"digit {digits.target[number] % 3}"
        target.mkdir(parents=True, exist_ok=True)
        pixels = np.uint8(np.clip(digits.images[number] * 16, 0, 255))
        Image.fromarray(pixels).save(target / f"{number:02}.{'JPG' if number % 3 == 2 else 'png'}", quality=95)
    return tmp_path / "pictures"


def test_a_folder_of_grey_pictures(folder: Path) -> None:
    data = Dataset.from_images(folder)
    digits = load_digits()
    assert data.image_shape == (8, 8)
    assert data.ids.tolist()[:2] == ["digit 0/00.png", "digit 0/03.png"]
    assert data.metadata is not None
    assert data.metadata["folder"].tolist() == [one.split("/")[0] for one in data.ids.tolist()]
    exact = [place for place, one in enumerate(data.ids.tolist()) if one.endswith("png")]
    for place in exact:
        number = int(Path(data.ids[place]).stem)
        np.testing.assert_allclose(data.X[place], np.minimum(digits.data[number] * 16, 255).astype(int) / 255)
    np.testing.assert_array_equal(read(folder).X, data.X)
    listed = Dataset.from_images(sorted(folder.rglob("*.*")))
    np.testing.assert_array_equal(listed.X, data.X)
    assert listed.ids.tolist() == data.ids.tolist()


def test_size_and_mode(folder: Path) -> None:
    small = Dataset.from_images(folder, size="4x2", mode="RGB")
    assert (small.image_shape, small.X.shape) == ((2, 4, 3), (12, 24))
    grey = Dataset.from_images(folder, size=(4, 2))
    assert grey.image_shape == (2, 4)
    np.testing.assert_array_equal(small.X.reshape(12, 2, 4, 3)[..., 1], grey.X.reshape(12, 2, 4))
    for wrong in ("16", "0x4", (3,), "ax4"):
        with pytest.raises(
            InvalidDataError, match=r"is no size\. Expected width x height in pixels, for example 16x16"
        ):
            Dataset.from_images(folder, size=wrong)  # type: ignore[arg-type]
    with pytest.raises(InvalidDataError, match=r"mode='CMYK' is unknown\. Expected 'L' \(grey\) or 'RGB'"):
        Dataset.from_images(folder, mode="CMYK")


def test_colour_transparency_palettes_ink_and_16_bits(tmp_path: Path) -> None:
    red = np.zeros((4, 4, 3), dtype=np.uint8)
    red[..., 0] = 255
    Image.fromarray(red).save(tmp_path / "a.png")
    Image.fromarray(red).quantize(4).save(tmp_path / "b.png")
    Image.fromarray(red).convert("CMYK").save(tmp_path / "c.jpg", quality=100)
    Image.fromarray(np.dstack([red, np.zeros((4, 4), np.uint8)])).save(tmp_path / "d.png")  # wholly transparent
    data = Dataset.from_images(tmp_path)
    assert data.image_shape == (4, 4, 3)
    assert data.metadata is None
    pixels = data.X.reshape(4, 4, 4, 3)
    for place in range(3):
        np.testing.assert_allclose(pixels[place, 0, 0], [1, 0, 0], atol=0.02)
    assert (pixels[3] == 1).all()
    deep = tmp_path / "deep"
    deep.mkdir()
    Image.fromarray(np.full((2, 2), 32768, dtype=np.uint16)).save(deep / "a.png")
    np.testing.assert_allclose(Dataset.from_images(deep).X, 0.5, atol=0.01)
    with pytest.warns(InputWarning, match=r"1 of 5 pictures are grey and were taken as colour ones"):
        assert Dataset.from_images(tmp_path, size="2x2").image_shape == (2, 2, 3)


def test_pictures_are_upright(tmp_path: Path) -> None:
    picture = Image.new("L", (4, 2))
    exif = picture.getexif()
    exif[0x0112] = 6  # the camera was held sideways
    picture.save(tmp_path / "a.jpg", exif=exif)
    assert Dataset.from_images([tmp_path / "a.jpg"]).image_shape == (4, 2)


def test_what_is_broken_or_no_picture_is_listed(folder: Path) -> None:
    (folder / "notes.txt").write_text("x")
    (folder / "digit 0" / "text.png").write_text("no picture")
    (folder / "digit 1" / "cut.png").write_bytes((folder / "digit 0" / "00.png").read_bytes()[:60])
    (folder / "empty.jpg").touch()
    (folder / ".DS_Store").touch()
    message = r"4 file\(s\) cannot be used as pictures: (?=.*notes\.txt is no PNG)(?=.*text\.png )(?=.*cut)(?=.*empty)"
    with pytest.raises(InvalidDataError, match=message + r".*--skip-bad \(skip_bad=True\)"):
        Dataset.from_images(folder)
    with pytest.warns(InputWarning, match=r"4 of 16 files were left out: .*notes\.txt"):
        assert len(Dataset.from_images(folder, skip_bad=True)) == 12


def test_folders_without_pictures_and_sizes_that_differ(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "none").mkdir()
    with pytest.raises(InvalidDataError, match=r"none holds no picture\. Expected \.png"):
        Dataset.from_images(tmp_path / "none")
    with pytest.raises(InvalidDataError, match=r"There is no folder .*nowhere"):
        Dataset.from_images(tmp_path / "nowhere")
    Image.new("L", (9, 7)).save(folder / "digit 0" / "wide.png")
    with pytest.raises(InvalidDataError, match=r"2 different sizes: .*9x7 \(digit 0/wide\.png\).*--size 16x16"):
        Dataset.from_images(folder)
    assert len(Dataset.from_images(folder, size="8x8")) == 13


def test_stacks_of_images_in_memory() -> None:
    stack = np.random.default_rng(0).random((6, 4, 5, 3))
    data = Dataset(stack)
    assert (data.image_shape, data.X.shape) == ((4, 5, 3), (6, 60))
    np.testing.assert_array_equal(data.X.reshape(stack.shape), stack)
    assert Dataset(stack[..., :1]).image_shape == (4, 5)
    assert Dataset(stack[..., 0], image_shape=(4, 5)).X.shape == (6, 20)
    with pytest.raises(InvalidDataError, match=r"channels first\. Expected .*numpy\.moveaxis\(X, 1, -1\)"):
        Dataset(np.moveaxis(stack, -1, 1))
    with pytest.raises(InvalidDataError, match=r"image_shape \(4, 4, 3\) does not fit: .*channels"):
        Dataset(stack.reshape(6, -1), image_shape=(4, 4, 3))


def test_colour_pictures_are_fitted_shown_and_saved(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    stack = np.concatenate([rng.normal(mean, 0.05, (10, 4, 4, 3)) for mean in (0.2, 0.5, 0.8)]).clip(0, 1)
    ce = ClusterExplainer("conv_autoencoder", n_clusters=3, latent_dim=2, hidden=(4,), n_steps=20, random_state=0)
    ce.fit(Dataset(stack)).save(tmp_path / "run")
    loaded = ClusterExplainer.load(tmp_path / "run")
    assert loaded.data_.image_shape == (4, 4, 3)
    assert "data:image/png" in str(loaded.explain([0])._repr_mimebundle_())


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_new_pictures_get_the_size_and_mode_of_the_fit(folder: Path, mode: str, tmp_path: Path) -> None:
    data = Dataset.from_images(folder, size="4x2", mode=mode)
    ce = ClusterExplainer(model="precomputed", n_clusters=2, min_agreement=0.0, random_state=0).fit(data)
    ce.save(tmp_path / "run")
    stored = ClusterExplainer.load(tmp_path / "run").data_
    one = read_new_rows(folder / "digit 0" / "03.png", stored)
    assert isinstance(one, Dataset)
    np.testing.assert_array_equal(one.X, data.X[data.positions(["digit 0/03.png"])])
    assert ce.explain(one).query_ids.tolist() == ["new 03.png"]
    several = read_new_rows(folder / "digit 0", stored)
    assert isinstance(several, Dataset)
    assert several.ids.tolist() == ["00.png", "03.png", "06.png", "09.png"] or len(several) == len(
        list((folder / "digit 0").iterdir())
    )
    turned = Dataset.from_images(folder, size="2x4", mode=mode)
    with pytest.raises(
        InvalidDataError,
        match=rf"queries has images of shape \(4, 2.*Expected the same; .*size=\(4, 2\), mode='{mode}'",
    ):
        ce.explain(turned)
    pixels = Dataset(data.X, image_shape=data.image_shape)  # perhaps from 0 to 1, perhaps not
    with pytest.raises(
        InvalidParameterError, match=r"the fit was not made from picture files\. Expected a table or an array"
    ):
        read_new_rows(folder, pixels)
