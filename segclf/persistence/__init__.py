"""Save and load estimators: JSON and arrays in one safetensors file, never pickle.

An estimator is stored as the name of its class, its constructor parameters and what it learned:
arrays are stored as such, the rest is JSON in the file's header. Loading works like fitting without
the training: the constructor is called, networks are built from their recipes, and arrays are
filled in. A file can name classes but contains no code, and it may only name trusted classes.
"""

from segclf.persistence.file import load, pack_value, read_value, save, write_value

__all__ = ["load", "pack_value", "read_value", "save", "write_value"]
