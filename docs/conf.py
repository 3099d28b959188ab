"""How Sphinx builds the documentation: ``tox run -e docs``, or as CONTRIBUTING.md says.

Nothing is fetched: there is no intersphinx, and fonts are the reader's own.
"""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

import redgrease  # noqa: E402

project = "redgrease"
author = "the redgrease authors"
copyright = f"2026, {author}"
version = release = redgrease.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
    "sphinx_inline_tabs",
]
source_suffix = {".md": "markdown", ".rst": "restructuredtext"}
exclude_patterns = ["_build"]

myst_enable_extensions = ["deflist"]
myst_heading_anchors = 4

# -- the API pages

autodoc_member_order = "bysource"
autodoc_typehints = "none"  # the docstrings say what arguments are
add_module_names = False
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True
napoleon_use_rtype = False
# Names of redis-py and the standard library, which have documentation of their own elsewhere.
nitpick_ignore_regex = [
    (
        "py:.*",
        r"(redis|redisgears|packaging|pickle|redgrease\.shipping)\..*"
        r"|InvalidRequirement|redgrease\.typing\.T",
    ),
]

# -- the pages

# What is copied has no prompts, and no output.
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True

html_theme = "furo"
html_title = f"redgrease {version}"
html_static_path = ["_static"]
html_css_files = ["redgrease.css"]
html_copy_source = False
html_theme_options = {
    "sidebar_hide_name": False,
    "navigation_with_keys": True,
}
pygments_style = "default"
pygments_dark_style = "github-dark"


def readable_signature(app, what, name, obj, options, signature, returns):
    """Show functions by their names, and defaults without a readable text as three dots."""
    if signature:
        signature = re.sub(r"=(Ellipsis|NOTHING)\b", "=...", signature)
        signature = re.sub(r"<function (\w+)[^>]*>", r"\1", signature)
    return signature, returns


def setup(app):
    """Called by Sphinx."""
    app.connect("autodoc-process-signature", readable_signature)
