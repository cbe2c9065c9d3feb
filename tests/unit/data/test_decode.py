from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from imgcls.data import decode as decoder
from imgcls.data.decode import MAX_PIXELS, Preprocess, decode, decode_with_size, read_photo
from imgcls.errors import DecodeError

SQUASH = Preprocess(8)
RAMP = np.linspace(0, 255, 64, dtype=np.uint8).reshape(8, 8)


def encoded(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def grey(pixels: np.ndarray) -> np.ndarray:
    return np.repeat(pixels[:, :, None], 3, axis=2)


def quarters(width: int = 64, height: int = 32) -> Image.Image:
    """Red upper left, green upper right, blue lower left, white lower right."""
    pixels = np.full((height, width, 3), 255, dtype=np.uint8)
    pixels[: height // 2, : width // 2] = (255, 0, 0)
    pixels[: height // 2, width // 2 :] = (0, 255, 0)
    pixels[height // 2 :, : width // 2] = (0, 0, 255)
    return Image.fromarray(pixels)


def claiming(width: int, height: int) -> bytes:
    """A small JPEG whose header claims another size."""
    content = bytearray(encoded(quarters(), "JPEG"))
    start = content.index(b"\xff\xc0") + 5
    content[start : start + 4] = height.to_bytes(2, "big") + width.to_bytes(2, "big")
    return bytes(content)


def test_pixels_of_the_final_size_come_through_unchanged() -> None:
    pixels = decode(encoded(Image.fromarray(grey(RAMP))), SQUASH)
    assert pixels.dtype == np.uint8
    assert pixels.flags["C_CONTIGUOUS"]
    assert np.array_equal(pixels, grey(RAMP))


@pytest.mark.parametrize(
    ("image", "kind"),
    [
        (Image.fromarray(RAMP.astype(np.uint16) * 257), "PNG"),
        (Image.fromarray(RAMP.astype(np.uint16) * 257), "TIFF"),
        (Image.fromarray(RAMP.astype(np.int32) * 257), "TIFF"),
        (Image.fromarray(RAMP.astype(np.float32) / 255), "TIFF"),
        (Image.fromarray(RAMP.astype(np.float32)), "TIFF"),
        (Image.fromarray(RAMP.astype(np.float32) * 257), "TIFF"),
        (Image.fromarray(RAMP), "PNG"),
    ],
    ids=["I;16 png", "I;16 tiff", "I", "F 0..1", "F 0..255", "F 0..65535", "L"],
)
def test_deep_images_are_rescaled_not_saturated(image: Image.Image, kind: str) -> None:
    assert np.array_equal(decode(encoded(image, kind), SQUASH), grey(RAMP))


@pytest.mark.parametrize("worst", [-1.0, 70000.0, float("nan")])
def test_values_of_no_known_range_are_refused(worst: float) -> None:
    values = RAMP.astype(np.float32)
    values[0, 0] = worst
    with pytest.raises(DecodeError, match="outside 0 to 65535"):
        decode(encoded(Image.fromarray(values), "TIFF"), SQUASH)


def test_transparency_is_laid_over_white() -> None:
    hidden = Image.new("RGBA", (8, 8), (255, 0, 0, 0))
    hidden.paste((0, 0, 255, 255), (0, 0, 4, 8))
    palette = Image.new("P", (8, 8), 0)
    palette.putpalette([255, 0, 0, 0, 0, 255])
    palette.paste(1, (0, 0, 4, 8))
    for content in (encoded(hidden), encoded(palette, transparency=0), encoded(palette, transparency=b"\x00\xff")):
        pixels = decode(content, SQUASH)
        assert pixels[4, 0].tolist() == [0, 0, 255]
        assert pixels[4, 7].tolist() == [255, 255, 255]


def test_grey_with_alpha_and_one_bit_images() -> None:
    assert decode(encoded(Image.new("LA", (8, 8), (0, 0))), SQUASH).min() == 255
    assert decode(encoded(Image.new("1", (8, 8), 1)), SQUASH).min() == 255


def test_cmyk_is_not_a_negative() -> None:
    content = encoded(Image.new("RGB", (16, 16), (200, 30, 30)).convert("CMYK"), "JPEG", quality=95)
    assert np.abs(decode(content, SQUASH).astype(int) - [200, 30, 30]).max() < 12


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(orientation: int, kind: str) -> None:
    undo = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}
    stored = quarters() if orientation == 1 else quarters().transpose(Image.Transpose(undo[orientation]))
    exif = Image.Exif()
    exif[0x0112] = orientation
    decoded = decode_with_size(encoded(stored, kind, exif=exif), SQUASH)
    assert (decoded.width_px, decoded.height_px) == (64, 32)
    expected = decode(encoded(quarters()), SQUASH).astype(int)
    assert (
        np.abs(decoded.pixels.astype(int)[[1, 1, 6, 6], [1, 6, 1, 6]] - expected[[1, 1, 6, 6], [1, 6, 1, 6]]).max() < 12
    )


def test_first_frame_is_the_photograph() -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    pixels = decode(encoded(frames[0], "GIF", save_all=True, append_images=frames[1:]), SQUASH)
    assert pixels[0, 0].tolist() == [255, 0, 0]


def test_resize_kinds() -> None:
    content = encoded(quarters())
    squash, crop, pad = (decode(content, Preprocess(32, kind)) for kind in ("squash", "crop", "pad"))
    assert squash[2, 2].tolist() == crop[2, 2].tolist() == [255, 0, 0]
    assert pad[2, 2].tolist() == [255, 0, 0]  # symmetric: the border mirrors the picture
    black = decode(content, Preprocess(32, "pad", "constant"))
    assert black[2, 2].tolist() == [0, 0, 0]
    assert black[10, 2].tolist() == [255, 0, 0]


@pytest.mark.parametrize("kind", ["squash", "crop", "pad"])
@pytest.mark.parametrize("size", [(1, 1), (1, 500), (500, 1)])
def test_extreme_shapes(size: tuple[int, int], kind: str) -> None:
    pixels = decode(encoded(Image.new("RGB", size, (9, 99, 199))), Preprocess(16, kind))  # type: ignore[arg-type]
    assert pixels.shape == (16, 16, 3)
    assert (pixels == (9, 99, 199)).all()


def test_scaled_decoding_stays_close_to_full_decoding(monkeypatch: pytest.MonkeyPatch) -> None:
    smooth = Image.fromarray(np.random.default_rng(0).integers(0, 256, (8, 8, 3), dtype=np.uint8))
    content = encoded(smooth.resize((400, 400), Image.Resampling.BICUBIC), "JPEG", quality=95)
    scaled = decode_with_size(content, Preprocess(32))
    with monkeypatch.context() as patch:
        patch.setattr("PIL.JpegImagePlugin.JpegImageFile.draft", lambda *_: None)
        full = decode_with_size(content, Preprocess(32))
    assert (scaled.width_px, scaled.height_px) == (400, 400)
    difference = np.abs(scaled.pixels.astype(int) - full.pixels.astype(int))
    assert 0 < difference.mean() < 3


@pytest.mark.parametrize("size", [(13000, 13000), (65500, 65500), (10001, 10000)])
def test_bombs_are_refused_before_decoding(size: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    def loaded(*_: object) -> None:
        raise AssertionError("the pixels were decoded")

    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", loaded)
    content = claiming(*size)
    assert len(content) < 2000
    with pytest.raises(DecodeError, match="too many pixels"):
        decode(content, SQUASH)


def test_no_warning_and_no_changed_limit_below_our_limit() -> None:
    limit = Image.MAX_IMAGE_PIXELS
    filters = list(warnings.filters)
    assert limit is not None
    assert limit < 9990 * 9990 < MAX_PIXELS
    assert decode_with_size(claiming(9990, 9990), SQUASH).width_px == 9990
    assert limit == Image.MAX_IMAGE_PIXELS
    assert warnings.filters == filters


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty file"),
        (b"hello" * 9, "not an image"),
        (b"\0" * 4096, "not an image"),
        (b"<!DOCTYPE html><html>", "a web page"),
        (b"version https://git-lfs.github.com/spec/v1\n", "Git LFS"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not an image"),
        (encoded(quarters(), "JPEG")[:-200], "truncated"),
        (encoded(Image.fromarray(grey(RAMP)))[:-60], "truncated"),
    ],
)
def test_broken_content_gets_a_plain_reason(content: bytes, reason: str) -> None:
    with pytest.raises(DecodeError, match=reason):
        decode(content, SQUASH)


def test_any_error_of_a_decoder_is_a_decode_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def explode(*_: object) -> None:
        raise SyntaxError("broken PNG file")

    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", explode)
    with pytest.raises(DecodeError, match=r"damaged \(broken PNG file\)"):
        decode(encoded(quarters()), SQUASH)


def test_rubbish_in_exif_does_not_matter() -> None:
    content = encoded(quarters(), "JPEG")
    block = b"\xff\xe1" + (48).to_bytes(2, "big") + b"Exif\0\0" + b"\xa5" * 40
    assert np.array_equal(decode(content[:2] + block + content[2:], SQUASH), decode(content, SQUASH))


def test_what_is_no_regular_file_is_never_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / "folder.jpg").mkdir()
    (tmp_path / "link.jpg").symlink_to("nothing.jpg")
    (tmp_path / "loop.jpg").symlink_to("loop.jpg")
    (tmp_path / "empty.jpg").touch()
    reasons = {"pipe": "not a regular", "folder": "not a regular", "link": "link to nothing", "loop": "cannot be read"}
    for name, reason in {**reasons, "empty": "empty file"}.items():
        with pytest.raises(DecodeError, match=reason) as caught:
            read_photo(tmp_path / f"{name}.jpg")
        assert str(tmp_path) not in str(caught.value)


def test_large_files_are_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "large.jpg").write_bytes(encoded(quarters(), "JPEG"))
    monkeypatch.setattr(decoder, "MAX_BYTES", 100)
    monkeypatch.setattr(Path, "read_bytes", lambda path: pytest.fail(f"{path} was read"))
    with pytest.raises(DecodeError, match="file too large"):
        decode(tmp_path / "large.jpg", SQUASH)


def test_threads_give_the_same_pixels() -> None:
    contents = [encoded(Image.fromarray(np.roll(grey(RAMP), shift, 0))) for shift in range(8)] * 8
    with ThreadPoolExecutor(8) as threads:
        assert all(
            map(
                np.array_equal,
                threads.map(lambda one: decode(one, SQUASH), contents),
                [decode(one, SQUASH) for one in contents],
            )
        )


def test_key_names_what_changes_pixels() -> None:
    assert Preprocess(8).key == Preprocess(8, pad_mode="edge").key
    keys = {Preprocess(8), Preprocess(9), Preprocess(8, "pad"), Preprocess(8, "crop"), Preprocess(8, "pad", "edge")}
    assert len({preprocess.key for preprocess in keys}) == 5
    assert Preprocess(8).to_json() == {"size_px": 8, "resize": "squash"}


def test_139_files_of_trouble(test_data: Path, tmp_path: Path) -> None:
    """The maker's manifest says what a good reader does with each file."""
    maker = test_data / "make_badimages.py"
    subprocess.run([sys.executable, maker, tmp_path, "--quiet"], check=True)
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    wrong = []
    for name, entry in manifest.items():
        expected = {"decode": {"decode"}, "broken": {"refuse"}, "refuse": {"refuse"}, "skip": {"refuse"}}.get(
            entry["expect"], {"decode", "refuse"}
        )
        if name == "link_outside.jpg":  # links to files are followed here
            continue
        try:
            decoded = decode_with_size(tmp_path / "images" / name, Preprocess(64))
        except DecodeError as error:
            if "refuse" not in expected:
                wrong.append((name, str(error)))
            continue
        away = np.abs(
            decoded.pixels.reshape(-1, 3).mean(axis=0) - entry.get("mean", decoded.pixels.reshape(-1, 3).mean(axis=0))
        )
        right_size = [decoded.width_px, decoded.height_px] == entry.get("size", [decoded.width_px, decoded.height_px])
        if "decode" not in expected or away.max() > entry.get("tol", 0) or not right_size:
            wrong.append((name, f"{away} {decoded.width_px}x{decoded.height_px}"))
    assert len(manifest) > 100
    assert wrong == []


def test_what_a_library_has_to_say_of_a_damaged_file_is_not_on_the_terminal(
    capfd: pytest.CaptureFixture[str],
) -> None:
    rng, content = np.random.default_rng(0), io.BytesIO()
    Image.fromarray(rng.integers(0, 255, (64, 64, 3)).astype(np.uint8)).save(content, "TIFF", compression="tiff_lzw")
    for _ in range(40):
        damaged = bytearray(content.getvalue())
        damaged[200:260] = rng.bytes(60)
        with suppress(DecodeError):
            decode(bytes(damaged), Preprocess(16))
    assert capfd.readouterr().err == ""
