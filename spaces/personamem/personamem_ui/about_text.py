"""What the page says about data, protocol, leaks, citing, programs and privacy: figures are measured, not written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from hub_toolkit.answer.mcq import LETTERS
from hub_toolkit.leaderboard.board import Board
from hub_toolkit.metrics.leakage import baseline_scores
from personamem_ui.board_format import e, format_share

EXAMPLES = Path(__file__).with_name("examples")
_BASELINES = {
    "longest_option": "always the longest option",
    "shortest_option": "always the shortest option",
    "first_option": "always the first option",
}
_CITE = """@article{personamem-v2,
  title  = {PersonaMem-v2: Towards Personalized Intelligence via Learning Implicit User Personas and Agentic Memory},
  author = {Jiang, Bowen and Yuan, Yuan and Shen, Maohao and Hao, Zhuoqun and Xu, Zhangchen and others},
  year   = {2025},
  eprint = {2512.06688},
  archivePrefix = {arXiv}
}"""
_CALLS = (
    ("leaderboard", "column, task, context, tier, text, limit", "the table's rows, best first, and how old they are"),
    ("submission_status", "digest", "what became of a submission"),
    ("validate_submission", "predictions, meta", "everything that is wrong about one, at most 20 problems"),
    ("score_predictions", "predictions, meta", "the row that it would get; nothing is sent"),
    ("compare", "a, b", "the paired comparison of two rows of one table"),
    ("build_memory", "history, cap_tokens", "a memory as JSON; nothing is kept"),
    ("answer_question", "memory, question, options", "the bullets that count, the option they point to, a reply"),
    ("submit", "predictions, meta, name", "the receipt of a submission that was sent, and what became of it"),
    ("dispute, /withdraw", "digest, reason, name", "what became of the row, and its log"),
    ("remember", "memory, messages, session, started_at", "what a chat changed, and the memory after it"),
    ("recall, /search, /show, /why", "memory and query, text or bullet_id", "what it knows, and where that comes from"),
    ("add, /edit, /pin, /delete", "memory and text, bullet_id, is_pinned", "what was changed, and the memory after it"),
    ("preview_forget, /forget", "memory, text", "what would go; what went, with receipts, and the memory after it"),
    ("preview_rule, /set_rule, /remove_rule", "memory and text or rule_id", "the same of a rule"),
    ("undo, /redo, /decide, /log, /export", "memory and to, held_id, limit, format", "as a served memory does"),
)


def render_about(boards: Sequence[Board]) -> str:
    """Return the whole text."""
    board = boards[0]
    parts = (_data(board), _protocol(board), _leaks(board), _CITING, _programs(), _PRIVACY)
    return f'<div class="pm-about">{"".join(parts)}</div>'


def _data(board: Board) -> str:
    samples = board.samples
    personas = len({sample.persona_id for sample in samples})
    types = Counter(sample.pref_type for sample in samples)
    rows = [(name.replace("_", " "), f"{count:,}") for name, count in types.most_common()]
    return (
        f"<h4>The data</h4><p><code>{e(board.dataset)}</code> at <code>{e(board.revision)}</code>, split "
        f"{e(board.split)}: <strong>{len(samples):,} questions</strong> about <strong>{personas} people</strong>, all "
        "invented. Each person has a long chat history that shows what they like, avoid, have changed or want "
        "forgotten, mostly without saying so. A question has four options; one is right for its owner.</p>"
        f"{_table('Questions by type', ('Type', 'Questions'), rows)}"
        "<p>Secrets in rows of the type <em>sensitive info</em> are synthetic. Masking is always right there: they "
        "are a safety measure, reported apart and never inside accuracy.</p>"
    )


def _protocol(board: Board) -> str:
    rules = board.protocol
    rows = [
        ("Options", "the order is drawn from a hash of seed and question: the same for every system"),
        ("Reply", "the last choice among A to D counts; a reply without one counts as wrong and is listed"),
        ("History", "the persona's system message is dropped" if rules.context.persona_system == "drop" else "kept"),
        ("Too long", "an error" if rules.context.overflow == "error" else "messages are deleted"),
        ("Memory", f"at most {rules.memory.cap_tokens:,} tokens, read in chunks of {rules.memory.chunk_tokens:,}"),
        ("Judges", f"{rules.judge.num_verdicts} verdicts, majority; an unreadable verdict is no verdict"),
        ("Failures", "stay in the denominator; scored, unparsed, unscored and failed stand beside every accuracy"),
        ("Intervals", "95 %, clustered by persona; comparisons are paired and clustered"),
    ]
    return (
        f"<h4>The protocol</h4><p>Protocol <strong>{e(rules.name)}</strong>, version {rules.version}, digest "
        f"<code>{rules.digest}</code>: SHA-256 of everything that it fixes, its {len(rules.prompts)} prompts among it. "
        f"Rows compare where this is the same.</p>{_table('What the protocol fixes', ('What', 'How'), rows)}"
    )


def _leaks(board: Board) -> str:
    """Measure what can be picked without reading anything."""
    asked = [sample for sample in board.samples if not sample.is_sensitive and sample.pref_type != "sensitive_info"]
    balanced = [sample for sample in asked if sample.group_id is not None]
    chosen = balanced or asked
    posed = [board.questions[sample.sample_id] for sample in chosen]
    scores = [baseline_scores(question.options, LETTERS.index(question.gold)) for question in posed]
    rows = [
        (_BASELINES.get(name, name.replace("_", " ")), format_share(sum(s[name] for s in scores) / len(scores)))
        for name in (scores[0] if scores else ())
    ]
    words = (
        "Its questions stand in swap groups: the same options are shared by people of whom another option is right, so "
        "that whatever reads no history is right in a quarter of them."
        if balanced
        else "Its questions are not balanced by construction: the paired lift and the figures without context say more "
        "than accuracy."
    )
    return (
        f"<h4>Known leaks</h4><p>{words} Measured on the {len(chosen):,} rows that count for accuracy:</p>"
        f"{_table('Without reading anything', ('Rule', 'Right'), rows)}"
        "<p>Of the published PersonaMem-v2, users report 44.7 % for the uniquely longest option and 31.1 % for a "
        "frontier model without any history (501 rows). A high accuracy alone is no sign of a memory.</p>"
    )


def _table(caption: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    top = "".join(f'<th scope="col">{e(text)}</th>' for text in head)
    body = "".join(
        f'<tr><th scope="row">{e(first)}</th>{"".join(f"<td>{e(cell)}</td>" for cell in rest)}</tr>'
        for first, *rest in rows
    )
    return (
        f'<div class="pm-scroll" tabindex="0" role="region" aria-label="{e(caption)}"><table class="pm-plain">'
        f"<caption>{e(caption)}</caption><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def load_example(name: str) -> str:
    """Return an example that the tests run as it stands."""
    return (EXAMPLES / name).read_text("utf-8")


def _programs() -> str:
    listed = [(f"/{name}", takes, gives) for name, takes, gives in _CALLS]
    blocks = "".join(
        f'{f"<p>{title}</p>" if title else ""}<pre tabindex="0"><code>{e(load_example(name))}</code></pre>'
        for title, name in (
            ("From Python:", "client.py"),
            ("Over HTTP:", "http.sh"),
            ("As tools of an MCP client, and how one asks them:", "mcp.json"),
            ("", "mcp_client.py"),
        )
    )
    return (
        "<h4>For programs</h4><p>The page's functions can be called by programs, within the same limits. Nothing is "
        "kept: a memory goes back with each answer, and comes with the next call. What you submit, dispute or withdraw "
        f"is public.</p>{_table('Calls', ('Call', 'Takes', 'Returns'), listed)}{blocks}"
        "<p>A memory that is kept, and asked again tomorrow, needs an owner and a token: run "
        "<code>personamem memory serve</code> on your own machine.</p>"
    )


_CITING = (
    f'<h4>How to cite</h4><pre tabindex="0"><code>{e(_CITE)}</code></pre>'
    "<p>Name the dataset's revision, the protocol with its digest, and the submission's digest beside every figure.</p>"
)

_PRIVACY = (
    "<h4>Privacy</h4><ul><li>A memory that you build here lives in the server's working memory for as long as your tab "
    "is open, and goes at the latest an hour later. No other visitor sees it.</li><li>What you check in the form is "
    "deleted after half an hour. What you <em>send</em> is public and stays: outputs, description, your account's name "
    "and the time. Withdrawing takes the row out of the table; the log says so.</li><li>Your token for the Hub is read "
    "for a request and kept nowhere.</li><li>The page loads nothing from elsewhere and sets no cookie but that of the "
    "sign-in.</li></ul>"
)
