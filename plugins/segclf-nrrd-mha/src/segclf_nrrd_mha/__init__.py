"""NRRD and MetaImage files for segclf. Nothing heavy is imported here."""

from segclf.hookspecs import hookimpl


@hookimpl
def segclf_readers() -> dict[str, tuple[str, list[str]]]:
    """Offer readers, with the suffixes of their files."""
    return {
        "nrrd": ("segclf_nrrd_mha.nrrd:NrrdReader", [".nrrd", ".nhdr"]),
        "metaimage": ("segclf_nrrd_mha.metaimage:MetaImageReader", [".mha", ".mhd"]),
    }
