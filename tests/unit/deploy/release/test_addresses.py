"""Links of a README that is read apart from its tree."""

import re
import tomllib

from deploy.release.addresses import readme_for_index, urls_table
from tests.support.project import text

HOME = "https://git.example/xqueue"


def test_links_to_files_lead_into_the_repository_at_the_versions_tag() -> None:
    read = readme_for_index("[a](docs/a.md#part), [c](#here) and [d](https://other.example/)", HOME, "1.2.0")
    assert read == f"[a]({HOME}/blob/v1.2.0/docs/a.md#part), [c](#here) and [d](https://other.example/)"


def test_a_picture_comes_from_there_or_is_its_words() -> None:
    picture = "![the console](docs/images/a.png)"
    assert readme_for_index(picture, HOME, "1") == f"![the console]({HOME}/raw/v1/docs/images/a.png)"
    assert readme_for_index(picture, None, "1") == "the console"


def test_a_readme_further_down_may_link_upwards() -> None:
    assert readme_for_index("[up](../../docs/a.md)", HOME, "1", "deploy/tutor") == f"[up]({HOME}/blob/v1/docs/a.md)"


def test_where_nobody_says_where_the_project_lives_links_keep_their_text_and_lead_nowhere() -> None:
    assert readme_for_index("[the relay](docs/relay.md) and [here](#x)", None, "1") == "the relay and [here](#x)"


def test_no_link_of_our_readme_is_dead_on_an_index() -> None:
    for home in (HOME, None):
        read = readme_for_index(text("README.md"), home, "1")
        targets = re.findall(r"\]\(([^)]*)\)", read)
        assert [target for target in targets if not target.startswith(("https://", "#"))] == []
    assert read.count("`") == text("README.md").count("`")


def test_the_addresses_are_a_table_of_toml() -> None:
    urls = tomllib.loads(urls_table(HOME, "1.2.0"))["project"]["urls"]
    assert urls["Source"] == HOME
    assert all(url.startswith(HOME) for url in urls.values())
