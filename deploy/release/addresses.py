"""Links that lead somewhere where a distribution is read apart from its tree, as on a package index.

Where the project lives is said when a release is made (`make dist REPOSITORY=https://...`), and stands nowhere in the
tree: it may be forked and moved. Where nothing is said, links keep their text and lead nowhere, instead of to nobody.
"""

import json
import re
from pathlib import PurePosixPath

_LINK = re.compile(r"(?P<image>!?)\[(?P<text>[^\[\]]*)\]\((?P<target>[^()\s]+)\)")


def readme_for_index(markdown: str, repository: str | None, version: str, folder: str = ".") -> str:
    """Make README's links to other files, and its pictures, lead into the repository, at the tag of this version.

    `folder` is where the README stands in the repository.
    """

    def led(match: re.Match[str]) -> str:
        target = match["target"]
        if "://" in target or target.startswith(("#", "mailto:")):
            return match[0]
        if repository is None:
            return match["text"]
        path, hash_sign, anchor = target.partition("#")
        kind = "raw" if match["image"] else "blob"
        place = f"{repository}/{kind}/v{version}/{_plain(folder, path)}{hash_sign}{anchor}"
        return f"{match['image']}[{match['text']}]({place})"

    return _LINK.sub(led, markdown)


def urls_table(repository: str, version: str) -> str:
    """Word the table of pyproject.toml that names the project's addresses."""
    urls = {
        "Source": repository,
        "Documentation": f"{repository}/tree/v{version}/docs",
        "Changelog": f"{repository}/blob/v{version}/CHANGELOG.md",
        "Issues": f"{repository}/issues",
    }
    return "\n[project.urls]\n" + "".join(f"{name} = {json.dumps(url)}\n" for name, url in urls.items())


def _plain(folder: str, path: str) -> str:
    parts: list[str] = []
    for part in PurePosixPath(folder, path).parts:
        if part == "..":
            parts = parts[:-1]
        else:
            parts.append(part)
    return "/".join(parts)
