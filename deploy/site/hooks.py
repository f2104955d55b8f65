"""What mkdocs does beside: pages from outside docs/, links among them, GitHub's anchors, pages that the menu lacks."""

from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page
from pymdownx.slugs import slugify

from deploy.site.markdown import DOCS, linked_on_site, place_on_site, separated, targets_in_tree, without_links

ROOT = Path(__file__).resolve().parents[2]
OUTSIDE = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "deploy/*/*.md")
# The menu's last part; a page that nobody has given a place stands there, too.
LAST = "All else"


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Name headings as GitHub does, and give each page a place in the menu."""
    config.mdx_configs["toc"] = {**config.mdx_configs.get("toc", {}), "slugify": slugify(case="lower")}
    found = [*Path(config.docs_dir).rglob("*.md"), *_outside()]
    pages = {place_on_site(path.relative_to(ROOT).as_posix()) for path in found}
    assert config.nav is not None
    last = next(part[LAST] for part in config.nav if LAST in part)
    last.extend(sorted(pages - set(_pages_of(config.nav))))
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add what stands outside docs/: some pages, and whatever a page leads to."""
    outside = {path.relative_to(ROOT).as_posix() for path in _outside()}
    for page in [file for file in files if file.is_documentation_page()]:
        outside |= targets_in_tree(page.content_string, page.src_uri)
    for target in outside.copy():
        if target.endswith(".md") and (ROOT / target).is_file():
            outside |= targets_in_tree((ROOT / target).read_text(encoding="utf-8"), place_on_site(target))
    for target in sorted(outside):
        if not target.startswith(f"{DOCS}/") and (ROOT / target).is_file():
            files.append(File.generated(config, place_on_site(target), abs_src_path=str(ROOT / target)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Make it a page of the site."""
    place = page.file.src_uri
    of_pages = without_links(markdown, place, lambda target: (ROOT / target).is_dir())
    return separated(linked_on_site(of_pages, place))


def _outside() -> list[Path]:
    return [path for pattern in OUTSIDE for path in ROOT.glob(pattern)]


def _pages_of(nav: Any) -> list[str]:
    if isinstance(nav, str):
        return [nav]
    inner = nav.values() if isinstance(nav, dict) else nav
    return [page for each in inner for page in _pages_of(each)]
