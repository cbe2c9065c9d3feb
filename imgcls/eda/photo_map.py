"""The map of the photographs: what a network sees alike lies side by side, in two dimensions and in a Parquet file."""

from __future__ import annotations

import io
import json
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt

from imgcls.errors import DataError, RecordError
from imgcls.schema import from_json
from imgcls.storage import make_folder, write_bytes
from imgcls.text import as_utf8

if TYPE_CHECKING:
    from imgcls.data.cache import Photos
    from imgcls.data.samples import Samples
    from imgcls.eda.features import Features
    from imgcls.eda.scan import Scan

SCHEMA = 1
MAP_PARQUET = "map.parquet"
FEWEST = 8
"""Photographs that a map needs."""
MOST = 5000
"""Photographs that a map holds; of more, some are drawn by lot."""
N_COMPONENTS = 50
"""Dimensions that t-SNE sees (van der Maaten and Hinton 2008, section 4.2)."""
PERPLEXITY = 30.0
"""The number of neighbours that t-SNE attends to, where there are three times as many photographs."""
N_STEPS = 500
"""Steps of gradient descent; scikit-learn's default of 1,000 takes twice as long for clusters that look the same."""
MOST_IMAGE_BYTES = 8 << 20
"""What the small photographs of a map may take together."""
_N_THREADS = 2  # of more, the order in which their sums are added decides the last bits
_SIZES = ((64, 60), (48, 50), (32, 35), (24, 25))
_N_AT_ONCE = 256
_KEY = b"imgcls"
Floats32 = npt.NDArray[np.float32]
Rows = npt.NDArray[np.int64]


@dataclass(frozen=True)
class MapAbout:
    """What a map is of; kept in the Parquet file beside its columns."""

    name: str
    """The run, or the data set."""
    network: str
    """Whose features they are, as a sentence says it."""
    problem: str
    """`binary`, `multiclass` or `multilabel`."""
    classes: tuple[str, ...]
    """The classes, in the order of the data."""
    n_all: int
    """The photographs of train and validation, of which the map may hold a part."""
    size_px: int
    """The side of the squares that the network saw."""

    @classmethod
    def of(cls, samples: Samples, *, name: str, network: str, size_px: int) -> Self:
        """Return what a map of samples is of; the arguments are the fields."""
        n_all = int((samples.frame["split"] != "test").sum())
        return cls(as_utf8(name), network, samples.problem, samples.classes, n_all, size_px)


@dataclass(frozen=True)
class MapPoint:
    """One photograph of the map: a row of the Parquet file."""

    id: str
    """The id of the sample; empty where names are withheld."""
    path: str
    """Its file, relative to the folder of the data; empty where names are withheld."""
    label: str
    """Its label; several joined by "|"."""
    predicted: str | None
    """The answer of the run, or "not sure"; None where it gave none, as for what it was trained on."""
    confidence: float | None
    """The confidence of the answer, in [0, 1]."""
    right: bool | None
    """Whether the answer is the label; None where there is none, or where it is left to a person."""
    split: str
    """`train` or `valid`."""
    x: float
    """Its place; distances have no unit."""
    y: float
    """Its place."""
    image: bytes | None = field(default=None, repr=False)
    """The square that the network saw, small, as a WebP or JPEG file; None where photographs are withheld."""


@dataclass(frozen=True, eq=False)
class PhotoMap:
    """Photographs, each at the place where t-SNE puts the features that a network has of it."""

    about: MapAbout
    """What it is of."""
    points: tuple[MapPoint, ...]
    """The photographs, in the order of the data."""
    features: Floats32 | None = None
    """float32 [n, d], what the places were made of; None where that is not kept."""

    @property
    def n(self) -> int:
        """The number of photographs."""
        return len(self.points)

    @property
    def is_withheld(self) -> bool:
        """Whether neither photographs nor their names are in it."""
        return not any(point.id for point in self.points)

    def without_names(self) -> Self:
        """Return the map with dots only: without photographs, ids, files, and features, which tell a photograph too."""
        points = tuple(replace(point, id="", path="", image=None) for point in self.points)
        return replace(self, points=points, features=None)

    def write(self, file: Path) -> int:
        """Write it as a Parquet file, whole or not at all, and return its size in bytes.

        The columns are those of `MapPoint`; without names there is no id, path or image. With features there is a
        column of lists of them.

        Raises:
            ImgclsError: The file cannot be written.
        """
        import pyarrow as pa
        import pyarrow.parquet as pq

        columns = _schema(named=not self.is_withheld)
        table = pa.Table.from_pylist([asdict(point) for point in self.points], schema=columns)
        if self.features is not None:
            values = pa.array(self.features.reshape(-1), type=pa.float32())
            lists = pa.FixedSizeListArray.from_arrays(values, self.features.shape[1])
            table = table.append_column("features", lists.cast(pa.list_(pa.float32())))
        about = {"schema": SCHEMA, **asdict(self.about)}
        table = table.replace_schema_metadata({**(table.schema.metadata or {}), _KEY: json.dumps(about).encode()})
        content = io.BytesIO()
        pq.write_table(table, content)
        make_folder(file.parent)
        write_bytes(file, content.getbuffer())
        return content.tell()

    @classmethod
    def read(cls, file: Path) -> Self:
        """Read a map without its features.

        Raises:
            RecordError: There is none, or it is damaged.
        """
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            with pq.ParquetFile(file) as stored:
                known = stored.schema_arrow.metadata or {}
                named = "id" in stored.schema_arrow.names
                columns = _schema(named=named)
                table = stored.read(columns=columns.names)
                if table.schema.remove_metadata() != columns:
                    raise RecordError(f"{file} has other columns than a map. Make it again.")
                if not np.isfinite([table[name].to_numpy() for name in ("x", "y")]).all():
                    raise RecordError(f"{file} has photographs without a place. Make it again.")
                about = json.loads(known[_KEY])
        except (OSError, KeyError, ValueError, pa.ArrowException) as problem:
            raise RecordError(f"{file} cannot be read as a map: {problem}. Make it again.") from problem
        blank: dict[str, Any] = {} if named else {"id": "", "path": ""}
        points = tuple(MapPoint(**blank, **row) for row in table.to_pylist())
        return cls(from_json(MapAbout, about, where=str(file), schema=SCHEMA, remedy="Make it again."), points)


def read_map(folder: Path) -> PhotoMap | None:
    """Return the map that lies in a folder of reports; None where there is none.

    Raises:
        RecordError: It is damaged.
    """
    file = folder / MAP_PARQUET
    return PhotoMap.read(file) if file.exists() else None


def _schema(*, named: bool) -> Any:
    """Return the columns of the Parquet file."""
    import pyarrow as pa

    types = {
        "id": pa.string(),
        "path": pa.string(),
        "label": pa.string(),
        "predicted": pa.string(),
        "confidence": pa.float32(),
        "right": pa.bool_(),
        "split": pa.string(),
        "x": pa.float32(),
        "y": pa.float32(),
        "image": pa.binary(),
    }
    return pa.schema([(name, kind) for name, kind in types.items() if named or name not in ("id", "path", "image")])


def placed(samples: Samples, rows: Rows, features: Floats32, photos: Photos, store_rows: Rows) -> tuple[MapPoint, ...]:
    """Return photographs at their places on a map, which nobody has answered yet.

    Args:
        samples: The data.
        rows: int64 [n], their rows that are shown; none of test.
        features: float32 [n, d], what a network has of them.
        photos: The decoded store.
        store_rows: int64 [n], where it has them.

    Raises:
        DataError: There are too few, features are not finite, or a photograph cannot be read any more.
    """
    frame, places = samples.frame.iloc[rows], positions(features)
    columns = zip(frame["id"], frame["path"], frame["label"], frame["split"], strict=True)
    return tuple(
        MapPoint(
            id=as_utf8(name),
            path=as_utf8(samples.relative(path)),
            label=as_utf8(label),
            predicted=None,
            confidence=None,
            right=None,
            split=split,
            x=float(x),
            y=float(y),
            image=image,
        )
        for (name, path, label, split), (x, y), image in zip(
            columns, places, small_images(photos, store_rows), strict=True
        )
    )


def map_of_scan(scan: Scan, features: Features) -> PhotoMap:
    """Place the photographs of train and validation, of those that were looked at, by a pretrained network.

    Args:
        scan: The data.
        features: What the network has of some of them.

    Raises:
        DataError: There are too few.
    """
    shown = (scan.samples.frame["split"] != "test").to_numpy()[features.rows]
    rows, values = features.rows[shown], features.values[shown]
    about = MapAbout.of(
        scan.samples,
        name=scan.samples.name,
        network="a pretrained network that never saw these photographs",
        size_px=scan.photos.preprocess.size_px,
    )
    return PhotoMap(about, placed(scan.samples, rows, values, scan.photos, scan.store_rows[rows]))


def drawn_rows(samples: Samples, *, most: int = MOST) -> Rows:
    """Return the rows that a map holds, int64 [m], rising: validation first, then train, never test.

    Where there are more than `most` of a split, or than are left, they are drawn by lot, the same ones every time.
    """
    from imgcls.engine.seeding import order

    kept: list[Rows] = []
    for split in ("valid", "train"):
        rows, n_left = samples.rows(split), most - sum(map(len, kept))
        kept.append(rows[order(len(rows), "map", split)[:n_left]])
    return np.sort(np.concatenate(kept))


def positions(features: Floats32) -> Floats32:
    """Reduce features to places in two dimensions, by PCA and then t-SNE; the same bits every time.

    Args:
        features: float32 [n, d].

    Returns:
        float32 [n, 2]. Where all features are the same, so are all places.

    Raises:
        DataError: There are too few, or they are not finite.
    """
    from sklearn.manifold import TSNE
    from threadpoolctl import threadpool_limits

    from imgcls.eda.statistics import principal_components
    from imgcls.engine.seeding import keyed_seed

    n = len(features)
    if n < FEWEST:
        raise DataError(
            f"A map needs at least {FEWEST} photographs outside test; there {'is' if n == 1 else 'are'} {n}."
        )
    if not np.isfinite(features).all():
        raise DataError("The network has no finite features of some photographs, so that they cannot be placed.")
    reduced = principal_components(features, most=N_COMPONENTS, whiten=False, images_each=1)
    if not reduced.any():
        return np.zeros((n, 2), dtype=np.float32)
    if reduced.shape[1] == 1:  # t-SNE begins with two
        reduced = np.hstack([reduced, np.zeros_like(reduced)])
    tsne = TSNE(
        perplexity=min(PERPLEXITY, (n - 1) / 3),
        init="pca",
        max_iter=N_STEPS,
        random_state=keyed_seed("map") % 2**32,
    )
    with threadpool_limits(_N_THREADS):
        return np.asarray(tsne.fit_transform(reduced), dtype=np.float32)


def small_images(photos: Photos, store_rows: Rows) -> list[bytes]:
    """Return photographs as small files, as large as so many may be.

    Args:
        photos: The decoded store.
        store_rows: int64 [n], rows of it.
    """
    stored: list[bytes] = []
    for side, quality in _SIZES:
        stored = [
            _stored(square, side, quality)
            for start in range(0, len(store_rows), _N_AT_ONCE)
            for square in photos.pixels(store_rows[start : start + _N_AT_ONCE])
        ]
        if sum(map(len, stored)) <= MOST_IMAGE_BYTES:
            break
    return stored


def _stored(square: npt.NDArray[np.uint8], side: int, quality: int) -> bytes:
    from PIL import Image, features

    image, file = Image.fromarray(square), io.BytesIO()
    if image.width > side:
        image = image.resize((side, side), Image.Resampling.BOX, reducing_gap=2.0)
    image.save(file, "WEBP" if features.check("webp") else "JPEG", quality=quality)
    return file.getvalue()
