"""Build the site from the repository, without a network: ``sphinx-build -W docs build/site``."""

import os
import sys
import warnings
from pathlib import Path

DOCS = Path(__file__).parent
for folder in (DOCS.parent, DOCS, DOCS / "extensions", DOCS.parent / "plugins"):
    sys.path.insert(0, str(folder))

import api_pages

import segclf

os.environ.setdefault("MPLBACKEND", "Agg")
os.environ["SEGCLF_DOCS"] = "../.."  # from an example to the reference
warnings.filterwarnings("ignore", ".*is non-interactive", UserWarning)  # plt.show under Agg

project = "segclf"
author = "the segclf developers"
release = version = segclf.__version__
extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.intersphinx",
    "sphinx.ext.viewcode",
    "numpydoc",
    "myst_parser",
    "sphinx_copybutton",
    "sphinx_gallery.gen_gallery",
    "api_pages",
    "links",
    "sections",
    "source_pages",
]
exclude_patterns = [
    "auto_examples/**/*.ipynb",
    "auto_examples/**/*.py",
    "extensions",
    "inventories",
]
source_suffix = {".rst": "restructuredtext", ".md": "markdown", ".markdown": "markdown"}

# Pages are Markdown that is also read without Sphinx.
myst_heading_anchors = 4
myst_links_external_new_tab = False

# Docstrings.
default_role = "py:obj"
autodoc_default_options = {"members": True, "inherited-members": "Module"}
autodoc_typehints = "none"  # docstrings say types, shapes and units
autodoc_preserve_defaults = True
add_module_names = False
numpydoc_show_class_members = False
numpydoc_xref_param_type = True
numpydoc_xref_ignore = "all"  # but for these, and names that say where they are from
numpydoc_xref_aliases = {
    "array": "numpy.ndarray",
    "RandomState": "numpy.random.RandomState",
    "Tensor": "torch.Tensor",
    "tensor": "torch.Tensor",
    "nn.Module": "torch.nn.Module",
    "Bunch": "sklearn.utils.Bunch",
    **{name.rpartition(".")[2]: name for name in api_pages.public_names() if name[-1].isalpha()},
}

# Inventories of other projects, as local files: see inventories/make_inventories.py.
INVENTORIES = {
    "numpy": "https://numpy.org/doc/stable/",
    "python": "https://docs.python.org/3/",
    "sklearn": "https://scikit-learn.org/stable/",
    "torch": "https://docs.pytorch.org/docs/stable/",
}
intersphinx_mapping = {
    name: (url, str(DOCS / "inventories" / f"{name}.inv")) for name, url in INVENTORIES.items()
}
intersphinx_disabled_reftypes = ["std:doc"]

sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "auto_examples",
    "filename_pattern": ".*",
    "within_subsection_order": "ExampleTitleSortKey",
    "backreferences_dir": "api/examples",
    "doc_module": ("segclf",),
    "reference_url": {"segclf": None},
    "abort_on_example_error": True,
    "write_computation_times": False,
    "show_signature": False,
    "thumbnail_size": (480, 320),
    "capture_repr": ("_repr_html_", "__repr__"),
}

html_theme = "pydata_sphinx_theme"
html_title = "segclf"
html_favicon = "_static/icon.svg"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sourcelink = False
html_context = {"default_mode": "auto"}
html_theme_options = {
    "logo": {"text": "segclf", "image_light": "_static/icon.svg", "image_dark": "_static/icon.svg"},
    "header_links_before_dropdown": 6,
    "navbar_align": "left",
    "navigation_depth": 2,
    "show_toc_level": 2,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": ["sphinx-version"],
    "use_edit_page_button": False,
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
}
ALONE = ("index", "tutorial", "results", "which_method", "glossary", "migration", "search")
html_sidebars = {page: [] for page in ALONE}  # there is nothing below them to list
copyright = author
