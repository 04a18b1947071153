"""Files that are validated before they are read: headers must match the bytes."""

from segclf.files.container import Container, read_container
from segclf.files.plain_pickle import StoredTensor, read_program
from segclf.files.regular import open_regular, require_inside

__all__ = [
    "Container",
    "StoredTensor",
    "open_regular",
    "read_container",
    "read_program",
    "require_inside",
]
