"""Small photos in tar and Parquet files, as WebDataset and `datasets` write them."""

import io
import json
import tarfile

import numpy as np
import pytest
from PIL import Image


def tar(path, files):
    """A tar of (name, bytes), in this order."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as made:
        for name, data in files:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            made.addfile(info, io.BytesIO(data))
    return path


def parquet(path, rows, names=(), label="label", compression="snappy"):
    """A file as `datasets` writes it, of rows (class, file name, bytes); classes as numbers where they are named."""
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    path.parent.mkdir(parents=True, exist_ok=True)
    labels = [names.index(one) if names and one is not None else one for one, _, _ in rows]
    images = [{"bytes": data, "path": name} for _, name, data in rows]
    kind = pyarrow.struct({"bytes": pyarrow.binary(), "path": pyarrow.string()})
    table = pyarrow.table({"image": pyarrow.array(images, kind), label: pyarrow.array(labels)})
    if names:
        features = {"image": {"_type": "Image"}, label: {"names": list(names), "_type": "ClassLabel"}}
        table = table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    parquet.write_table(table, path, row_group_size=7, compression=compression)
    return path


def png(number, size=(20, 24)):
    pixels = np.random.default_rng(number).integers(0, 256, (*size, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()
