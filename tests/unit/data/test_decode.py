from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from imgcls.data import decode as decoder
from imgcls.data.decode import (
    MAX_PIXELS,
    Preprocess,
    decode,
    decode_with_size,
    read_header,
    read_photo,
    read_values,
)
from imgcls.errors import DecodeError, UsageError

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


def as_a_whole(content: bytes, preprocess: Preprocess) -> np.ndarray:
    """The same pixels, with every step taken on the whole photograph: what decoding in pieces has to equal."""
    image = Image.open(io.BytesIO(content))
    image.draft("RGB", (2 * preprocess.size_px, 2 * preprocess.size_px))
    image.load()
    ImageOps.exif_transpose(image, in_place=True)
    size = (preprocess.size_px, preprocess.size_px)
    if image.mode.startswith("I") or image.mode == "F":
        numbers = np.asarray(image).astype(np.float64)
        ceilings = (1.0, 255.0, 65535.0) if image.mode == "F" else (65535.0,)
        ceiling = next(ceiling for ceiling in ceilings if numbers.max() <= ceiling)
        image = Image.fromarray(np.rint(numbers * (255.0 / ceiling)).astype(np.uint8)).convert("RGB")
    elif image.has_transparency_data:
        visible = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", visible.size, (255,) * 4), visible).convert("RGB")
    image = image.convert("RGB")
    if preprocess.resize == "crop":
        return np.asarray(ImageOps.fit(image, size, Image.Resampling.BICUBIC))
    return np.asarray(image.resize(size, Image.Resampling.BICUBIC))


def drawn(mode: str, width: int, height: int) -> Image.Image:
    rng = np.random.default_rng((width, height))
    if mode in ("I;16", "I"):
        return Image.fromarray(
            rng.integers(0, 65536, (height, width)).astype(np.uint16 if mode == "I;16" else np.int32)
        )
    if mode == "F":
        return Image.fromarray((rng.random((height, width)) * 255).astype(np.float32))
    colours = Image.fromarray(rng.integers(0, 256, (height, width, 4), dtype=np.uint8), "RGBA")
    return colours.convert("RGB").quantize(17) if mode == "P" else colours.convert(mode)


@pytest.mark.parametrize("piece_px", [7, 100, 1 << 20], ids=["parts of rows", "some rows", "whole"])
@pytest.mark.parametrize(
    ("mode", "kind"),
    [
        *[(mode, "PNG") for mode in ("I;16", "RGBA", "LA", "P", "L", "1", "RGB")],
        *[(mode, "TIFF") for mode in ("I;16", "I", "F", "CMYK", "LAB", "YCbCr")],
        *[(mode, "JPEG") for mode in ("L", "RGB", "CMYK")],
    ],
)
def test_pieces_give_the_pixels_of_the_whole(
    mode: str, kind: str, piece_px: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decoder, "_PIECE_PX", piece_px)
    for number, (width, height) in enumerate([(40, 23), (23, 40), (1, 50), (50, 1), (16, 16)]):
        for orientation in (1, 2 + number, 8 - number):
            exif = Image.Exif()
            exif[0x0112] = orientation
            options = {"transparency": 3} if mode == "P" else {}
            content = encoded(drawn(mode, width, height), kind, exif=exif, **options)
            for resize in ("squash", "crop"):
                preprocess = Preprocess(16, resize)  # type: ignore[arg-type]
                assert np.array_equal(decode(content, preprocess), as_a_whole(content, preprocess)), (
                    width,
                    height,
                    orientation,
                    resize,
                )


def test_a_thread_of_a_picture_is_made_lower_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """Made narrow first, 100 megapixels in one column would take the side of the square times as much."""
    content = encoded(drawn("L", 2, 5000))
    whole = decode(content, SQUASH)
    monkeypatch.setattr(decoder, "MOST_MEMORY", 8 * 4 * 4999)
    assert np.abs(decode(content, SQUASH).astype(int) - whole).max() <= 1


WIDE = """
import sys
from concurrent.futures import ThreadPoolExecutor
import numpy as np
from imgcls.data import decode as decoder
def used(what):
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith(what)) << 10
before = used("VmRSS")
decoder._ROOM._n_bytes = int(sys.argv[1])
content = sys.stdin.buffer.read()
with ThreadPoolExecutor(8) as threads:
    pixels = list(threads.map(lambda _: decoder.decode(content, decoder.Preprocess(16)), range(8)))
assert all(np.array_equal(one, pixels[0]) for one in pixels)
print(used("VmHWM") - before)
"""


@pytest.mark.parametrize("mode", ["I;16", "RGBA"])
def test_threads_share_a_bounded_memory(mode: str) -> None:
    """Eight threads with photographs of 9 megapixels, of which not two have room: once 270 and 150 MB for each."""
    content = encoded(Image.new(mode, (3000, 3000)), "PNG")
    room = 100 << 20
    done = subprocess.run(
        [sys.executable, "-c", WIDE, str(room)], input=content, capture_output=True, check=True, timeout=120
    )
    assert int(done.stdout) < room + (40 << 20)


def test_memory_is_waited_for_and_never_for_ever() -> None:
    """What has no room waits, what is too large for it is alone, and what is taken inside does not wait for itself."""
    room = decoder._Room(10)
    inside: list[int] = []
    most: list[int] = []

    def work(n_bytes: int) -> None:
        with room.taken(n_bytes), room.taken(9):
            inside.append(n_bytes)
            most.append(sum(inside))
            time.sleep(0.002)
            inside.remove(n_bytes)

    sizes = [4, 4, 25, 4, 10, 1, 3, 25] * 5
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(work, sizes, timeout=60))
    assert len(most) == len(sizes)
    assert all(together <= 10 or together == 25 for together in most)


@pytest.mark.parametrize("text", ["abc", "0", "-5", "nan", "inf", "1.5", "100MB", "1e30"])
def test_a_limit_that_is_no_number_of_pixels_is_refused(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMGCLS_MAX_PIXELS", text)
    with pytest.raises(UsageError, match=r"IMGCLS_MAX_PIXELS is .* whole number of pixels") as caught:
        decode(encoded(quarters()), SQUASH)
    assert not isinstance(caught.value, DecodeError)


def test_the_limit_of_pixels_can_be_lowered_and_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMGCLS_MAX_PIXELS", "2000")
    with pytest.raises(DecodeError, match=r"more than 2,000; IMGCLS_MAX_PIXELS sets"):
        decode(encoded(quarters()), SQUASH)
    monkeypatch.setenv("IMGCLS_MAX_PIXELS", "1e9")
    limit = Image.MAX_IMAGE_PIXELS
    assert decode_with_size(claiming(14000, 14000), SQUASH).width_px == 14000
    assert limit == Image.MAX_IMAGE_PIXELS


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
@pytest.mark.parametrize("mode", [np.uint16, np.int32, np.float32])
def test_a_stretch_says_what_is_black_and_white(mode: type, kind: str) -> None:
    if kind == "PNG" and mode is not np.uint16:
        pytest.skip("no such PNG")
    values = (1000 + RAMP.astype(np.float64) * 4).astype(mode)
    content = encoded(Image.fromarray(values), kind)
    stretched = replace(SQUASH, stretch=(1000.0, 1000.0 + 255 * 4))
    assert np.array_equal(decode(content, stretched), grey(RAMP))
    assert decode(content, replace(SQUASH, stretch=(1500.0, 1501.0))).max() == 255
    assert decode(content, replace(SQUASH, stretch=(1500.0, 1501.0))).min() == 0


def test_a_stretch_reads_what_has_no_usual_range_and_leaves_8_bits_alone() -> None:
    values = RAMP.astype(np.float32) * 10 - 1000
    content = encoded(Image.fromarray(values), "TIFF")
    with pytest.raises(DecodeError, match="--stretch LOW:HIGH"):
        decode(content, SQUASH)
    stretched = replace(SQUASH, stretch=(-1000.0, 1550.0))
    assert np.array_equal(decode(content, stretched), grey(RAMP))
    assert np.array_equal(decode(encoded(Image.fromarray(RAMP)), stretched), grey(RAMP))
    values[0, 0] = np.nan
    with pytest.raises(DecodeError, match="no numbers"):
        decode(encoded(Image.fromarray(values), "TIFF"), stretched)
    assert stretched.key != SQUASH.key


@pytest.mark.parametrize("channels", [3, 4])
def test_a_stretch_reaches_colours_of_16_bits(channels: int) -> None:
    """Pillow keeps the upper 8 of their bits, which for 12 bits are 4."""
    import cv2

    values = np.full((8, 8, channels), 4095, dtype=np.uint16)
    values[..., 0] = RAMP.astype(np.uint16) * 16  # blue, as cv2 orders them
    if channels == 4:
        values[..., 3] = 65535
    content = cv2.imencode(".png", values)[1].tobytes()
    assert decode(content, SQUASH).max() < 16
    pixels = decode(content, replace(SQUASH, stretch=(0.0, 255.0 * 16)))
    assert (pixels[..., :2] == 255).all()
    assert np.array_equal(pixels[..., 2], RAMP)


def test_the_values_that_are_used_are_measured(tmp_path: Path) -> None:
    path = tmp_path / "deep.png"
    path.write_bytes(encoded(Image.fromarray((RAMP.astype(np.uint16) * 16).repeat(40, 0).repeat(40, 1))))
    assert read_header(path).is_deep
    values = read_values(path, SQUASH)
    assert values is not None
    assert (values.low, values.high, values.black, values.white) == (0, 255 * 16, 0, 65535)
    path.write_bytes(encoded(Image.fromarray(RAMP)))
    assert read_values(path, SQUASH) is None
    assert not read_header(path).is_deep
