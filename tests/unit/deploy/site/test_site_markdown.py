"""Pages of the tree become pages of the site."""

import pytest

from deploy.site.markdown import (
    linked_on_site,
    place_in_tree,
    place_on_site,
    separated,
    targets_in_tree,
    without_links,
)


@pytest.mark.parametrize(
    ("in_tree", "on_site"),
    [
        ("docs/howto/local.md", "howto/local.md"),
        ("README.md", "project/README.md"),
        ("examples/a.py", "project/examples/a.py"),
    ],
)
def test_what_stands_outside_of_docs_has_a_folder_of_its_own(in_tree: str, on_site: str) -> None:
    assert place_on_site(in_tree) == on_site
    assert place_in_tree(on_site) == in_tree


@pytest.mark.parametrize(
    ("page", "link", "led"),
    [
        ("howto/local.md", "../reference/a.md#b", "../reference/a.md#b"),
        ("howto/local.md", "../../README.md#try-it", "../project/README.md#try-it"),
        ("security.md", "../CONTRIBUTING.md", "project/CONTRIBUTING.md"),
        ("project/README.md", "docs/howto/local.md", "../howto/local.md"),
        ("project/README.md", "CONTRIBUTING.md", "CONTRIBUTING.md"),
        ("security.md", "#here", "#here"),
        ("security.md", "https://other.example/a.md", "https://other.example/a.md"),
    ],
)
def test_links_lead_to_where_their_targets_stand_on_the_site(page: str, link: str, led: str) -> None:
    assert linked_on_site(f"a [b]({link}) c", page) == f"a [b]({led}) c"


def test_lists_and_tables_that_follow_on_text_at_once_are_set_apart() -> None:
    written = "Text:\n- a\n- b\n  more\n- c\n\nOf these:\n1. x\n2. y\n\nA\n| b |\n|---|\n| c |"
    read = "Text:\n\n- a\n- b\n  more\n- c\n\nOf these:\n\n1. x\n2. y\n\nA\n\n| b |\n|---|\n| c |"
    assert separated(written) == read


def test_code_and_text_that_begins_with_a_number_stay_as_they_are() -> None:
    for written in ("```sh\nx\n- y\n| z\n```", "It was in\n2025. Since then", "- a\n- b"):
        assert separated(written) == written


def test_a_link_to_what_has_no_page_keeps_its_text() -> None:
    written = "see [the files](../../deploy/kubernetes/base) and [this](a.md#b)"
    assert targets_in_tree(written, "howto/x.md") == {"deploy/kubernetes/base", "docs/howto/a.md"}
    folders = {"deploy/kubernetes/base"}.__contains__
    assert without_links(written, "howto/x.md", folders) == "see the files and [this](a.md#b)"
