"""A question's result as HTML: pure functions, everything from outside escaped."""

from __future__ import annotations

from html import escape

from hub_toolkit.answer.mcq import LETTERS
from hub_toolkit.data.terms import content_stems
from hub_toolkit.evaluate.budget import Price
from personamem_ui.answering import WITH_MEMORY
from personamem_ui.costs import NAMES, Costs, Line, weigh
from personamem_ui.render import render_alert
from personamem_ui.sessions import Answer, Asked, Score, Session
from personamem_ui.support import telling_text

EMPTY = (
    '<div class="pm-empty">Ask something whose answer depends on who asks, or play: choose a question of the '
    "benchmark, guess what this person would be helped by most, and see whether the memory knew.</div>"
)


def render_asked(session: Session, price: Price | None = None) -> str:
    """Return all that is known on the question asked: options, bullets, replies, what they took."""
    asked = session.asked
    if session.ask_error:
        return render_alert(session.ask_error)
    if asked is None:
        return EMPTY
    head = f'<p class="pm-question"><span>Question</span> {escape(asked.text)}</p>'
    if asked.question is not None and not asked.is_gold_shown:
        return f"{head}{_render_guess(asked)}"
    costs = render_costs(weigh(asked, session.build_usage, session.num_asked, price)) if asked.read_tokens else ""
    return f"{head}{_render_verdict(asked)}{_render_options(asked)}{_render_answers(asked)}{_render_used(asked)}{costs}"


def render_score(score: Score) -> str:
    """Say how the visitor stands against the memory."""
    num = len(score.guessed)
    if not num:
        return '<p class="pm-small pm-score">No question guessed yet.</p>'
    you, memory = sum(score.guessed.values()), sum(score.memory.values())
    lead = "level" if you == memory else "you lead" if you > memory else "the memory leads"
    return (
        f'<p class="pm-score" role="status"><b>You {you}</b> : <b>{memory} memory</b> '
        f"after {num} question{'s' * (num != 1)}, {lead}.</p>"
    )


def _render_guess(asked: Asked) -> str:
    assert asked.question is not None
    items = "".join(
        f'<li class="pm-option"><p><strong>{LETTERS[place]}</strong></p><p>{escape(text)}</p>'
        f'<button type="button" class="pm-act" data-act="guess" data-id="{place}">I guess {LETTERS[place]}</button>'
        "</li>"
        for place, text in enumerate(asked.question.options)
    )
    return (
        '<h4>Your guess first</h4><p class="pm-small">All four are good replies to somebody. Which one suits this '
        f'person? Then you see what the memory says, and what is right.</p><ol class="pm-options">{items}</ol>'
    )


def _looked_for(asked: Asked) -> str:
    """Return the words by which bullets were chosen."""
    if asked.question is None or asked.support is None or asked.support.pick is None:
        return asked.text if asked.question is None else ""
    return telling_text(asked.question, asked.support.pick)


def _render_used(asked: Asked) -> str:
    place = f"version {asked.step_number} of the memory"
    if not asked.used:
        reason = "no bullet shares a word with the question" if asked.question is None else "it fits no option"
        return f'<h4>Bullets that an answer would use</h4><p class="pm-empty">None in {place}: {reason}.</p>'
    stems = frozenset(content_stems(_looked_for(asked)))
    items = "".join(f"<li>{mark_words(bullet.text, stems)}</li>" for bullet in asked.used)
    by = "the words of the question"
    if asked.support is not None and asked.support.pick is not None:
        by = f"the words of option {LETTERS[asked.support.pick]}, to which it points"
    note = f'<p class="pm-small">Found in {place} by {by}; starred in the Memory tab.</p>'
    return f'<h4>Bullets that an answer would use</h4><ul class="pm-used">{items}</ul>{note}'


def mark_words(text: str, stems: frozenset[str]) -> str:
    """Return escaped text; words with one of these stems are in `<mark>`."""
    marked = []
    for piece in text.split():
        safe = escape(piece)
        marked.append(f"<mark>{safe}</mark>" if stems.intersection(content_stems(piece)) else safe)
    return " ".join(marked)


def _render_answers(asked: Asked) -> str:
    if not asked.answers:
        return ""
    limit = f"cut at {asked.max_answer_tokens} tokens"
    by = f'<p class="pm-small">Written by {escape(asked.model_name or "")}; {limit}.</p>'
    sections = "".join(_render_answer(name, answer, asked) for name, answer in asked.answers.items())
    return f'<h4>Answers</h4><div class="pm-answers is-{len(asked.answers)}">{sections}</div>{by}'


def _render_answer(name: str, answer: Answer, asked: Asked) -> str:
    if answer.error:
        body = f'<p class="pm-alert" role="alert"><strong>Error:</strong> {escape(answer.error)}</p>'
    else:
        text = escape(answer.text.strip()) or ("(an empty reply)" if answer.is_done else "")
        waiting = "" if answer.is_done else '<span class="pm-waiting">writing…</span>'
        body = f'<div class="pm-reply">{text} {waiting}</div>'
    return f'<section class="pm-answer"><h5>{NAMES[name]}</h5>{_render_pick(answer, asked)}{body}</section>'


def _render_pick(answer: Answer, asked: Asked) -> str:
    if asked.question is None or not answer.is_done or answer.error:
        return ""
    if answer.pick is None:
        return '<p class="pm-small">It settles on no option.</p>'
    mark = "✓ right" if answer.pick == asked.question.gold_index else "✗ wrong"
    name = "new" if answer.pick == asked.question.gold_index else "removed"
    return f'<p>Picks <b>{LETTERS[answer.pick]}</b> <span class="pm-flag is-{name}">{mark}</span></p>'


def render_costs(costs: Costs) -> str:
    """Return the tokens and the cost of each way of answering, and how many times more the history takes."""
    rows = "".join(_render_line(line) for line in costs.lines)
    return (
        '<h4>What it takes</h4><div class="pm-scroll"><table class="pm-costs"><thead><tr><th scope="col">Answered</th>'
        '<th scope="col">Tokens read</th><th scope="col">Tokens written</th><th scope="col">Cost</th></tr></thead>'
        f"<tbody>{rows}</tbody></table></div>{_render_ratio(costs)}"
    )


def _render_line(line: Line) -> str:
    written = "–" if line.output_tokens is None else f"{line.output_tokens:,}"
    usd = "–" if line.usd is None else f"{line.usd:.5f} USD"
    return f'<tr><th scope="row">{line.name}</th><td>{line.input_tokens:,}</td><td>{written}</td><td>{usd}</td></tr>'


def _render_ratio(costs: Costs) -> str:
    price = "" if any(line.usd is not None for line in costs.lines) else " No price is set for a model here."
    note = (
        f'<p class="pm-small">Tokens are estimates by the page&#x27;s own counter.{price} '
        "The paper: 16 times fewer (a history of 32k, a memory of 2k).</p>"
    )
    if costs.ratio is None or costs.ratio_with_build is None:
        return note
    asked = f"{costs.num_asked} question{'s' * (costs.num_asked != 1)}"
    build = (
        f"building it took {costs.build_tokens:,} model tokens"
        if costs.build_tokens
        else "building it took no model tokens (extractive)"
    )
    even = f" It pays from question {costs.break_even} on." if costs.break_even and costs.break_even > 1 else ""
    return (
        f'<p class="pm-ratio">With the full history, <b data-ratio="{costs.ratio:.2f}">{costs.ratio:.1f} times</b> as '
        f"many tokens are read a query as with the memory. Including the build, over {asked}: "
        f'<b data-ratio-build="{costs.ratio_with_build:.2f}">'
        f"{costs.ratio_with_build:.1f} times</b>; {build}.{even}</p>{note}"
    )


def _render_options(asked: Asked) -> str:
    if asked.question is None or asked.support is None:
        return ""
    items = "".join(_render_option(asked, place) for place in range(len(asked.question.options)))
    return (
        "<h4>Which option the words point to</h4>"
        '<p class="pm-small">No model: each bar says how much of the support in the memory\'s words falls to this '
        "option. Without a memory nothing is known, and each has a quarter.</p>"
        f'<ol class="pm-options">{items}</ol>'
    )


def _render_option(asked: Asked, place: int) -> str:
    assert asked.question is not None and asked.support is not None
    is_pick = place == asked.support.pick
    is_gold = place == asked.question.gold_index
    flags = ' <span class="pm-flag is-pinned">your guess</span>' if place == asked.guess else ""
    flags += ' <span class="pm-flag is-used">★ memory points here</span>' if is_pick else ""
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
    yours = ""
    if asked.guess is not None:
        is_right = asked.guess == asked.question.gold_index
        yours = "You were right. " if is_right else f"You guessed {LETTERS[asked.guess]}. "
    return (
        f'<p class="pm-verdict" role="status">{yours}Right is <strong>{letter}</strong>, because of: '
        f"{escape(asked.sample.preference)}. {verdict}.</p>"
    )


def memory_pick(asked: Asked) -> int | None:
    """Return the option that stands for the memory: the model's with it, else the one that its words point to."""
    answer = asked.answers.get(WITH_MEMORY)
    if answer is not None and answer.error is None and answer.is_done:
        return answer.pick
    return asked.support.pick if asked.support else None
