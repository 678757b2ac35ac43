"""Where decoded images and what else can be made again are kept."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs


def default_folder() -> Path:
    """Where decoded images are kept: $COMMONGARDEN_CACHE, or the user's cache folder."""
    wanted = os.environ.get("COMMONGARDEN_CACHE")
    return Path(wanted) if wanted else platformdirs.user_cache_path("commongarden") / "images"
