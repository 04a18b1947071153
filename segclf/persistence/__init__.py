"""Save and load estimators: JSON and arrays in one safetensors file, never pickle.

An estimator becomes its class's name, its constructor parameters and what it learned; whatever is
an array goes beside, the rest is JSON in the file's header. Loading is fitting without the
training: the constructor is called, networks are built from their recipes, arrays are filled in.
A file can name classes but brings no code, and it may only name classes that are trusted.
"""

from segclf.persistence.file import load, pack_value, read_value, save, write_value

__all__ = ["load", "pack_value", "read_value", "save", "write_value"]
