"""What a student reads of markup, and what markup breaks."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xqueue_grader.trying.as_text import as_text
from xqueue_grader.trying.broken_markup import broken_in


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("plain &lt;text&gt; &amp; more", "plain <text> & more"),
        ("<p>one</p><p>two</p>", "one\ntwo"),
        ("one<br/>two", "one\ntwo"),
        ("<ul><li>one</li><li>two <b>bold</b> words</li></ul>", "- one\n- two bold words"),
        ("<pre>a\n  b</pre>", "a\n  b"),
        ("<p>a\n   b</p>", "a b"),
        ("<table><tr><td>1</td><td>2</td></tr></table>", "1  2"),
        ("<img src='x' alt='a plot'/><img src='x'/>", "[a plot][an image]"),
        ("x<script>alert(1)</script><style>p {}</style>", "x"),
        ("<p></p>", ""),
    ],
)
def test_markup_is_read_as_a_student_does(markup: str, text: str) -> None:
    assert as_text(markup) == text


@pytest.mark.parametrize(
    "markup",
    [
        "plain",
        "<p>one<p>two",
        "<ul><li>one<li>two</ul>",
        "<table><tr><td>1<td>2</table>",
        "a<br>b<hr/><img src='x'>",
        "<svg><path d='M0'/></svg>",
        "a < b && c > d",
        "<pre>&lt;b&gt;</pre>",
        "<my-element>x</my-element>",
    ],
)
def test_markup_that_stays_in_its_place_breaks_nothing(markup: str) -> None:
    assert broken_in(markup) == []


@pytest.mark.parametrize(
    ("markup", "complaint"),
    [
        ("<div>x", "<div> is never closed"),
        ("x</div>", "</div> closes nothing here"),
        ("<div/>x", "<div/> does not close itself"),
        ("<b><i>x</b></i>", "<i> is open where </b> comes"),
        ("x<!-- y", "a comment is never closed"),
        ("x<a href='y", "is never closed"),
        ("<vector<int>>x", "is no tag of HTML"),
        ("<iframe src='x'></iframe>x", "loads something else"),
        ("<p onclick='x()'>x</p>", "onclick on <p> runs"),
        ("<a href=' JavaScript:x()'>x</a>", "a href of <a> runs"),
        ("<form>x</form>", "the problem's own form"),
    ],
)
def test_what_breaks_the_page_is_said(markup: str, complaint: str) -> None:
    assert any(complaint in remark for remark in broken_in(markup)), broken_in(markup)


@given(st.text(alphabet="<>/!-ab=\"' &;ps\n", max_size=60))
def test_any_text_is_read_to_its_end(markup: str) -> None:
    as_text(markup)
    broken_in(markup)
