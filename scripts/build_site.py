"""Builds the documentation site, in English and Korean, in build/site: make docs

Pages are first written into build/docs: docs/ as it is, with links to files outside of it as plain text; the command
line reference, from the commands; the notebooks, as pages beside the files to download. Then MkDocs builds the site,
where any warning is an error, and every link and picture of the built pages is looked up.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

ROOT = Path(__file__).resolve().parents[1]
DOCS, PAGES, SITE = ROOT / "docs", ROOT / "build" / "docs", ROOT / "build" / "site"
OUTSIDE = re.compile(r"\[([^\]]+)\]\((?:\.\./)+(?!docs/)[^)]*\)")
SWITCH = re.compile(r"^(?:\*\*English\*\* · \[한국어\].*|\[English\].* · \*\*한국어\*\*)\n\n", re.MULTILINE)
PICTURE = re.compile(r'<img src="([^"]+)" alt="([^"]*)"[^>]*>')
DOWNLOAD = {"en": "Download this notebook", "ko": "노트북 내려받기"}


def write_pages(docs: Path = DOCS, pages: Path = PAGES) -> None:
    """All that MkDocs reads, written to `pages`."""
    sys.path.insert(0, str(Path(__file__).parent))
    from command_reference import page
    from commongarden.i18n import language

    shutil.rmtree(pages, ignore_errors=True)
    shutil.copytree(docs, pages)
    for path in pages.rglob("*.md"):
        path.write_text(within_site(path, pages, path.read_text(encoding="utf-8")), encoding="utf-8")
    for spoken, ending in (("en", ".md"), ("ko", ".ko.md")):
        with language.used(spoken):
            (pages / "reference" / f"commands{ending}").write_text(page(), encoding="utf-8")
        for notebook in sorted((pages / "notebooks").glob("*.ipynb")):
            text = notebook_page(json.loads(notebook.read_text(encoding="utf-8")), notebook.name, DOWNLOAD[spoken])
            notebook.with_suffix(ending).write_text(text, encoding="utf-8")


def within_site(path: Path, pages: Path, text: str) -> str:
    """A page's text as the site needs it: links to files beside docs/, which the site has not, are their text alone;
    the line that leads to the other language is left out; pictures are in Markdown, whose links MkDocs corrects."""
    inside = len(path.relative_to(pages).parts) - 1
    text = OUTSIDE.sub(lambda link: link[1] if link[0].partition("](")[2].count("../") > inside else link[0], text)
    return PICTURE.sub(r"![\2](\1)", SWITCH.sub("", text))


def notebook_page(notebook: dict, name: str, download: str) -> str:
    """A notebook as Markdown: its text, its code, and what the code printed when it was last run."""
    title, *rest = (part for cell in notebook["cells"] for part in cell_lines(cell))
    return "\n\n".join([title, f"[{download}]({name}){{ .md-button download }}", *rest]) + "\n"


def cell_lines(cell: dict) -> Iterator[str]:
    """The Markdown of one cell."""
    source = "".join(cell["source"])
    if cell["cell_type"] == "markdown":
        title, _, rest = source.partition("\n\n")
        yield from (title, rest) if rest else (title,)
    elif source:
        yield fenced(source, "python")
    for output in cell.get("outputs", ()):
        data = output.get("data", {})
        text = output.get("text") or data.get("text/plain")
        if "image/png" in data:
            yield f'<img alt="" src="data:image/png;base64,{"".join(data["image/png"]).strip()}">'
        elif text:
            yield fenced("".join(text).rstrip(), "text")


def fenced(text: str, kind: str) -> str:
    fence = "````" if "```" in text else "```"
    return f"{fence}{kind}\n{text}\n{fence}"


class Page(HTMLParser):
    """The links and the anchors of a built page."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.anchors: set[str] = set()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        for key, value in attributes:
            if key in ("href", "src") and value:
                self.links.append(value)
            elif key in ("id", "name") and value:
                self.anchors.add(value)


def broken_links(site: Path) -> list[str]:
    """`page: link` for each link within the built site that leads nowhere, and for each file asked of another host."""
    pages = {path.resolve(): Page(path) for path in sorted(site.rglob("*.html"))}
    found = []
    for path, page in pages.items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            target = target / "index.html" if target.is_dir() else target
            is_there = target.exists() and (
                not parts.fragment or target not in pages or unquote(parts.fragment) in pages[target].anchors
            )
            # the page for addresses that do not exist is served from any of them, so its links begin at the root
            if not is_there and path.name != "404.html" and parts.fragment != "__skip":
                found.append(f"{path.relative_to(site.resolve())}: {link}")
    return found


def mend_sitemap(site: Path) -> None:
    """Makes addresses relative, since the site has no host of its own yet; each language asks for a sitemap."""
    text = (site / "sitemap.xml").read_text(encoding="utf-8").replace(">None", ">").replace('"None', '"')
    for folder in (site, site / "ko"):
        (folder / "sitemap.xml").write_text(text, encoding="utf-8")
    (site / "sitemap.xml.gz").unlink(missing_ok=True)


def name_search(site: Path) -> None:
    """Names the theme's search for screen readers, which it leaves without a name."""
    for path in site.rglob("*.html"):
        label = "검색" if path.is_relative_to(site / "ko") else "Search"
        unnamed = 'data-md-component="search" role="dialog"'
        text = path.read_text(encoding="utf-8")
        path.write_text(text.replace(unnamed, f'{unnamed} aria-label="{label}"'), encoding="utf-8")


def main() -> int:
    write_pages()
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    built = subprocess.run([sys.executable, "-m", "mkdocs", "build", "--clean"], cwd=ROOT, env=environment)
    if built.returncode:
        return built.returncode
    mend_sitemap(SITE)
    name_search(SITE)
    broken = broken_links(SITE)
    for line in broken:
        print(f"broken link: {line}", file=sys.stderr)
    print(f"{SITE / 'index.html'} (search needs a server: python -m http.server -d build/site)")
    return 1 if broken else 0


if __name__ == "__main__":
    raise SystemExit(main())
