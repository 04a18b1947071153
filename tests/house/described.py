"""What docstrings describe, read by other means than those that complete them."""

import inspect
import re


def sections(thing):
    """Text of each numpydoc section of the object's own docstring, by title."""
    written = vars(thing).get("__doc__") if inspect.isclass(thing) else thing.__doc__
    parts = re.split(r"^([^\n]+)\n-{3,}$", inspect.cleandoc(written or ""), flags=re.M)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def described(thing, section="Parameters"):
    """Names in a section of the object's own docstring, in order."""
    entries = re.findall(r"^(\S[^:\n]*)", sections(thing).get(section, ""), re.M)
    return [name.strip(" *") for entry in entries for name in entry.split(",")]


def texts(thing, section="Parameters"):
    """What a section of the object's own docstring says of each of its entries."""
    said, names = {}, []
    for line in sections(thing).get(section, "").splitlines():
        if line[:1].strip():
            names = [name.strip(" *") for name in line.partition(" :")[0].split(",")]
            said |= dict.fromkeys(names, "")
        else:
            said |= {name: f"{said[name]} {line.strip()}".strip() for name in names}
    return said


def fitted_attributes(estimator):
    """Public names that end in an underscore, and that the estimator has."""
    names = {name for kind in type(estimator).__mro__ for name in vars(kind)} | set(vars(estimator))
    public = {name for name in names if name.endswith("_") and not name.startswith("_")}
    return {name for name in public if hasattr(estimator, name)}
