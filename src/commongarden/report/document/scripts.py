"""The charts' scripts, in one piece for a page that opens offline. Making them from the package vl-convert takes
seconds, so they are kept in the user's cache folder.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
from importlib import metadata
from pathlib import Path

import altair
import platformdirs

from commongarden.errors import StoreError
from commongarden.store import write_atomically

EXPOSED = "window.vegaEmbed = vegaEmbed;"


@functools.cache
def bundle() -> str:
    """Vega, Vega-Lite and Vega-Embed; "</script" and "<!--" do not stand in it."""
    versions = f"vl-convert {metadata.version('vl-convert-python')}, Vega-Lite {altair.SCHEMA_VERSION}, {EXPOSED}"
    path = folder() / f"vega-{hashlib.sha256(versions.encode()).hexdigest()[:16]}.js"
    kept = _read(path)
    if kept is not None:
        return kept
    made = _made().replace("</script", "<\\/script").replace("<!--", "<\\!--")
    digest = hashlib.sha256(made.encode()).hexdigest()
    with contextlib.suppress(StoreError, OSError):  # a cache that cannot be written costs seconds and nothing else
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, f"// {digest}\n{made}".encode())
    return made


def folder() -> Path:
    """Where the scripts are kept: beside the decoded images."""
    wanted = os.environ.get("COMMONGARDEN_CACHE")
    return (Path(wanted) if wanted else platformdirs.user_cache_path("commongarden")) / "scripts"


def _read(path: Path) -> str | None:
    """The scripts in the file, if they are whole."""
    try:
        mark, _, text = path.read_bytes().decode().partition("\n")
    except (OSError, UnicodeDecodeError):
        return None
    return text if mark == f"// {hashlib.sha256(text.encode()).hexdigest()}" else None


def _made() -> str:
    import vl_convert

    script: str = vl_convert.javascript_bundle(EXPOSED, vl_version=vega_lite())
    return script


def vega_lite() -> str | None:
    """The version that the charts are written for; None, which takes the newest, where vl-convert has not that one."""
    import vl_convert

    wanted = altair.SCHEMA_VERSION.removeprefix("v").rpartition(".")[0]
    return wanted if wanted in vl_convert.get_vegalite_versions() else None
