"""Files of every format: those that an extra reads, and damaged ones, none of which crashes, hangs or speaks.

2,000 damaged files take seconds. The long way is `python -m pytest -m slow tests/unit/data/test_formats.py`, or, for
another number and another seed, `python tests/unit/data/test_formats.py 20000 1`.
"""

from __future__ import annotations

import io
import struct
import subprocess
import sys
import time
import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, features

from imgcls.data import decode as decoder
from imgcls.data.decode import Preprocess, decode, decode_with_size, depends_on_settings, read_header, read_values
from imgcls.data.files import DICOM, HEIC, has_extra
from imgcls.errors import DecodeError

SQUASH = Preprocess(16)
RAMP = np.linspace(0, 255, 64, dtype=np.uint8).reshape(8, 8)
SMALL = Preprocess(8)
QUARTERS = np.array([[[255, 0, 0], [0, 255, 0]], [[0, 0, 255], [255, 255, 255]]], dtype=np.uint8)
STRETCHED = Preprocess(16, "crop", stretch=(0.0, 4095.0))


def seeds() -> dict[str, bytes]:
    """A small good file of every format and kind of pixels."""
    rng = np.random.default_rng(0)
    pixels = np.kron(rng.integers(0, 256, (4, 5, 3)), np.ones((6, 6, 1))).astype(np.uint8)
    photo = Image.fromarray(pixels)
    gray, deep = photo.convert("L"), Image.fromarray(pixels[..., 0].astype(np.uint16) * 200)
    floats = Image.fromarray(pixels[..., 0].astype(np.float32))
    clear = photo.convert("RGBA")
    exif = Image.Exif()
    exif[0x0112] = 6
    ways: dict[str, tuple[Image.Image, dict[str, object]]] = {
        "jpeg": (photo, {"format": "JPEG", "exif": exif}),
        "jpeg progressive": (photo, {"format": "JPEG", "progressive": True}),
        "jpeg cmyk": (photo.convert("CMYK"), {"format": "JPEG"}),
        "png": (photo, {"format": "PNG", "exif": exif}),
        "png palette": (photo.quantize(9), {"format": "PNG", "transparency": 2}),
        "png deep": (deep, {"format": "PNG"}),
        "png alpha": (clear, {"format": "PNG"}),
        "gif": (photo.quantize(9), {"format": "GIF", "save_all": True, "append_images": [gray.quantize(5)]}),
        "bmp": (photo, {"format": "BMP"}),
        "ppm": (photo, {"format": "PPM"}),
        "tiff": (photo, {"format": "TIFF"}),
        "tiff deflate": (deep, {"format": "TIFF", "compression": "tiff_deflate"}),
        "tiff lzw": (clear, {"format": "TIFF", "compression": "tiff_lzw"}),
        "tiff jpeg": (photo, {"format": "TIFF", "compression": "jpeg"}),
        "tiff floats": (floats, {"format": "TIFF"}),
    }
    for name, feature in {"webp": "webp", "jpeg2000": "jpg_2000", "avif": "avif"}.items():
        if features.check(feature):
            ways[name] = (photo, {"format": name.upper()})
    found = {}
    for name, (image, options) in ways.items():
        content = io.BytesIO()
        image.save(content, **options)
        found[name] = content.getvalue()
    if has_extra(HEIC):
        found["heic"] = heic_of(photo)
    if has_extra(DICOM):
        found["dicom"] = dicom_of(pixels[..., 0].astype(np.uint16) * 16, BitsStored=12)
    return found


def heic_of(image: Image.Image, **options: object) -> bytes:
    import pillow_heif

    content = io.BytesIO()
    pillow_heif.from_pillow(image).save(content, **{"quality": 95, **options})
    return content.getvalue()


def dicom_of(pixels: np.ndarray, *, syntax: str | None = None, **tags: object) -> bytes:
    """A DICOM file of a picture: gray [h, w] or RGB [h, w, 3]; tags by their names."""
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian, SecondaryCaptureImageStorage, generate_uid

    dataset, meta = Dataset(), FileMetaDataset()
    meta.TransferSyntaxUID = syntax or ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
    meta.MediaStorageSOPInstanceUID = generate_uid(entropy_srcs=["drawn"])
    dataset.file_meta = meta
    dataset.SOPClassUID, dataset.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
    bits = 8 * pixels.dtype.itemsize
    given = {
        "Rows": pixels.shape[0],
        "Columns": pixels.shape[1],
        "SamplesPerPixel": 1 if pixels.ndim == 2 else 3,
        "PhotometricInterpretation": "MONOCHROME2" if pixels.ndim == 2 else "RGB",
        "BitsAllocated": bits,
        "BitsStored": bits,
        "PixelRepresentation": int(np.issubdtype(pixels.dtype, np.signedinteger)),
        **({} if pixels.ndim == 2 else {"PlanarConfiguration": 0}),
        **tags,
    }
    given.setdefault("HighBit", int(str(given["BitsStored"])) - 1)
    for name, value in given.items():
        setattr(dataset, name, value)
    dataset.PixelData = pixels.tobytes()
    content = io.BytesIO()
    dataset.save_as(content, enforce_file_format=True)
    return content.getvalue()


def damaged(content: bytes, rng: np.random.Generator) -> bytes:
    """Change a few bytes, mostly near the beginning, cut, repeat or insert; a PNG often gets its checksums right."""
    data = bytearray(content)
    for _ in range(int(rng.integers(1, 6))):
        reach = len(data) if rng.random() < 0.5 else min(len(data), 200)
        at = int(rng.integers(0, max(1, reach)))
        way = rng.random()
        if way < 0.5:
            data[at : at + 1] = bytes([int(rng.integers(0, 256))])
        elif way < 0.7:
            data[at : at + 4] = rng.choice([b"\xff\xff\xff\xff", b"\0\0\0\0", b"\x7f\xff\xff\xff", b"\0\1\0\0"])
        elif way < 0.8:
            del data[at:]
        elif way < 0.9:
            del data[at : at + int(rng.integers(1, 30))]
        else:
            data[at:at] = data[at : at + int(rng.integers(1, 60))]
    return _with_right_checksums(bytes(data)) if content[:4] == b"\x89PNG" and rng.random() < 0.7 else bytes(data)


def _with_right_checksums(data: bytes) -> bytes:
    out, at = bytearray(data[:8]), 8
    while at + 12 <= len(data):
        (length,) = struct.unpack(">I", data[at : at + 4])
        body = data[at + 4 : at + 8 + length]
        if len(body) < 4 + length:
            break
        out += data[at : at + 4] + body + struct.pack(">I", zlib.crc32(body))
        at += 12 + length
    return bytes(out + data[at:])


def mutants(n: int, seed: int) -> Iterator[tuple[str, int, bytes]]:
    good = list(seeds().items())
    for number in range(n):
        name, content = good[number % len(good)]
        yield name, number, damaged(content, np.random.default_rng((seed, number)))


def try_all(n: int, seed: int, *, place: Path = Path("mutant.bin")) -> Counter[str]:
    """Decode mutants, describe their headers and measure their values; what is not expected is raised.

    Returns:
        How many of each format were decoded and refused; under `slowest` the milliseconds of the slowest, under
        `longest` the letters of the longest reason.
    """
    counts: Counter[str] = Counter()
    for name, number, content in mutants(n, seed):
        place.write_bytes(content)
        began = time.perf_counter()
        works = [partial(decode_with_size, content, SQUASH if number % 3 else STRETCHED)]
        if number % 4 == 0 or n > 10_000:
            works += [partial(read_header, place), partial(read_values, place, SQUASH)]
        for work in works:
            try:
                work()
                counts[f"{name} read"] += 1
            except DecodeError as problem:
                counts[f"{name} refused"] += 1
                counts["longest"] = max(counts["longest"], len(str(problem)))
            except BaseException as problem:
                raise AssertionError(f"mutant {number} of seed {seed}, {name}: {problem!r}") from problem
        took = round((time.perf_counter() - began) * 1000)
        if took > counts["slowest"]:
            counts["slowest"] = took
            if took > 1000:
                print(f"mutant {number} of seed {seed}, {name}: {took} ms", flush=True)  # noqa: T201
    place.unlink(missing_ok=True)
    return counts


@pytest.mark.skipif(not has_extra(HEIC), reason="needs the extra heic")
@pytest.mark.parametrize("orientation", [1, 3, 6])
def test_heic_is_read_upright(orientation: int, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    photo = Image.fromarray(np.kron(QUARTERS, np.ones((16, 32, 1), dtype=np.uint8)))
    turns = {1: photo, 3: photo.transpose(Image.Transpose.ROTATE_180), 6: photo.transpose(Image.Transpose.ROTATE_90)}
    content = heic_of(turns[orientation], exif=exif.tobytes())
    decoded = decode_with_size(content, SMALL)
    assert (decoded.width_px, decoded.height_px) == (64, 32)
    seen = decoded.pixels.astype(int)[[1, 1, 6, 6], [1, 6, 1, 6]]
    assert np.abs(seen - QUARTERS.reshape(4, 3)).max() < 25
    (tmp_path / "photo.jpg").write_bytes(content)  # by content, as everything is
    assert read_header(tmp_path / "photo.jpg").format == "HEIF"


dicom = pytest.mark.skipif(not has_extra(DICOM), reason="needs the extra dicom")


@dicom
@pytest.mark.parametrize("inverted", [False, True])
def test_dicom_by_its_bits_its_window_or_the_stretch(inverted: bool, tmp_path: Path) -> None:
    tags = {"PhotometricInterpretation": "MONOCHROME1"} if inverted else {}
    values = RAMP.astype(np.uint16) * 16

    def seen(stretch: tuple[float, float] | None = None, **more: object) -> np.ndarray:
        content = dicom_of(values, BitsStored=12, **tags, **more)
        pixels = decode(content, replace(SMALL, stretch=stretch))[..., 0]
        return 255 - pixels if inverted else pixels

    assert np.array_equal(seen(), np.rint(values * (255 / 4095)).astype(np.uint8))
    window = {"WindowCenter": [1025, 7], "WindowWidth": [2049, 9]}  # the first counts: 0.5 to 2048.5
    assert np.abs(seen(**window).astype(int) - np.clip(values * (255 / 2048), 0, 255)).max() <= 1
    assert np.array_equal(seen((0.0, 4080.0), **window), RAMP)
    rescaled = {"RescaleSlope": 2, "RescaleIntercept": -1000}
    assert np.array_equal(seen((-1000.0, 7160.0), **rescaled), RAMP)
    assert np.array_equal(seen(**rescaled), seen())
    (tmp_path / "scan.dcm").write_bytes(dicom_of(values, BitsStored=12, **tags, **window))
    kind = "MONO1" if inverted else "MONO2"
    assert read_header(tmp_path / "scan.dcm").mode == f"{kind} window"
    assert read_values(tmp_path / "scan.dcm", SMALL) is None
    (tmp_path / "scan.dcm").write_bytes(dicom_of(values, **tags))
    assert read_header(tmp_path / "scan.dcm").mode == f"{kind} full"
    measured = read_values(tmp_path / "scan.dcm", SMALL)
    assert measured is not None
    assert (round(measured.low), round(measured.high), measured.white) == (4, 4075, 65535)


@dicom
def test_dicom_with_signs_functions_and_colours() -> None:
    signed = RAMP.astype(np.int16) * 16 - 2048
    assert np.array_equal(
        decode(dicom_of(signed, BitsStored=12), SMALL)[..., 0],
        np.rint((signed + 2048) * (255 / 4095)).astype(np.uint8),
    )
    exact = {"WindowCenter": 0, "WindowWidth": 4096, "VOILUTFunction": "LINEAR_EXACT"}
    assert np.array_equal(
        decode(dicom_of(signed, **exact), SMALL)[..., 0], np.rint((signed + 2048) * (255 / 4096)).astype(np.uint8)
    )
    sigmoid = decode(dicom_of(signed, **{**exact, "VOILUTFunction": "SIGMOID"}), SMALL)[..., 0]
    assert sigmoid.min() == 30  # 255 / (1 + e²)
    assert sigmoid.max() == 224
    colours = np.repeat(RAMP[..., None], 3, axis=2)
    colours[..., 1] = 7
    assert np.array_equal(decode(dicom_of(colours), SMALL), colours)


@dicom
def test_dicom_that_is_no_single_picture_is_refused() -> None:
    with pytest.raises(DecodeError, match="a DICOM of 5 pictures"):
        decode(dicom_of(RAMP, NumberOfFrames=5), SMALL)
    with pytest.raises(DecodeError, match="deflated"):
        decode(dicom_of(RAMP).replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2.1.99"), SMALL)
    with pytest.raises(DecodeError, match="too many pixels"):
        decode(dicom_of(RAMP, Rows=60000, Columns=60000), SMALL)
    with pytest.raises(DecodeError, match=r"damaged|truncated|DICOM"):
        decode(dicom_of(RAMP, Rows=60), SMALL)


@pytest.mark.parametrize(
    ("content", "extra"),
    [(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(99), "heic"), (bytes(128) + b"DICM" + bytes(99), "dicom")],
)
def test_without_its_extra_a_file_says_which_one_reads_it(
    content: bytes, extra: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decoder, "has_extra", lambda kind: False)
    path = tmp_path / "photo.jpg"
    path.write_bytes(content)
    for read in (lambda: decode(path, SMALL), lambda: read_header(path), lambda: read_values(path, SMALL)):
        with pytest.raises(DecodeError, match=rf"pip install 'imgcls\[{extra}\]'") as caught:
            read()
        assert depends_on_settings(str(caught.value))


def test_2000_damaged_files_are_read_or_refused(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    counts = try_all(2000, 0, place=tmp_path / "mutant.bin")
    slowest, longest = counts.pop("slowest"), counts.pop("longest")
    assert sum(counts.values()) == 3000
    assert all(counts[f"{name} refused"] and counts[f"{name} read"] for name in seeds())
    assert slowest < 20_000
    assert longest < 200
    assert capfd.readouterr() == ("", "")  # readers in C have their own ways to the terminal


@pytest.mark.slow
def test_20000_damaged_files_crash_nothing(tmp_path: Path) -> None:
    """In a process of its own, whose death would say which mutant it was."""
    done = subprocess.run(
        [sys.executable, "-X", "faulthandler", "-W", "error", __file__, "20000", "1"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=3000,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""


if __name__ == "__main__":
    print(try_all(int(sys.argv[1]), int(sys.argv[2])))  # noqa: T201
