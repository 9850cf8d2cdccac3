"""A question's result as HTML: pure functions, everything from outside escaped."""

from __future__ import annotations

from html import escape

from hub_toolkit.answer.mcq import LETTERS
from hub_toolkit.data.terms import content_stems
from personamem_ui.render import render_alert
from personamem_ui.sessions import Answer, Asked, Session
from personamem_ui.support import telling_text


def render_asked(session: Session) -> str:
    """Return all that is known on the question asked: bullets, replies, options."""
    asked = session.asked
    if session.ask_error:
        return render_alert(session.ask_error)
    if asked is None:
        return ""
    return (
        f'<p class="pm-question"><span>Question</span> {escape(asked.text)}</p>'
        f"{_render_used(asked)}{_render_answers(asked)}{_render_options(asked)}"
    )


def _looked_for(asked: Asked) -> str:
    """Return the words by which bullets were chosen."""
    if asked.question is None or asked.support is None or asked.support.pick is None:
        return asked.text if asked.question is None else ""
    return telling_text(asked.question, asked.support.pick)


def _render_used(asked: Asked) -> str:
    place = f"the memory after chunk {asked.step_number}"
    if not asked.used:
        reason = "no bullet shares a word with the question" if asked.question is None else "it fits no option"
        return f'<h4>Bullets that an answer would use</h4><p class="pm-empty">None in {place}: {reason}.</p>'
    stems = frozenset(content_stems(_looked_for(asked)))
    items = "".join(f"<li>{mark_words(bullet.text, stems)}</li>" for bullet in asked.used)
    by = "the words of the question"
    if asked.support is not None and asked.support.pick is not None:
        by = f"the words of option {LETTERS[asked.support.pick]}, to which it points"
    note = f'<p class="pm-small">Found in {place} by {by}; starred in the list above.</p>'
    return f'<h4>Bullets that an answer would use</h4><ul class="pm-used">{items}</ul>{note}'


def mark_words(text: str, stems: frozenset[str]) -> str:
    """Return escaped text; words with one of these stems are in `<mark>`."""
    marked = []
    for piece in text.split():
        safe = escape(piece)
        marked.append(f"<mark>{safe}</mark>" if stems.intersection(content_stems(piece)) else safe)
    return " ".join(marked)


def _render_answers(asked: Asked) -> str:
    if asked.with_memory is None or asked.without_memory is None:
        return ""
    limit = f"cut at {asked.max_answer_tokens} tokens"
    by = f'<p class="pm-small">Written by {escape(asked.model_name or "")}; {limit}.</p>'
    return (
        f'<h4>Answers</h4><div class="pm-answers">{_render_answer("With memory", asked.with_memory)}'
        f"{_render_answer('Without memory', asked.without_memory)}</div>{by}"
    )


def _render_answer(title: str, answer: Answer) -> str:
    if answer.error:
        body = f'<p class="pm-alert" role="alert"><strong>Error:</strong> {escape(answer.error)}</p>'
    else:
        text = escape(answer.text.strip()) or ("(an empty reply)" if answer.is_done else "")
        waiting = "" if answer.is_done else '<span class="pm-waiting">writing…</span>'
        body = f'<div class="pm-reply">{text} {waiting}</div>'
    return f'<section class="pm-answer"><h5>{title}</h5>{body}</section>'


def _render_options(asked: Asked) -> str:
    if asked.question is None or asked.support is None:
        return ""
    items = "".join(_render_option(asked, place) for place in range(len(asked.question.options)))
    return (
        "<h4>Which option the words point to</h4>"
        '<p class="pm-small">No model: each bar says how much of the support in the memory\'s words falls to this '
        "option. Without a memory nothing is known, and each has a quarter.</p>"
        f'<ol class="pm-options">{items}</ol>{_render_verdict(asked)}'
    )


def _render_option(asked: Asked, place: int) -> str:
    assert asked.question is not None and asked.support is not None
    is_pick = place == asked.support.pick
    is_gold = asked.is_gold_shown and place == asked.question.gold_index
    flags = ' <span class="pm-flag is-used">★ memory points here</span>' if is_pick else ""
    flags += ' <span class="pm-flag is-new">✓ right answer</span>' if is_gold else ""
    classes = "pm-option" + (" is-pick" if is_pick else "") + (" is-gold" if is_gold else "")
    return (
        f'<li class="{classes}"><p><strong>{LETTERS[place]}</strong>{flags}</p>'
        f"<p>{escape(asked.question.options[place])}</p>"
        f"{_render_bar('with memory', asked.support.with_memory[place])}"
        f"{_render_bar('without', asked.support.without_memory[place], is_pale=True)}</li>"
    )


def _render_bar(name: str, share: float, *, is_pale: bool = False) -> str:
    classes = "pm-bar is-pale" if is_pale else "pm-bar"
    return (
        f'<div class="{classes}"><span>{name}</span>'
        f'<div aria-hidden="true"><i style="width:{share * 100:.1f}%"></i></div>'
        f"<b>{share * 100:.0f}&nbsp;%</b></div>"
    )


def _render_verdict(asked: Asked) -> str:
    if not asked.is_gold_shown or asked.question is None or asked.sample is None or asked.support is None:
        return ""
    letter = asked.question.gold
    verdict = "The memory points to no option"
    if asked.support.pick is not None:
        is_right = asked.support.pick == asked.question.gold_index
        verdict = (
            "The memory points to it" if is_right else f"The memory points to {LETTERS[asked.support.pick]} instead"
        )
    return (
        f'<p class="pm-verdict" role="status">Right is <strong>{letter}</strong>, because of: '
        f"{escape(asked.sample.preference)}. {verdict}.</p>"
    )
