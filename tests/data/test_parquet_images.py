import io
import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

from segclf.data import ParquetImages, as_images

pa = pytest.importorskip("pyarrow")
parquet = pytest.importorskip("pyarrow.parquet")

ARRAYS = np.random.default_rng(0).integers(0, 256, (7, 4, 5, 3), dtype=np.uint8)


def encoded(array):
    file = io.BytesIO()
    Image.fromarray(array).save(file, "PNG")
    return file.getvalue()


PNGS = [encoded(array) for array in ARRAYS]


@pytest.fixture(params=[pa.binary(), pa.large_binary(), "struct"])
def paths(request, tmp_path):
    kind, values = request.param, PNGS
    if kind == "struct":  # as Hugging Face's datasets write them
        kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
        values = [{"bytes": each, "path": None} for each in PNGS]
    found = []
    for name, rows in (("a", slice(0, 5)), ("b", slice(5, 7))):
        found.append(tmp_path / f"{name}.parquet")
        columns = {"image": pa.array(values[rows], kind), "label": list(range(7))[rows]}
        parquet.write_table(pa.table(columns), found[-1], row_group_size=2)
    return found


def test_images_come_in_order_and_in_any_other(paths):
    images = ParquetImages(paths)
    order = [6, 0, 3, 3, 1, 5, 4, 2]
    for index in [*range(7), *order]:
        np.testing.assert_array_equal(images[index], ARRAYS[index])
    assert images.key(6) == f"{paths[1]}[1]"
    assert images.file(6) == str(paths[1])
    part = pickle.loads(pickle.dumps(images[order]))
    with ThreadPoolExecutor(4) as pool:
        for index, image in zip(order, pool.map(part.__getitem__, range(8)), strict=True):
            np.testing.assert_array_equal(image, ARRAYS[index])
    assert as_images(images).sizes().tolist() == [[4, 5]] * 7


def test_in_order_each_row_group_is_read_once(paths, monkeypatch):
    images, read, counts = ParquetImages(paths), parquet.ParquetFile.read_row_group, []

    def counted(self, group, **options):
        counts.append(group)
        return read(self, group, **options)

    monkeypatch.setattr(parquet.ParquetFile, "read_row_group", counted)
    for index in range(7):
        images[index]
    assert counts == [0, 1, 2, 0]


def test_the_column_is_found_or_asked_for(tmp_path):
    path = tmp_path / "a.parquet"
    columns = {"one": pa.array(PNGS), "two": pa.array([None, *PNGS[1:]]), "label": list(range(7))}
    parquet.write_table(pa.table(columns), path)
    with pytest.raises(ValueError, match=r"of which one, two hold bytes; expected one column"):
        ParquetImages(path)
    with pytest.raises(ValueError, match=r"expected a column 'label' of bytes"):
        ParquetImages(path, column="label")
    np.testing.assert_array_equal(ParquetImages(path, column="one")[0], ARRAYS[0])
    with pytest.raises(ValueError, match=r"Cannot read '.*\[0\]': the row holds no bytes"):
        ParquetImages(path, column="two")[0]


def test_what_is_no_parquet_is_refused(tmp_path):
    (tmp_path / "a.parquet").write_bytes(b"PAR1 or not")
    with pytest.raises(ValueError, match=r"Cannot read '.*a\.parquet'"):
        ParquetImages(tmp_path / "a.parquet")
