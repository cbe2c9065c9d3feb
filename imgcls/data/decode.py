"""Decoding photographs: one decoder, so that training, validation, prediction and EDA see the same pixels."""

from __future__ import annotations

import hashlib
import io
import json
import stat
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps, UnidentifiedImageError

from imgcls.errors import DecodeError

DECODER_VERSION = 1
"""Raised whenever the same file would give other pixels, so that no cache mixes the two.

1: JPEG decoded at 1/1, 1/2, 1/4 or 1/8 (`draft`), the smallest that is at least twice the target on
both sides; EXIF orientation applied; transparency laid over white; 16-bit values divided by 257;
first frame; antialiased bicubic resize by Pillow.
"""
MAX_PIXELS = 100_000_000
"""A photograph whose header claims more is refused before any pixel is decoded."""
MAX_BYTES = 1 << 29
"""A file above 512 MiB is refused before it is read."""
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "JPEG2000", "AVIF")
"""What is read, by content: Pillow's readers for drawings and scripts stay closed."""

Pixels = npt.NDArray[np.uint8]
Resize = Literal["squash", "crop", "pad"]
PadMode = Literal["constant", "symmetric", "reflect", "edge"]

_WHITE = (255, 255, 255, 255)
_NOT_IMAGES = {
    b"version https://git-lfs": "a Git LFS pointer, not the image",
    b"<!doctype html": "a web page, not an image",
    b"<html": "a web page, not an image",
}
_SIGNATURES = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF8")
_EXIF_ORIENTATION = 0x0112
_EXIF_MAKE, _EXIF_MODEL, _EXIF_BLOCK, _EXIF_TAKEN, _EXIF_SERIAL = 0x010F, 0x0110, 0x8769, 0x9003, 0xA431
_WARNINGS = threading.Lock()


@dataclass(frozen=True)
class Preprocess:
    """How a photograph becomes a square of pixels."""

    size_px: int
    """The side of the square, at least 1."""
    resize: Resize = "squash"
    """squash: both sides to the size; crop: the middle square; pad: the whole picture, its border filled."""
    pad_mode: PadMode = "symmetric"
    """What fills the border when padding (numpy's names); constant is black."""

    @property
    def key(self) -> str:
        """A short hex digest of these settings and the version of the decoder."""
        text = json.dumps({"decoder": DECODER_VERSION, **self.to_json()}, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def to_json(self) -> dict[str, int | str]:
        """Return the settings as plain JSON; the pad mode only where it matters."""
        settings = asdict(self)
        if self.resize != "pad":
            del settings["pad_mode"]
        return settings


@dataclass(frozen=True)
class Decoded:
    """A decoded photograph and its size before the resize."""

    pixels: Pixels
    """uint8 [size_px, size_px, 3], RGB."""
    width_px: int
    """The width of the upright photograph."""
    height_px: int
    """The height of the upright photograph."""


@dataclass(frozen=True)
class Header:
    """What a photograph is, as it says before any pixel is decoded."""

    format: str
    """By content: JPEG, PNG, …"""
    mode: str
    """The mode of its pixels in Pillow's words: RGB, L, I;16, …"""
    orientation: int
    """The EXIF orientation, 1 to 8; 1 where there is none."""


def decode(source: bytes | Path, preprocess: Preprocess) -> Pixels:
    """Decode a photograph into a square of pixels.

    Args:
        source: The content of a file, or its path.
        preprocess: The size and the kind of resize.

    Returns:
        uint8 [size_px, size_px, 3], RGB, upright.

    Raises:
        DecodeError: The photograph cannot be read; the message is a short reason.
    """
    return decode_with_size(source, preprocess).pixels


def decode_with_size(source: bytes | Path, preprocess: Preprocess) -> Decoded:
    """Decode a photograph as `decode` does, and give its upright size as well.

    Whole numbers of 16 bits and more must lie within 0..65535 and are divided by 257. Floats are
    taken as 0..1, 0..255 or 0..65535, the first that holds them all. Anything else is refused: to
    stretch it between its extremes would let one pixel decide the brightness.
    """
    content = source if isinstance(source, bytes) else read_photo(source)
    if not content:
        raise DecodeError("empty file")
    try:
        image, size = _load_upright(content, 2 * preprocess.size_px)
        return Decoded(_fit(_to_rgb(image), preprocess), *size)
    except DecodeError:
        raise
    except Exception as error:  # damaged files raise nearly anything, SyntaxError included
        raise DecodeError(_reason(error, content)) from error


def read_header(path: Path) -> Header:
    """Read what a photograph is, without decoding it.

    The EXIF block of a PNG counts only where it precedes the pixels; to find a later one would decode them all.

    Raises:
        DecodeError: It is missing, no regular file, unreadable, or no photograph.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise DecodeError("not a regular file")
        with path.open("rb") as file, _without_warnings():
            image = Image.open(file, formats=FORMATS)
            return Header(image.format or "", image.mode, _orientation(image))
    except DecodeError:
        raise
    except UnidentifiedImageError as error:
        raise DecodeError("not an image") from error
    except (OSError, ValueError) as error:
        raise DecodeError(_why_unreadable(error)) from error
    except Exception as error:  # damaged files raise nearly anything, SyntaxError included
        raise DecodeError(f"damaged ({error})") from error


def read_shot(path: Path) -> tuple[str, datetime] | None:
    """Return which camera took a photograph, and when; None where its EXIF block does not say both or is rubbish."""
    with suppress(Exception), path.open("rb") as file, _without_warnings():
        exif = Image.open(file, formats=FORMATS).getexif()
        within = exif.get_ifd(_EXIF_BLOCK)
        taken = datetime.strptime(str(within.get(_EXIF_TAKEN, "")).strip("\0 "), "%Y:%m:%d %H:%M:%S")
        camera = [exif.get(_EXIF_MAKE), exif.get(_EXIF_MODEL), within.get(_EXIF_SERIAL)]
        return " ".join(str(text) for text in camera if text), taken
    return None


def read_photo(path: Path) -> bytes:
    """Read a file whole, without ever opening what is no regular file.

    Raises:
        DecodeError: It is missing, empty, too large, no regular file (a pipe would block for ever), or unreadable.
    """
    try:
        status = path.stat()
        content = path.read_bytes() if stat.S_ISREG(status.st_mode) and status.st_size <= MAX_BYTES else b""
    except (OSError, ValueError) as error:
        raise DecodeError(_why_unreadable(error)) from error
    if not stat.S_ISREG(status.st_mode):
        raise DecodeError("not a regular file")
    if status.st_size > MAX_BYTES:
        raise DecodeError(f"file too large (more than {MAX_BYTES >> 20} MiB)")
    if not content:
        raise DecodeError("empty file")
    return content


def _why_unreadable(error: OSError | ValueError) -> str:
    if isinstance(error, FileNotFoundError):
        return "missing, or a link to nothing"
    if isinstance(error, PermissionError):
        return "permission denied"
    return f"cannot be read ({getattr(error, 'strerror', None) or error})"


def _orientation(image: Image.Image) -> int:
    if image.format == "PNG" and "exif" not in image.info:  # Pillow would decode the pixels to look behind them
        return 1
    with suppress(Exception):  # rubbish in the EXIF block counts as none
        value = image.getexif().get(_EXIF_ORIENTATION, 1)
        return value if value in range(1, 9) else 1
    return 1


def _load_upright(content: bytes, wanted_px: int) -> tuple[Image.Image, tuple[int, int]]:
    """Return the first frame, turned by its EXIF orientation, and its full size before scaled decoding."""
    with _without_warnings():
        image = Image.open(io.BytesIO(content), formats=FORMATS)
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise DecodeError(_too_many_pixels())
    image.draft("RGB", (wanted_px, wanted_px))
    image.load()
    flat_size = image.size
    _turn(image)
    return image, (width, height) if image.size == flat_size else (height, width)


def _turn(image: Image.Image) -> None:
    """Apply the EXIF orientation in place; rubbish in the EXIF block counts as none."""
    with suppress(Exception), _without_warnings():  # the pixels are good, only their description is damaged
        ImageOps.exif_transpose(image, in_place=True)


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I") or image.mode == "F":
        return Image.fromarray(_to_eight_bits(np.asarray(image))).convert("RGB")
    if image.has_transparency_data:
        visible = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", visible.size, _WHITE), visible).convert("RGB")
    return image if image.mode == "RGB" else image.convert("RGB")


def _to_eight_bits(values: npt.NDArray[np.generic]) -> Pixels:
    numbers = values.astype(np.float64)
    low, high = float(numbers.min()), float(numbers.max())
    is_float = np.issubdtype(values.dtype, np.floating)
    ceilings = (1.0, 255.0, 65535.0) if is_float else (65535.0,)
    ceiling = next((ceiling for ceiling in ceilings if low >= 0 and high <= ceiling), None)
    if ceiling is None:
        raise DecodeError(f"values from {low:g} to {high:g}, outside 0 to 65535")
    return np.rint(numbers * (255.0 / ceiling)).astype(np.uint8)


def _fit(image: Image.Image, preprocess: Preprocess) -> Pixels:
    size = (preprocess.size_px, preprocess.size_px)
    if preprocess.resize == "pad":
        return _padded(image, preprocess)
    if preprocess.resize == "crop":
        return np.array(ImageOps.fit(image, size, method=Image.Resampling.BICUBIC))
    return np.array(image.resize(size, Image.Resampling.BICUBIC))


def _padded(image: Image.Image, preprocess: Preprocess) -> Pixels:
    side = preprocess.size_px
    scale = side / max(image.size)
    width, height = (max(1, round(length * scale)) for length in image.size)
    pixels = np.asarray(image.resize((width, height), Image.Resampling.BICUBIC))
    left, top = (side - width) // 2, (side - height) // 2
    borders = ((top, side - height - top), (left, side - width - left), (0, 0))
    return np.ascontiguousarray(np.pad(pixels, borders, mode=preprocess.pad_mode))


def _reason(error: Exception, content: bytes) -> str:
    text = str(error).lower()
    if isinstance(error, (Image.DecompressionBombError, Image.DecompressionBombWarning)):
        return _too_many_pixels()
    if isinstance(error, UnidentifiedImageError):
        if content.startswith(_SIGNATURES):
            return "damaged (an image by its first bytes, but its header makes no sense)"
        start = content[:64].lstrip().lower()
        return next((reason for magic, reason in _NOT_IMAGES.items() if start.startswith(magic)), "not an image")
    if isinstance(error, MemoryError):
        return "not enough memory"
    if "truncated" in text or "end of file" in text or _is_short_of_its_size(content):
        return "truncated"
    return f"damaged ({error})" if text else f"damaged ({type(error).__name__})"


def _is_short_of_its_size(content: bytes) -> bool:
    """Whether a WebP file is shorter than its header says, which Pillow does not tell from other damage."""
    return content[:4] == b"RIFF" and len(content) < 8 + int.from_bytes(content[4:8], "little")


def _too_many_pixels() -> str:
    return f"too many pixels (more than {MAX_PIXELS:,})"


@contextmanager
def _without_warnings() -> Iterator[None]:
    """Silence Pillow's remarks on odd headers, which must neither reach the user nor become errors.

    The filters of `warnings` belong to the process, so one thread at a time may swap them; only
    headers are read inside, and the decoding itself stays parallel.
    """
    with _WARNINGS, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
