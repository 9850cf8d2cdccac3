"""The words around the tabs: what this is, which model answers, what is kept."""

from __future__ import annotations

from html import escape

from personamem_ui.answering import ModelChoice

HEADER = """<header class="pm-header"><h1>PersonaMem</h1>
<p>People rarely tell an assistant what they like: it shows in passing, in a letter to polish or a question asked twice.
<strong>Implicit memory</strong> is what can be learnt about them from that, and this page shows it being learnt.</p>
</header>"""

CONNECT = """<details><summary>How to connect a real model</summary>
<p>Set these before the page starts (in a Space: its variables and secrets). Any endpoint that speaks OpenAI's chat
completions will do.</p><pre tabindex="0">export PERSONAMEM_BASE_URL=https://api.openai.com/v1
export PERSONAMEM_API_KEY=…
export PERSONAMEM_MODEL=openai/gpt-4.1-mini</pre></details>"""

FOOTER = """<footer class="pm-small pm-footer"><p>You are not signed in, and nothing is kept: an upload is read and
deleted, the memory lives as long as this tab is open (at most an hour longer), and no other visitor sees it.
{sent}</p></footer>"""

FOOTER_SIGN_IN = """<footer class="pm-small pm-footer"><p>Unless you sign in and ask for it, nothing is kept: an upload
is read and deleted, the memory lives as long as this tab is open (at most an hour longer), no other visitor sees it.
{sent}</p></footer>"""


def render_banner(choice: ModelChoice, *, budget_tokens: int) -> str:
    """Say plainly which model answers, what it is worth, and what works without one."""
    if choice.kind == "endpoint":
        text = (
            f"<strong>Answers come from {escape(choice.spec)}.</strong> The memory can be built with it or without. "
            f"Each visitor may take {budget_tokens:,} tokens of it an hour."
        )
        return f'<div class="pm-banner" role="note"><p>{text}</p></div>'
    if choice.kind == "local":
        text = (
            "<strong>Answers come from SmolLM2-135M, a very small model on this machine's processor.</strong> It shows "
            "that generation works, and is too weak to judge quality by. The memory is built without it."
        )
    else:
        text = (
            "<strong>No model is installed.</strong> The page still builds the memory, and shows which bullets an "
            "answer would use and which option they point to. For answers, run <code>personamem models fetch</code> "
            "(the very small SmolLM2-135M: it shows that generation works, and is too weak for quality), or connect a "
            "real one."
        )
    return f'<div class="pm-banner" role="note"><p>{text}</p>{CONNECT}</div>'


def render_footer(choice: ModelChoice, *, has_sign_in: bool) -> str:
    """Say what is kept and where text goes."""
    sent = "Nothing leaves this server."
    if choice.kind == "endpoint":
        sent = "Your question goes to the model's endpoint with the memory; the agentic builder sends the messages too."
    return (FOOTER_SIGN_IN if has_sign_in else FOOTER).format(sent=sent)
