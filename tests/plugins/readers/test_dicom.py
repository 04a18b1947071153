"""DICOM files are read as pydicom reads them, in the order of positions, and discreetly."""

import logging
import pathlib
import struct
import traceback
import warnings

import numpy as np
import pytest

import segclf
from segclf.cache.digests import digest
from segclf.data import as_images, load_header, load_image, load_mask, slice_paths
from segclf.registry import make_plugin
from segclf.testing import check_reader

pydicom = pytest.importorskip("pydicom")
from dicom_files import MARK, OBLIQUE, dataset, enhanced, items, write, write_series  # noqa: E402
from pydicom import uid  # noqa: E402
from pydicom.pixels import (  # noqa: E402
    apply_color_lut,
    apply_modality_lut,
    apply_windowing,
    pixel_array,
)
from segclf_plugins.readers import DicomReader  # noqa: E402

FOLDER = pathlib.Path(pydicom.__file__).parent / "data" / "test_files"
GENERATOR = np.random.default_rng(0)
VOLUME = GENERATOR.integers(-1000, 1000, (6, 4, 5)).astype(np.int16)
READABLE = [
    *("693_J2KI.dcm", "CT_small.dcm", "ExplVR_BigEnd.dcm", "GDCMJ2K_TextGBR.dcm", "JPEG2000.dcm"),
    *("J2K_pixelrep_mismatch.dcm", "JPEGLSNearLossless_08.dcm", "JPEGLSNearLossless_16.dcm"),
    *(f"MR_small{kind}.dcm" for kind in ("", "_RLE", "_bigendian", "_expb", "_implicit")),
    *(f"MR_small{kind}.dcm" for kind in ("_jp2klossless", "_jpeg_ls_lossless", "_padded")),
    *("SC_jpeg_no_color_transform.dcm", "SC_rgb_dcmtk_+eb+cr.dcm", "SC_rgb_dcmtk_+eb+cy+n1.dcm"),
    *(f"SC_rgb_dcmtk_+eb+cy+{kind}.dcm" for kind in ("n2", "np", "s2", "s4")),
    *("SC_rgb_gdcm_KY.dcm", "SC_rgb_jls_lossy_line.dcm", "SC_rgb_jls_lossy_sample.dcm"),
    *("SC_rgb_jpeg.dcm", "SC_rgb_jpeg_app14_dcmd.dcm", "SC_rgb_jpeg_lossy_gdcm.dcm"),
    *("SC_rgb_rle.dcm", "SC_rgb_rle_16bit.dcm", "SC_rgb_rle_16bit_2frame.dcm"),
    *("SC_rgb_small_odd.dcm", "SC_rgb_small_odd_big_endian.dcm", "SC_rgb_small_odd_jpeg.dcm"),
    *("SC_ybr_full_422_uncompressed.dcm", "examples_overlay.dcm", "examples_palette.dcm"),
    *("examples_jpeg2k.dcm", "examples_rgb_color.dcm", "examples_ybr_color.dcm"),
    "dicomdirtests/77654033/CT2/17106",
]
REFUSED = {
    "JPGExtended.dcm": r"JPEG Extended \(Process 2 and 4\), 12 bits.*no free decoder",
    "SC_rgb_jpeg_gdcm.dcm": r"JPEG Lossless, .*has no decoder here",
    "SC_rgb_rle_32bit.dcm": "32 of 32 bits",
    "image_dfl.dcm": "Deflated Explicit VR, is not supported",
    "rtplan.dcm": "it has no image; its kind is RT Plan Storage",
    "no_meta.dcm": "'DICM' is missing at byte 128",
    "MR_truncated.dcm": "are damaged",
    "badVR.dcm": "it is damaged",
}


@pytest.fixture(autouse=True)
def _pydicoms_own_warnings():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@pytest.mark.parametrize("name", READABLE)
def test_pydicoms_own_files(name):
    data = pydicom.dcmread(FOLDER / name)
    expected = pixel_array(data)
    if data.PhotometricInterpretation == "PALETTE COLOR":
        expected = apply_color_lut(expected, data)
    else:
        expected = apply_modality_lut(expected, data).astype(np.float32)
    image, header = load_image(FOLDER / name), load_header(FOLDER / name)
    array = image.array if image.array.shape[-1] == 3 else image.array[..., 0]
    np.testing.assert_array_equal(array, expected)
    assert image.array.dtype == header.dtype
    assert image.axes == ("hwc" if header.depth is None else "dhwc")


@pytest.mark.parametrize(("name", "message"), REFUSED.items())
def test_what_cannot_be_read_is_named(name, message):
    with pytest.raises(ValueError, match=rf"{name}.*{message}"):
        load_image(FOLDER / name)


@pytest.mark.parametrize("bits", [8, 10, 12, 16])
@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
def test_gray_values(tmp_path, bits, signed, photometric):
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1)) if signed else (0, 2**bits)
    values = GENERATOR.integers(low, high, (4, 5))
    values[0, :2] = low, high - 1
    dtype = np.dtype(f"{'i' if signed else 'u'}{1 if bits == 8 else 2}")
    about = {"PhotometricInterpretation": photometric, "BitsStored": bits}
    path = write(tmp_path / "a.dcm", values.astype(dtype), **about)
    expected = low + high - 1 - values if photometric == "MONOCHROME1" else values
    image = load_image(path)
    assert image.array.dtype == dtype
    np.testing.assert_array_equal(image.array[..., 0], expected)
    path = write(
        tmp_path / "b.dcm", values.astype(dtype), RescaleSlope="0.5", RescaleIntercept="-7", **about
    )
    image = load_image(path)
    assert image.array.dtype == load_header(path).dtype == np.float32
    np.testing.assert_array_equal(image.array[..., 0], expected * 0.5 - 7)
    np.testing.assert_array_equal(load_mask(path).array, values)


def test_bits_above_those_stored_do_not_count(tmp_path):
    values = GENERATOR.integers(0, 2**12, (4, 5)).astype(np.uint16)
    path = write(tmp_path / "a.dcm", values | 0x8000, BitsStored=12)
    np.testing.assert_array_equal(load_image(path).array[..., 0], values)


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
def test_a_window_is_applied_where_it_is_asked_for(tmp_path, photometric):
    values = GENERATOR.integers(0, 2**12, (9, 11)).astype(np.uint16)
    about = {"PhotometricInterpretation": photometric, "BitsStored": 12}
    about |= {"RescaleSlope": 1, "RescaleIntercept": -1024, "WindowCenter": [40, 50]}
    path = write(tmp_path / "a.dcm", values, WindowWidth=[400, 350], **about)
    assert load_image(path).array.min() < -500
    for function in ("LINEAR", "LINEAR_EXACT", "SIGMOID"):
        data = dataset(values, WindowWidth=[400, 350], VOILUTFunction=function, **about)
        data.save_as(path, enforce_file_format=True)
        hounsfield = apply_modality_lut(values, data)
        expected = (apply_windowing(hounsfield, data) + 1024) / 4095
        expected = 1 - expected if photometric == "MONOCHROME1" else expected
        shown = load_image(path, reader=DicomReader(window="file")).array
        assert shown.dtype == np.float32
        np.testing.assert_allclose(shown[..., 0], expected, atol=1e-6)
    data = dataset(values, WindowWidth=[100, 350], **about | {"WindowCenter": [-200, 0]})
    expected = (apply_windowing(apply_modality_lut(values, data), data) + 1024) / 4095
    expected = 1 - expected if photometric == "MONOCHROME1" else expected
    shown = load_image(path, reader=DicomReader(window=(-200, 100))).array
    np.testing.assert_allclose(shown[..., 0], expected, atol=1e-6)
    images = as_images([path], reader=DicomReader(window=(-200, 100)))
    np.testing.assert_array_equal(images[0], shown)
    with pytest.raises(ValueError, match="it has no window"):
        load_image(write(path, values), reader=DicomReader(window="file"))


@pytest.mark.parametrize(
    "syntax", [uid.RLELossless, uid.JPEGLSLossless, uid.JPEG2000Lossless], ids=lambda s: s.keyword
)
def test_damaged_codestreams_are_refused(tmp_path, syntax):
    data = dataset(np.arange(40 * 48, dtype=np.int16).reshape(40, 48))
    data.compress(syntax, generate_instance_uid=False)
    data.save_as(tmp_path / "whole.dcm", enforce_file_format=True)
    whole, random = (tmp_path / "whole.dcm").read_bytes(), np.random.default_rng(0)
    first = whole.find(b"\xfe\xff\x00\xe0", whole.find(b"\xe0\x7f\x10\x00")) + 16
    refused = 0
    for _ in range(20):
        content = bytearray(whole)
        start = int(random.integers(first + 64, len(whole) - 64))
        content[start : start + 40] = bytes(40)
        (tmp_path / "damaged.dcm").write_bytes(content)
        try:
            load_image(tmp_path / "damaged.dcm")
        except ValueError as error:
            assert "damaged.dcm" in str(error)  # noqa: PT017
            refused += 1
    assert refused


@pytest.mark.parametrize(
    "syntax", [uid.RLELossless, uid.JPEGLSLossless, uid.JPEG2000Lossless], ids=lambda s: s.keyword
)
def test_compressed_here(tmp_path, syntax):
    gray = GENERATOR.integers(-1000, 1000, (33, 40)).astype(np.int16)
    for array in (gray, GENERATOR.integers(0, 256, (33, 40, 3)).astype(np.uint8)):
        data = dataset(array)
        data.compress(syntax, generate_instance_uid=False)
        data.save_as(tmp_path / "a.dcm", enforce_file_format=True)
        image = load_image(tmp_path / "a.dcm").array
        np.testing.assert_array_equal(image if array.shape[-1] == 3 else image[..., 0], array)


def test_a_folder_is_a_volume_in_the_order_of_positions(tmp_path):
    paths = write_series(tmp_path / "scan", VOLUME)
    assert [path.name for path in paths] != sorted(path.name for path in paths)
    (tmp_path / "scan" / ".hidden").write_bytes(b"")
    (tmp_path / "scan" / "DICOMDIR").write_bytes(b"")
    for given in (tmp_path / "scan", paths[::-1], sorted(paths)):
        volume, header = load_image(given), load_header(given)
        assert volume.axes == "dhwc"
        np.testing.assert_array_equal(volume.array[..., 0], VOLUME)
        np.testing.assert_allclose(volume.spacing, (2.5, 0.5, 0.75), rtol=1e-5)
        assert (header.depth, header.height, header.width) == VOLUME.shape
    normal = np.cross(OBLIQUE[:3], OBLIQUE[3:])
    corner = np.array([10, 20, 30]) + 2 * 2.5 * normal
    corner += 3 * 0.5 * np.array(OBLIQUE[3:]) + 4 * 0.75 * np.array(OBLIQUE[:3])
    right_front_head = [-corner[0], -corner[1], corner[2]]
    np.testing.assert_allclose((header.affine @ [2, 3, 4, 1])[:3], right_front_head, atol=1e-4)
    images = as_images(slice_paths(tmp_path / "scan"))
    np.testing.assert_array_equal(np.stack(list(images))[..., 0], VOLUME)
    images = as_images(paths)
    np.testing.assert_array_equal(np.stack(list(images))[..., 0], VOLUME)
    np.testing.assert_allclose(
        load_header(paths[2]).affine[:, 1:],
        (header.affine + 2 * np.outer(header.affine[:, 0], [0, 0, 0, 1]))[:, 1:],
        atol=1e-4,
    )
    with pytest.raises(ValueError, match=r"Image 0: .*scan.* 6 slices of 4 x 5"):
        as_images([tmp_path / "scan"])


def test_slices_that_differ_in_slope_are_of_one_type(tmp_path):
    write_series(tmp_path / "scan", VOLUME)
    first = sorted((tmp_path / "scan").iterdir())[0]
    data = pydicom.dcmread(first)
    data.RescaleSlope, data.RescaleIntercept = 2, 1
    data.save_as(first)
    volume = load_image(tmp_path / "scan").array[..., 0]
    z = data.InstanceNumber - 1
    assert volume.dtype == load_header(tmp_path / "scan").dtype == np.float32
    np.testing.assert_array_equal(volume[z], VOLUME[z] * 2.0 + 1)
    np.testing.assert_array_equal(np.delete(volume, z, 0), np.delete(VOLUME, z, 0))


def changed(paths, number, **attributes):
    data = pydicom.dcmread(paths[number])
    for name, value in attributes.items():
        setattr(data, name, value)
    data.save_as(paths[number])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda p: p[3].unlink(), r"not evenly spaced: 5 mm between 'IM.*is one missing"),
        (lambda p: changed(p, 3, ImagePositionPatient=[10, 20, 30]), "have the same position"),
        (lambda p: changed(p, 3, SeriesInstanceUID="1.2.3"), "is of another series"),
        (
            lambda p: changed(p, 3, ImageOrientationPatient=[1, 0, 0, 0, 1, 0]),
            "another orientation",
        ),
        (lambda p: changed(p, 3, PixelSpacing=[0.5, 0.7]), "another pixel spacing"),
        (lambda p: changed(p, 3, Rows=2, PixelData=b"\0" * 20), "2 rows, .* 4"),
        (lambda p: changed(p, 3, ImagePositionPatient=None), "of its files have no position"),
        (lambda p: (p[0].parent / "notes.txt").write_text("x"), "is not a DICOM file"),
    ],
)
def test_what_is_no_volume_is_refused(tmp_path, change, message):
    paths = write_series(tmp_path / "scan", VOLUME)
    assert load_header(tmp_path / "scan").depth == 6
    change(paths)
    with pytest.raises(ValueError, match=rf"Cannot read '.*scan': .*{message}") as caught:
        load_image(tmp_path / "scan")
    assert "1.2.826" not in str(caught.value)


def test_a_tilted_gantry_is_refused(tmp_path):
    paths = write_series(tmp_path / "scan", VOLUME, directions=[1, 0, 0, 0, 1, 0])
    for z, path in enumerate(paths):
        changed([path], 0, ImagePositionPatient=[0, z * 0.8, z * 2.5])
    with pytest.raises(ValueError, match="tilted gantry"):
        load_image(tmp_path / "scan")


def test_enhanced_multi_frame(tmp_path):
    order = [3, 0, 5, 1, 4, 2]
    path = tmp_path / "a.dcm"
    data = enhanced(VOLUME[order], 2.5 * np.array(order), slope=2)
    data.save_as(path, enforce_file_format=True)
    volume = load_image(path)
    np.testing.assert_array_equal(volume.array[..., 0], VOLUME * 2.0 - 5)
    np.testing.assert_allclose(volume.spacing, (2.5, 0.5, 0.75), rtol=1e-5)
    for z in (0, 4):
        np.testing.assert_array_equal(load_image(f"{path}[z={z}]").array, volume.array[z])
    check_reader(make_plugin("reader", "dicom"), path, mask=True)
    for change, message in (
        ({"PlanePositionSequence": items(ImagePositionPatient=[0, 0, 0])}, "frame . and frame ."),
        ({"PixelMeasuresSequence": items(PixelSpacing=[1, 1])}, "PixelMeasuresSequence for 6"),
    ):
        data = enhanced(VOLUME, 2.5 * np.arange(6))
        for name, value in change.items():
            setattr(data.PerFrameFunctionalGroupsSequence[4], name, value)
        data.save_as(path, enforce_file_format=True)
        with pytest.raises(ValueError, match=message):
            load_image(path)
    data = enhanced(VOLUME, 2.5 * np.arange(6))
    for number, frame in enumerate(data.PerFrameFunctionalGroupsSequence):
        frame.PixelValueTransformationSequence = items(RescaleSlope=number + 1, RescaleIntercept=0)
    data.save_as(path, enforce_file_format=True)
    with pytest.raises(ValueError, match="differ in rescale slope"):
        load_image(path)


def test_frames_that_lie_nowhere_keep_their_order(tmp_path):
    path = write(tmp_path / "cine.dcm", VOLUME, NumberOfFrames=6)
    volume = load_image(path)
    np.testing.assert_array_equal(volume.array[..., 0], VOLUME)
    assert (volume.spacing, volume.affine) == (None, None)


def test_files_without_a_suffix(tmp_path):
    write(tmp_path / "IM0001", VOLUME[0])
    np.testing.assert_array_equal(as_images([tmp_path / "IM0001"])[0][..., 0], VOLUME[0])


def test_sizes_are_checked_before_decoding(tmp_path, monkeypatch):
    data = dataset(GENERATOR.integers(0, 1000, (33, 40)).astype(np.uint16))
    data.compress(uid.JPEG2000Lossless, generate_instance_uid=False)
    data.save_as(tmp_path / "a.dcm", enforce_file_format=True)
    content = (tmp_path / "a.dcm").read_bytes()
    at = content.index(b"\xff\x4f\xff\x51") + 8
    giant = content[:at] + struct.pack(">2I", 60000, 60000) + content[at + 8 :]
    (tmp_path / "a.dcm").write_bytes(giant)
    write(tmp_path / "b.dcm", VOLUME[0], Rows=65535, Columns=65535)

    def never(*_, **__):
        raise AssertionError("decoded")

    monkeypatch.setattr("pydicom.pixels.pixel_array", never)
    with pytest.raises(ValueError, match=r"a\.dcm.*60000 x 60000, but its header says 33 x 40"):
        load_image(tmp_path / "a.dcm")
    with pytest.raises(ValueError, match=r"b\.dcm.*1 x 65535 x 65535 x 1 values"):
        load_image(tmp_path / "b.dcm")


def test_what_would_be_read_wrongly_is_refused(tmp_path):
    for attributes, message in (
        ({"PhotometricInterpretation": "HSV"}, "its colours, HSV, are not supported"),
        ({"DoseGridScaling": "0.1"}, "a dose"),
        ({"RescaleSlope": 0, "RescaleIntercept": 0}, "slope and intercept are 0"),
    ):
        path = write(tmp_path / "a.dcm", VOLUME[0], **attributes)
        with pytest.raises(ValueError, match=message):
            load_image(path)
    data = dataset(VOLUME[0], BitsStored=12)
    data.HighBit = 13
    data.save_as(path, enforce_file_format=True)
    with pytest.raises(ValueError, match="high bit is 13"):
        load_image(path)


def chain_of(error):
    """An error and all those that it hides."""
    found = []
    while error is not None:
        found.append(error)
        error = error.__cause__ or error.__context__
    return found


def test_nothing_of_the_patient_leaves_the_reader(tmp_path, caplog):
    caplog.set_level(logging.DEBUG)
    path = tmp_path / "a.dcm"
    content = write(path, VOLUME[0]).read_bytes()
    said = [
        repr(load_image(path)),
        repr(load_header(path)),
        repr(vars(make_plugin("reader", "dicom"))),
    ]
    lengths = range(132, len(content), 31)
    damaged = [content[:length] for length in lengths]
    for _ in range(50):
        bytes_ = bytearray(content)
        for at in GENERATOR.integers(132, len(content), 6).tolist():
            bytes_[at] = int(GENERATOR.integers(256))
        damaged.append(bytes(bytes_))
    errors = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for each in damaged:
            path.write_bytes(each)
            for read in (load_image, load_header, load_mask):
                try:
                    said.append(repr(read(path)))
                except ValueError as error:
                    errors.append(error)
    assert len(errors) > 100
    assert all("a.dcm" in str(error) for error in errors)
    said += ["".join(traceback.format_exception(error)) for error in errors]
    said += [repr(each) for error in errors for each in chain_of(error)]
    said += [str(each.message) for each in caught] + [
        record.getMessage() for record in caplog.records
    ]
    assert [text for text in said if "MARK" in text or "^PAT" in text or "197001" in text] == []
    assert not logging.getLogger("pydicom").disabled


def test_nothing_of_the_patient_is_saved(tmp_path):
    paths = write_series(
        tmp_path / "scan", GENERATOR.integers(0, 256, (4, 16, 16)).astype(np.uint8)
    )
    assert MARK.encode() in paths[0].read_bytes()
    classifier = segclf.ImageClassifier(encoder="tiny", max_epochs=1, random_state=0)
    classifier.fit(paths, [0, 1, 0, 1])
    segclf.save(classifier, tmp_path / "model.segclf")
    saved = (tmp_path / "model.segclf").read_bytes()
    assert MARK.encode() not in saved
    assert b"1.2.826.0.1.3680043" not in saved
    assert digest(str(paths[0])) != digest(str(paths[1]))


def test_a_missing_extra_is_named(tmp_path, monkeypatch):
    path = write(tmp_path / "a.dcm", VOLUME[0])
    monkeypatch.setitem(__import__("sys").modules, "pydicom", None)
    with pytest.raises(ValueError, match=r"a\.dcm.*pydicom is needed.*'segclf\[medical\]'"):
        load_image(path)


def test_conformance(tmp_path):
    check_reader(make_plugin("reader", "dicom"), write(tmp_path / "a.dcm", VOLUME[0]), mask=True)
