"""Sphinx's settings. `make docs` builds the pages into docs/_build, with warnings as errors."""

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

from generate import bench_table  # noqa: E402  (this folder is no package)

project = "cOTA"
author = "The cOTA authors"
project_copyright = "The cOTA authors"
extensions = ["myst_parser"]
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = "cOTA"
html_show_sphinx = False
myst_enable_extensions = ["deflist", "substitution"]
myst_heading_anchors = 3
# Measured figures are read where they are kept, never copied by hand.
myst_substitutions = {"bench_table": bench_table(HERE.parent / "bench" / "results.json")}
