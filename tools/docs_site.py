"""Hooks of the documentation site (mkdocs.yml): navigation, files outside docs/, the notebook.

Pages link files of the repository by relative paths, which work on GitHub. Linked files outside docs/ are taken into the site
under repository/, and links are rewritten. A link to a file that does not exist fails the build.
"""

import json
import posixpath
import re
from pathlib import Path
from typing import Any

from cli_reference import cli_reference
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page
from pymdownx.slugs import slugify

ROOT = Path(__file__).parents[1]
OUTSIDE = "repository/"
COMMANDS = "<!-- cli_reference -->"  # the place of the reference of the command line
LINK = re.compile(r"\[([^\[\]]*)\]\((?![a-z]+:|#)([^)#\s]+)([^)]*)\)")
FOREIGN = re.compile(
    r"<(?:script|img|iframe|source|video)\b[^>]*\bsrc=[\"']?(?:https?:)?//[^\"' >]*"
    r"|<link\b(?![^>]*rel=[\"']?canonical)[^>]*\bhref=[\"']?(?:https?:)?//[^\"' >]*"
    r"|(?:@import\s|url\()\s*[\"']?(?:https?:)?//[^\"') ]*"
)
INDEX = re.compile(r"^\*\*(.+)\*\*$|^- \[(.+?)\]\(([^)#]+)\)", re.MULTILINE)


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Take the navigation from the list of pages in docs/index.md, and headings' anchors as GitHub makes them."""
    text = (ROOT / "docs" / "index.md").read_text("utf-8")
    sections: list[dict[str, list[dict[str, str]]]] = []
    for section, title, target in INDEX.findall(text):
        if section:
            sections.append({section: []})
        else:
            next(iter(sections[-1].values())).append({title: in_site(posixpath.normpath(f"docs/{target}"))})
    config.nav = [{"Home": "index.md"}, *sections]
    config.mdx_configs["toc"]["slugify"] = slugify(case="lower")
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the notebook, and all that pages link outside docs/, and what those pages link in turn."""
    for notebook in [file for file in files if file.src_uri.endswith(".ipynb")]:
        content = notebook_markdown(json.loads(notebook.content_string))
        files.append(File.generated(config, in_site(f"docs/{notebook.src_uri}"), content=content))
        files.remove(notebook)
    pending = list(files.documentation_pages())
    while pending:
        page = pending.pop()
        for _, target, _ in LINK.findall(page.content_string):
            source = in_repository(page.src_uri, target)
            if source.startswith("docs/") or not (ROOT / source).is_file():
                continue
            if files.get_file_from_path(in_site(source)) is None:
                added = File.generated(config, in_site(source), abs_src_path=str(ROOT / source))
                files.append(added)
                if added.is_documentation_page():
                    added.inclusion = added.inclusion.NOT_IN_NAV
                    pending.append(added)
    return files


def on_page_markdown(markdown: str, page: Page, **_: Any) -> str:
    """Turn links of the repository into links of the site; a folder is named without a link, since a site shows no folders."""
    here = page.file.src_uri

    def rewrite(link: re.Match[str]) -> str:
        text, target, rest = link.groups()
        source = in_repository(here, target)
        if (ROOT / source).is_dir():
            return f"{text} (`{source}/`)" if source not in text else text
        return f"[{text}]({posixpath.relpath(in_site(source), posixpath.dirname(here) or '.')}{rest})"

    return LINK.sub(rewrite, markdown).replace(COMMANDS, cli_reference() if COMMANDS in markdown else "")


def on_post_build(config: MkDocsConfig) -> None:
    """Fail if a page would load anything from another server."""
    for page in sorted(Path(config.site_dir).rglob("*.html")) + sorted(Path(config.site_dir).rglob("*.css")):
        if request := FOREIGN.search(page.read_text("utf-8")):
            raise PluginError(f"{page.name} loads a file from another server: {request[0]}")


def in_site(source: str) -> str:
    """The path in the site of a file of the repository.

    >>> in_site("docs/how-to/train.md"), in_site("results/README.md"), in_site("docs/tutorial/a.ipynb")
    ('how-to/train.md', 'repository/results/README.md', 'tutorial/a.md')
    """
    inside = source.removeprefix("docs/") if source.startswith("docs/") else OUTSIDE + source
    return inside.removesuffix(".ipynb") + ".md" if inside.endswith(".ipynb") else inside


def in_repository(page: str, target: str) -> str:
    """The path in the repository of what a page of the site links.

    >>> in_repository("how-to/train.md", "../../results/README.md"), in_repository("repository/README.md", "docs/a.md")
    ('results/README.md', 'docs/a.md')
    """
    source = page.removeprefix(OUTSIDE) if page.startswith(OUTSIDE) else f"docs/{page}"
    return posixpath.normpath(posixpath.join(posixpath.dirname(source), target))


def notebook_markdown(notebook: dict[str, Any]) -> str:
    """The cells of a notebook, with their stored outputs, as Markdown."""
    parts = []
    for cell in notebook["cells"]:
        text = "".join(cell["source"])
        parts.append(text if cell["cell_type"] == "markdown" else f"```python\n{text}\n```")
        for output in cell.get("outputs", ()):
            data = output.get("data", {})
            if "image/png" in data:
                parts.append(f"![Output](data:image/png;base64,{''.join(data['image/png']).strip()})")
            elif shown := "".join(output.get("text", data.get("text/plain", ""))):
                parts.append(f"```text\n{shown.rstrip()}\n```")
    return "\n\n".join(parts) + "\n"
