"""What a student reads: HTML that is XML, too, in which whatever a program printed is text and nothing else."""

import html
from collections.abc import Iterable

from xqueue_grader.programs.score import Result, Score

SHOWN = 2_000  # characters of each text
SHOWN_LINES = 40
SHOWN_CASES = 5  # of those that failed; the others are told by name
NAMED_CASES = 100


def report(score: Score) -> str:
    """Make the message of a reply."""
    said = [f"<p>{numbered(score.earned)} of {numbered(score.possible)} points.</p>"]
    failed = [result for result in score.results if not result.passed]
    told = [result for result in failed if not result.hidden][:SHOWN_CASES]
    said += [details(result) for result in told]
    if rest := [result for result in failed if not any(result is each for each in told)]:
        said.append(f"<p>Not passed, too:</p><ul>{''.join(items(rest))}</ul>")
    return f'<div class="xqueue-programs">{"".join(said)}</div>'


def details(result: Result) -> str:
    """Show one case that failed, with all that its author lets be seen."""
    parts = [
        ("Input", result.input),
        ("Your program printed", result.output),
        ("Expected", result.expected),
    ]
    texts = "".join(f"<p>{title}:</p><pre>{shown(text)}</pre>" for title, text in parts if text)
    earned = f" ({numbered(result.weight * result.share)} of {numbered(result.weight)} points)" if result.share else ""
    said = f"<pre>{shown(result.message)}</pre>" if result.message else ""
    return f"<div><p><strong>{shown(result.name)}</strong>{earned}</p>{said}{texts}</div>"


def items(results: Iterable[Result]) -> list[str]:
    """Name cases without their content: of hidden ones not even their names, which might tell what they try."""
    named = ["a hidden test" if result.hidden else shown(result.name) for result in results]
    more = len(named) - NAMED_CASES
    return [f"<li>{name}</li>" for name in named[:NAMED_CASES]] + ([f"<li>and {more} more</li>"] if more > 0 else [])


def shown(text: str) -> str:
    """Make markup that shows the beginning of a text; what moves, hides or turns signs is spelled out."""
    cut = "\n".join(text[: SHOWN + 1].split("\n")[:SHOWN_LINES])[:SHOWN]
    more = "…" if len(cut) < len(text) else ""
    return html.escape("".join(sign if visible(sign) else spelled(sign) for sign in cut)) + more


def visible(sign: str) -> bool:
    """Tell whether a sign is one that can be seen as it is."""
    return sign in "\n\t" or sign.isprintable()


def spelled(sign: str) -> str:
    r"""Spell one out, as Python does: `\x1b`, `\u202e`."""
    return sign.encode("unicode_escape").decode("ascii")


def numbered(value: float) -> str:
    """Write points, without a tail of digits."""
    return f"{value:.4g}"
