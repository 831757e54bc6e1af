"""How rows are shown: small pictures, short inert texts, telling columns, and what users' own functions may return."""

from __future__ import annotations

import base64
import struct
import zlib
from typing import Any

import numpy as np
import pandas as pd
import pytest

from clusterexplain import Dataset
from clusterexplain.exceptions import InvalidParameterError
from clusterexplain.report.samples.preview import LARGEST_GIVEN, SamplePreview
from clusterexplain.report.samples.previewer import SHOWN_COLUMNS, SamplePreviewer
from clusterexplain.report.samples.thumbnails import LARGEST_IMAGE, LONGEST_SIDE, png_data_uri, thumbnail
from clusterexplain.results.text.clusters import profile
from clusterexplain.results.text.names import LONGEST_SNIPPET, snippet

PNG = b"\x89PNG\r\n\x1a\n"
TABLE = Dataset(np.random.default_rng(0).normal(size=(12, 5)) * [1, 1, 1000, 1, 0], feature_names=list("abcde"))


def decoded(uri: str) -> np.ndarray:
    """Read a PNG by its specification, checksums included."""
    assert uri.startswith("data:image/png;base64,")
    blob = base64.b64decode(uri.split(",")[1], validate=True)
    assert blob.startswith(PNG)
    chunks, at = {}, 8
    while at < len(blob):
        (length,) = struct.unpack(">I", blob[at : at + 4])
        kind, payload = blob[at + 4 : at + 8], blob[at + 8 : at + 8 + length]
        assert struct.unpack(">I", blob[at + 8 + length : at + 12 + length]) == (zlib.crc32(kind + payload),)
        chunks[kind] = payload
        at += 12 + length
    assert list(chunks) == [b"IHDR", b"IDAT", b"IEND"]
    width, height, depth, colour, *rest = struct.unpack(">IIBBBBB", chunks[b"IHDR"])
    assert (depth, *rest) == (8, 0, 0, 0)
    lines = np.frombuffer(zlib.decompress(chunks[b"IDAT"]), dtype=np.uint8).reshape(height, -1)
    assert not lines[:, 0].any()
    return lines[:, 1:].reshape((height, width) if colour == 0 else (height, width, {2: 3}[colour]))


def own(found: Any) -> SamplePreview:
    """Show what a user's function returned for row 3."""
    return SamplePreviewer.of(TABLE, lambda row, position: found).preview(TABLE.X[3], 3)


@pytest.mark.parametrize("shape", [(3, 4), (1, 1), (3, 4, 3)])
def test_pngs_hold_their_pixels(shape: tuple[int, ...]) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, size=shape).astype(np.uint8)
    np.testing.assert_array_equal(decoded(png_data_uri(pixels)), pixels)
    turned = np.swapaxes(pixels, 0, 1)
    np.testing.assert_array_equal(decoded(png_data_uri(turned)), turned)
    assert png_data_uri(pixels) == png_data_uri(pixels.copy())


def test_images_are_dark_where_values_are_large_and_keep_their_size() -> None:
    images = np.array([[0.0, 5.0, 10.0, 10.0, 5.0, 0.0], [0.0] * 6])
    rows = SamplePreviewer.of(Dataset(images, image_shape=(2, 3)))
    assert (rows.kind, rows.is_table) == ("image", False)
    shown = rows.preview(images[0], 0)
    assert shown.text == ""
    np.testing.assert_array_equal(decoded(shown.image), [[255, 128, 0], [0, 128, 255]])
    beyond = rows.preview(np.array([-5.0, 5.0, 15.0, 10.0, 5.0, 0.0]), -1)
    assert beyond == shown
    constant = SamplePreviewer.of(Dataset(np.ones((2, 6)), image_shape=(2, 3)))
    np.testing.assert_array_equal(decoded(constant.preview(np.ones(6), 0).image), np.full((2, 3), 255))


@pytest.mark.parametrize("shape", [(65, 65), (1000, 64), (1, 10_000), (130, 97, 3), (64, 64, 3)])
def test_large_images_are_averaged_down(shape: tuple[int, ...]) -> None:
    noise = np.random.default_rng(0).integers(0, 256, size=shape).astype(np.uint8)
    uri = thumbnail(noise)
    small = decoded(uri)
    assert max(small.shape[:2]) <= LONGEST_SIDE
    assert len(uri) <= LARGEST_IMAGE
    assert abs(small.mean() - noise.mean()) < 10
    assert uri == thumbnail(noise)
    plain = decoded(thumbnail(np.full(shape, 77, dtype=np.uint8)))
    assert (plain == 77).all()


def test_averages_are_those_of_blocks() -> None:
    image = np.zeros((128, 127), dtype=np.uint8)
    image[:64, 126] = 100
    small = decoded(thumbnail(image))
    assert small.shape == (64, 64)
    np.testing.assert_array_equal(small[:, 63], np.repeat([100, 0], 32))
    assert not small[:, :63].any()


@pytest.mark.parametrize("shape", [(129, 200), (65, 3), (193, 70, 3)])
def test_averages_are_those_of_numpy(shape: tuple[int, ...]) -> None:
    image = np.full(shape, 200, dtype=np.uint8)
    image[: shape[0] // 3] = 3
    image[:, -1] = 90
    factor = -(-max(shape[:2]) // LONGEST_SIDE)
    starts = [range(0, side, factor) for side in shape[:2]]
    expected = [[image[i : i + factor, j : j + factor].mean(axis=(0, 1)) for j in starts[1]] for i in starts[0]]
    np.testing.assert_allclose(decoded(thumbnail(image)), expected, rtol=0, atol=0.5 + 1e-9)


HOSTILE = {
    "</script><script>alert('x')</script>\"&": "</script><script>alert('x')</script>\"&",
    "\u202eright\u200f to\u2067 left\u200e": "\u202eright\u200f to\u2067 left\u200e",
    "\U0001f469\u200d\U0001f680 \u2764\ufe0f": "\U0001f469\u200d\U0001f680 \u2764\ufe0f",
    "half \ud800 character\udfff": "half character",
    "a\0b\x07c\x1b[31md\x7f\x9fe": "abc[31mde",
    " two\n\n\tlines\u2028of\x85text\xa0 ": "two lines of text",
    "": "",
    " \n\0": "",
}


@pytest.mark.parametrize("text", HOSTILE)
def test_texts_are_one_line_without_controls(text: str) -> None:
    data = Dataset(TABLE.X, metadata=pd.DataFrame({"body": pd.Series([text] * 12, dtype=object)}), text="body")
    expected = HOSTILE[text]
    assert snippet(text) == expected
    snippet(text).encode()
    assert own(text) == SamplePreview(text=expected)
    assert own(SamplePreview(text=text, image="data:image/gif;base64,R0lG")).text == expected
    rows = SamplePreviewer.of(data)
    assert (rows.kind, rows.is_table) == ("text", False)
    assert rows.preview(TABLE.X[0], 0).text == expected.replace("half", "half \ufffd").replace("ter", "ter\ufffd")
    assert rows.preview(TABLE.X[0], -1) == SamplePreview()


def test_long_texts_are_cut_at_a_word() -> None:
    words = "word " * 2000
    cut = snippet(words)
    assert cut == " ".join(["word"] * 40) + "…"
    assert snippet("x" * 10_000) == "x" * LONGEST_SNIPPET + "…"
    assert snippet("a " + "x" * 10_000) == "a " + "x" * (LONGEST_SNIPPET - 2) + "…"
    whole = "x" * (LONGEST_SNIPPET - 2) + " y"
    assert snippet(whole) == whole
    assert snippet(whole + "\0  ") == whole
    assert snippet(whole + " z") == whole + "…"
    assert snippet(whole + "z") == "x" * (LONGEST_SNIPPET - 2) + "…"
    assert snippet("\U0001f600" * 300) == "\U0001f600" * LONGEST_SNIPPET + "…"


def test_missing_texts_are_empty_and_images_keep_theirs() -> None:
    table = pd.DataFrame({"body": pd.Series(["a", None, np.nan, pd.NA, 5, 2.5] * 2, dtype=object)})
    rows = SamplePreviewer.of(Dataset(TABLE.X[:, :4], metadata=table, text="body", image_shape=(2, 2)))
    assert rows.kind == "image"
    assert [rows.preview(TABLE.X[0, :4], i).text for i in range(6)] == ["a", "", "", "", "5", "2.5"]
    assert rows.preview(TABLE.X[0, :4], np.int64(0)).image.startswith("data:image/png")


def test_tables_show_nothing_but_differ_by_columns() -> None:
    rows = SamplePreviewer.of(TABLE)
    assert (rows.kind, rows.is_table) == ("table", True)
    assert rows.preview(TABLE.X[0], 0) == SamplePreview()
    mean, spread = TABLE.X.mean(axis=0), TABLE.X.std(axis=0)
    row = mean + spread * [3, -1, -4, 2, 0]
    found = rows.differences(row, mean, mean + 1)
    assert [one.name for one in found] == ["c", "a", "d"]
    assert len(found) == SHOWN_COLUMNS
    assert [(one.value, one.reference, one.cluster_mean) for one in found] == [
        (row[one], mean[one], mean[one] + 1) for one in (2, 0, 3)
    ]
    unnamed = SamplePreviewer.of(Dataset(TABLE.X[:, :2]))
    assert [one.name for one in unnamed.differences(row[:2], mean[:2], mean[:2])] == ["column 0", "column 1"]
    constant = mean + [0, 0, 0, 0, 1]
    assert rows.differences(constant, mean, mean)[0].name == "e"


def test_texts_of_a_table_with_names_have_columns_too() -> None:
    metadata = pd.DataFrame({"body": ["words"] * 12})
    rows = SamplePreviewer.of(Dataset(TABLE.X, feature_names=list("abcde"), metadata=metadata, text="body"))
    assert (rows.kind, rows.is_table) == ("text", True)
    assert rows.preview(TABLE.X[0], 0) == SamplePreview(text="words")
    image = Dataset(TABLE.X[:, :4], feature_names=list("abcd"), metadata=metadata, text="body", image_shape=(2, 2))
    assert not SamplePreviewer.of(image).is_table


def test_a_profile_names_the_columns_that_differ_most_from_the_whole() -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 8)) * 10.0 ** rng.integers(-3, 4, size=8)
    X[:, 7] = 3.0
    rows, mean, spread = SamplePreviewer.of(Dataset(X, feature_names=list("abcdefgh"))), X.mean(axis=0), X.std(axis=0)
    found = rows.profile(mean + spread * [0.1, -2, 0.3, 1, -0.5, 0.4, 0.26, 0], mean)
    assert [name for name, _ in found] == list("bdefc")
    np.testing.assert_allclose([size for _, size in found], [-2, 1, -0.5, 0.4, 0.3])
    assert rows.profile(mean, mean) == []
    assert rows.profile(mean + 1e-9, mean) == []
    assert profile([("kcal", 1.84), ("sugar", -1.1)]) == "higher kcal (+1.8 sd), lower sugar (-1.1 sd)"


def test_differences_are_those_of_numpy() -> None:
    rng = np.random.default_rng(3)
    X = rng.normal(size=(50, 9)) * 10.0 ** rng.integers(-6, 7, size=9)
    rows = SamplePreviewer.of(Dataset(X))
    for one, other in rng.permutation(50).reshape(-1, 2):
        expected = np.argsort(np.abs(X[one] - X[other]) / X.std(axis=0))[::-1][:SHOWN_COLUMNS]
        found = rows.differences(X[one], X[other], X.mean(axis=0))
        assert [each.name for each in found] == [f"column {column}" for column in expected]
        assert [each.value for each in found] == X[one, expected].tolist()
        assert [each.reference for each in found] == X[other, expected].tolist()
        assert [each.cluster_mean for each in found] == X.mean(axis=0)[expected].tolist()


def test_users_functions_get_rows_as_given_and_may_change_them() -> None:
    seen = []

    def render(row: np.ndarray, position: int) -> str:
        seen.append((row.copy(), position, type(position)))
        row[:] = 0
        return "shown"

    rows = SamplePreviewer.of(TABLE, render)
    assert (rows.kind, rows.is_table) == ("own", False)
    query = TABLE.X[2].copy()
    assert rows.preview(query, np.int64(2)) == rows.preview(query, -1) == SamplePreview(text="shown")
    np.testing.assert_array_equal(query, TABLE.X[2])
    assert [(position, kind) for _, position, kind in seen] == [(2, int), (-1, int)]
    np.testing.assert_array_equal(seen[0][0], TABLE.X[2])


@pytest.mark.parametrize(
    ("found", "kind"),
    [
        (PNG + b"...", "png"),
        (b"\xff\xd8\xff\xe0...", "jpeg"),
        (b"GIF89a...", "gif"),
        (b"GIF87a...", "gif"),
        (b"RIFF\n\0\0\nWEBPVP8 ", "webp"),
        ("data:image/jpeg;base64,/9j/4AAQSkZJRg==", "jpeg"),
        (SamplePreview("words", "data:image/gif;base64,R0lG"), "gif"),
    ],
)
def test_users_pictures(found: Any, kind: str) -> None:
    shown = own(found)
    assert shown.image.startswith(f"data:image/{kind};base64,")
    if isinstance(found, bytes):
        assert base64.b64decode(shown.image.split(",")[1]) == found
    assert shown.text == ("words" if isinstance(found, SamplePreview) else "")


def test_users_arrays() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, size=(5, 7, 3)).astype(np.uint8)
    np.testing.assert_array_equal(decoded(own(pixels).image), pixels)
    np.testing.assert_array_equal(decoded(own(pixels[..., 0]).image), pixels[..., 0])
    for kind in (np.float64, np.float32):
        np.testing.assert_array_equal(decoded(own(pixels.astype(kind) / 255).image), pixels)
    beyond = np.array([[1 + 1e-7, -1e-7]])
    np.testing.assert_array_equal(decoded(own(beyond).image), [[255, 0]])
    assert max(decoded(own(np.zeros((500, 300, 3), dtype=np.uint8)).image).shape) <= LONGEST_SIDE
    assert own("data: what we measured") == SamplePreview(text="data: what we measured")


@pytest.mark.parametrize(
    ("found", "message"),
    [
        (
            None,
            r"render returned NoneType for row 3, which cannot be shown\. Expected text, an image .*or SamplePreview\(",
        ),
        (5, r"returned int for row 3"),
        ([[0, 1]], r"returned list for row 3"),
        (bytearray(PNG), r"returned bytearray for row 3"),
        (b"<svg>", r"returned 5 bytes that begin with b'<svg>' for row 3.* PNG, JPEG, WebP or GIF bytes"),
        (b"", r"returned 0 bytes"),
        (b"RIFF\n\0\0\0WAVEfmt ", r"returned 16 bytes that begin with b'RIFF"),
        (np.zeros((2, 2), dtype=np.int64), r"an array of shape \(2, 2\) and type int64 for row 3"),
        (np.zeros((2, 2), dtype=bool), r"type bool"),
        (np.zeros(4, dtype=np.uint8), r"shape \(4,\) and type uint8"),
        (np.zeros((2, 2, 4), dtype=np.uint8), r"shape \(2, 2, 4\)"),
        (np.zeros((0, 2), dtype=np.uint8), r"shape \(0, 2\)"),
        (np.zeros((0, 2)), r"shape \(0, 2\)"),
        (np.array([[-1.0, 255.0]]), r"type float64, values from -1 to 255 for row 3.*floats from 0 to 1"),
        (np.array([[np.nan, 0.5]]), r"type float64, values from nan to nan"),
        (
            "data:image/svg+xml;base64,PHN2Zz4=",
            r"render returned for row 3 cannot be shown: image='data:image/svg.*no picture",
        ),
        ('data:image/png;base64,AAAA" onload="x', r"no picture that a page can hold\. Expected a data URI"),
        ("data:image/png;base64,AAAA\n", r"no picture that a page can hold"),
        ("data:image/png,AAAA", r"no picture that a page can hold"),
        (
            PNG + bytes(LARGEST_GIVEN),
            r"row 3 cannot be shown: image has 16,008 bytes, more than 16,000: .*smaller picture",
        ),
    ],
)
def test_what_cannot_be_shown_is_named(found: Any, message: str) -> None:
    with pytest.raises(InvalidParameterError, match=message):
        own(found)


@pytest.mark.parametrize(
    "address",
    [
        "javascript:alert(1)",
        "data:text/html;base64,PHNjcmlwdD4=",
        "data:image/svg+xml;base64,PHN2Zz4=",
        "DATA:IMAGE/SVG+XML,<svg onload=alert(1)>",
        " data:image/svg+xml,<svg>",
        "https://example.org/a.png",
        "data:image/png;base64,",
    ],
)
def test_other_addresses_are_never_pictures(address: str) -> None:
    with pytest.raises(
        InvalidParameterError, match=r"is no picture that a page can hold\. Expected a data URI 'data:im"
    ):
        SamplePreview(image=address)
    if address.startswith("data:image/"):
        with pytest.raises(InvalidParameterError, match=r"render returned for row 3 cannot be shown: image="):
            own(address)
    else:
        assert own(address) == SamplePreview(text=address.strip())


def test_wrong_renderers() -> None:
    with pytest.raises(InvalidParameterError, match=r"returned NoneType for a row that was not trained on"):
        SamplePreviewer.of(TABLE, lambda row, position: None).preview(TABLE.X[0], -1)
    with pytest.raises(
        InvalidParameterError, match=r"render='text' cannot be called\. Expected a function render\(row, pos"
    ):
        SamplePreviewer.of(TABLE, "text")  # type: ignore[arg-type]
    with pytest.raises(
        InvalidParameterError, match=r"text of type str and image of type bytes\. Expected str for both"
    ):
        SamplePreview(image=PNG)  # type: ignore[arg-type]
    assert len(own(PNG + bytes(LARGEST_GIVEN - 8)).image) > LARGEST_GIVEN


def test_the_same_bytes_twice() -> None:
    images = np.random.default_rng(1).normal(size=(6, 100 * 70))
    data = Dataset(images, image_shape=(100, 70))
    assert [SamplePreviewer.of(data).preview(row, i) for i, row in enumerate(images)] == [
        SamplePreviewer.of(data).preview(row, i) for i, row in enumerate(images)
    ]
