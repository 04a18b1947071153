"""Broken plugins, each installed as by pip, and used."""

import importlib
import os
import random
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.hostile.worker import Case
from segclf import registry
from segclf.registry import list_plugins, make_plugin

HOOK = "from segclf.hookspecs import hookimpl\n@hookimpl\ndef segclf_thresholders():\n    "
CLASS = "\nclass Made:\n    def __init__(self):\n        "
#: Plugins are code and may do everything that code may do.
ALLOWED = ("code", "outside")
# Code that raises or changes something, tested in the four places where a plugin's code runs.
ACTIONS = {
    "exit": "raise SystemExit(3)",
    "error": "raise OSError('no disk')",
    "interrupt": "raise type('Stop', (KeyboardInterrupt,), {})()",
    "generator exit": "raise GeneratorExit",
    "odd": "raise type('Odd', (BaseException,), {})('odd')",
    "no text": "raise type('Mute', (Exception,), {'__str__': lambda self: 1 / 0})()",
    "recursion": "(lambda f: f(f))(lambda f: f(f))",
    "memory": "bytearray(2**60)",
    "assertion": "assert False",
    "import": "import no_such_module_anywhere",
    "filters": "import warnings; warnings.simplefilter('ignore')",
    "no filters": "import warnings; warnings.resetwarnings()",
    "dtype": "import torch; torch.set_default_dtype(torch.float64)",
    "device": "import torch; torch.set_default_device('meta')",
    "no gradients": "import torch; torch.set_grad_enabled(False)",
    "threads": "import torch; torch.set_num_threads(3)",
    "deterministic": "import torch; torch.use_deterministic_algorithms(True)",
    "precision": "import torch; torch.set_float32_matmul_precision('medium')",
    "seed of Python": "import random; random.seed(0)",
    "seed of numpy": "import numpy; numpy.random.seed(0)",
    "seed of torch": "import torch; torch.manual_seed(0)",
    "errors of numpy": "import numpy; numpy.seterr(all='raise')",
    "environment": "import os; os.environ['OMP_NUM_THREADS'] = '9'",
    "directory": "import os; os.chdir('/')",
    "recursion limit": "import sys; sys.setrecursionlimit(400)",
    "Ctrl-C": "import signal; signal.signal(2, signal.SIG_IGN)",
}
PLACES = {
    "import": "ACTION\n" + HOOK + "return {'made': 'MODULE:Made'}" + CLASS + "pass\n",
    "hook": HOOK + "ACTION; return {'made': 'MODULE:Made'}" + CLASS + "pass\n",
    "constructor": HOOK + "return {'made': 'MODULE:Made'}" + CLASS + "ACTION\n",
}
OTHERS = {
    "syntax": "def (",
    "no hook": "def segclf_thresholders(): return {}",
    "none": HOOK + "pass",
    "list": HOOK + "return ['made']",
    "a hook with arguments": HOOK.replace("()", "(images)") + "return {}",
    "an unknown hook": HOOK.replace("segclf_th", "segclf_t") + "return {}",
    "a name that is none": HOOK + "return {3: 'a:B', '': 'a:B', 'a:b': 'a:B'}",
    "a target that is none": HOOK + "return {'made': dict}",
    "a target elsewhere": HOOK + "return {'made': 'no.such.module:Made'}",
    "no class": HOOK + "return {'made': 'MODULE:made'}\nmade = 3",
    "arguments": HOOK
    + "return {'made': 'MODULE:Made'}\nclass Made:\n    def __init__(self, x): pass",
    "a name of ours": HOOK + "return {'otsu': 'MODULE:Made'}\nclass Made: pass",
    "many": HOOK + "return {str(n): 'a:B' for n in range(5000)}",
    "a dict that lies": HOOK
    + "return type('D', (dict,), {'items': lambda self: 1 / 0})(made='a:B')",
}


def prepare(folder: Path) -> list[tuple[str, str]]:
    """List all broken plugins; torch imports more when it is first asked to be deterministic."""
    torch.use_deterministic_algorithms(True)
    torch.use_deterministic_algorithms(False)
    made = [
        (f"{what}, in the {where}", code)
        for where, template in PLACES.items()
        for what, action in ACTIONS.items()
        for code in [template.replace("ACTION", action)]
    ]
    return [*made, *OTHERS.items()]


def make(
    honest: list[tuple[str, str]], folder: Path, number: int, rng: np.random.Generator
) -> Case:
    module = f"hostile_{os.getpid()}_{abs(number)}_{folder.name.replace('-', '_')}"
    family, code = honest[number % len(honest)]
    if number < 0:
        family, code = "honest", PLACES["import"].replace("ACTION", "pass")
    (folder / f"{module}.py").write_text(code.replace("MODULE", module))
    info = folder / f"{module}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Name: {module}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[segclf]\ndoor = {module}\n")
    return Case(family, module)


def run(honest: list[tuple[str, str]], folder: Path, case: Case) -> str:
    sys.path.insert(0, str(folder))
    importlib.invalidate_caches()
    registry._discover.cache_clear()
    before = _state()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", registry.GlobalStateWarning)
        try:
            found = [each for each in list_plugins() if each.distribution == case.name]
            made = make_plugin("thresholder", f"{case.name}:made")
        finally:
            sys.path.remove(str(folder))
            changed = [name for name, value in _state().items() if value != before[name]]
    told = [each for each in caught if case.name in str(each.message)]
    expected = not case.family.startswith(QUIET)
    right = type(made).__name__ == "Made" and found and bool(told) == expected and not changed
    return "accepted" if right else "wrong"


QUIET = ("honest", "a name of ours", "many")


def _state() -> dict[str, Any]:
    """Return the global state, independently of the registry's own code."""
    return {
        "random": random.getstate(),
        "numpy": np.random.get_state()[1].tolist(),  # noqa: NPY002
        "torch": torch.get_rng_state().tolist(),
        "dtype": torch.tensor(1.0).dtype,
        "device": torch.tensor(1.0).device,
        "gradients": torch.is_grad_enabled(),
        "threads": torch.get_num_threads(),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "precision": torch.get_float32_matmul_precision(),
        "errors": np.geterr(),
        "environment": dict(os.environ),
        "directory": os.getcwd(),
        "recursion": sys.getrecursionlimit(),
    }
