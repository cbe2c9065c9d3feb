"""Damaged files of every format: each is decoded or refused with a reason; nothing crashes, hangs or speaks.

The short version takes seconds. The long one is `python -m pytest -m slow tests/unit/data/test_mutants.py`, or, for
another number or other seeds, `python -c "from tests.unit.data.test_mutants import try_all; try_all(20000, 1)"`.
"""

from __future__ import annotations

import io
import os
import struct
import subprocess
import sys
import time
import zlib
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, features

from imgcls.data.decode import Preprocess, decode_with_size, read_header, read_values
from imgcls.data.files import DICOM, HEIC, has_extra
from imgcls.errors import DecodeError

SQUASH = Preprocess(16)
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
    code = "import sys; from tests.unit.data.test_mutants import try_all; print(try_all(20000, int(sys.argv[1])))"
    root = Path(__file__).parents[3]
    done = subprocess.run(
        [sys.executable, "-X", "faulthandler", "-W", "error", "-c", code, "1"],
        env={**os.environ, "PYTHONPATH": str(root)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=3000,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
