"""The page as a whole: the words around it, its tabs, and how it is started."""

from __future__ import annotations

import importlib.util
from inspect import signature
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.utils import get_upload_folder
from starlette.middleware import Middleware

from hub_toolkit.settings import Settings
from personamem_ui.about_tab import create_about_tab
from personamem_ui.answering import choose_model
from personamem_ui.api import add_api
from personamem_ui.ask_tab import create_ask_tab, wire_ask_tab, wire_examples
from personamem_ui.board_source import BoardSource, open_source
from personamem_ui.board_tab import create_board_tab, wire_board_tab
from personamem_ui.header import HEADER, render_banner, render_footer
from personamem_ui.keeping import render_keep
from personamem_ui.limits import UPLOAD_FILE_BYTES
from personamem_ui.mcp_json import answer_in_json
from personamem_ui.memory_tab import create_memory_tab, first_session, wire_memory_tab
from personamem_ui.offered import Offered
from personamem_ui.page_guard import PageGuard
from personamem_ui.personas import open_personas
from personamem_ui.sessions import Session
from personamem_ui.sign_in import create_sign_in, wire_sign_in
from personamem_ui.sign_in_guard import SignInGuard
from personamem_ui.submit_tab import create_submit_tab, wire_submit_tab
from personamem_ui.theme import STYLE, TABS, create_theme, open_tabs_js
from personamem_ui.visitor_models import VisitorModels
from personamem_ui.visitors import current_visitor
from personamem_ui.webhook import webhook_route

STATE_LIFE_S = 3600
UPLOADS_CHECKED_S, UPLOADS_KEPT_S = 300, 300
QUEUE_PLACES, EVENTS_AT_ONCE = 256, 8


class Page(gr.Blocks):
    """The page, with the leaderboard that it shows."""

    source: BoardSource
    _tools: Any = None

    @property
    def mcp_server_obj(self) -> Any:
        """The MCP server, which Gradio makes when the page is launched."""
        return self._tools

    @mcp_server_obj.setter
    def mcp_server_obj(self, server: Any) -> None:
        if server is not None:
            answer_in_json(server)
        self._tools = server


def create_page(settings: Settings) -> Page:
    """Lay out the page and connect its events.

    Raises: DataFormatError, HubError: the dataset is broken, or cannot be had.
    """
    models = VisitorModels(choose_model(settings), settings)
    page = Page(title="PersonaMem", analytics_enabled=False, delete_cache=(UPLOADS_CHECKED_S, UPLOADS_KEPT_S))
    page.source = open_source(settings)
    page.space_id = None  # else Gradio adds the Hub's own bar, with fonts and calls to elsewhere
    with page:
        gr.HTML(HEADER, apply_default_css=False)
        gr.HTML(render_banner(models.owner_choice, budget_tokens=settings.visitor_tokens), apply_default_css=False)
        wire_sign_in(create_sign_in(settings), models)
        _create_tabs(page, settings, models)
        gr.HTML(render_footer(models.owner_choice, has_sign_in=settings.has_sign_in), apply_default_css=False)
        page.load(None, js=open_tabs_js())
        add_api(page.source, models)
    # Not open to direct posts, which would pass by the queue and its places.
    page.queue(max_size=QUEUE_PLACES, default_concurrency_limit=EVENTS_AT_ONCE, api_open=False)
    return page


def _tab(key: str) -> gr.Tab:
    return gr.Tab(TABS[key], id=key, elem_id=f"pm-tab-{key}", render_children=True)


def _create_tabs(page: Page, settings: Settings, models: VisitorModels) -> None:
    """Lay out the tabs and connect them; the first two share a visitor's session."""
    people = open_personas(settings)
    session = first_session(people)
    state = gr.State(session, time_to_live=STATE_LIFE_S)
    with gr.Tabs(selected="memory", overflow_behavior="wrap", elem_id="pm-tabs"):
        with _tab("memory"):
            memory_tab = create_memory_tab(session, models, people)
        with _tab("ask"):
            ask_tab = create_ask_tab(session, models)
        with _tab("leaderboard"):
            board_tab = create_board_tab(page.source)
        with _tab("submit"):
            submit_tab = create_submit_tab(page.source)
        with _tab("about"):
            create_about_tab(page.source)

    def show_page(session: Session) -> list[Any]:
        return [*memory_tab.show(session), *ask_tab.show(session)]

    page_outputs = [*memory_tab.outputs, *ask_tab.outputs]
    chosen = wire_memory_tab(memory_tab, state, models, page_outputs=page_outputs, show_page=show_page)
    wire_ask_tab(ask_tab, state, models, page_outputs=page_outputs, show_page=show_page)
    wire_examples(ask_tab, state, chosen)
    if settings.has_sign_in:  # laid out before anybody came

        async def on_open(session: Session) -> str:
            return render_keep(session, settings, current_visitor())

        opened: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private", "queue": False}
        page.load(on_open, [state], [memory_tab.tools.keep], **opened)
    wire_board_tab(board_tab, page)
    wire_submit_tab(submit_tab)


def _offered(page: Page) -> Offered:
    public = [event for event in page.fns.values() if event.api_visibility == "public"]
    functions = {str(event.api_name): signature(event.fn) for event in public if event.fn is not None}
    return Offered(functions, frozenset(page.fns))


def _guards(page: Page) -> list[Middleware]:
    guard = Middleware(PageGuard, uploads=Path(get_upload_folder()), offered=_offered(page), is_starting=True)
    settings = page.source.settings
    return [guard, Middleware(SignInGuard)] if settings is not None and settings.has_sign_in else [guard]


def launch_options(page: Page) -> dict[str, Any]:
    """Return what `launch` needs: looks without external fonts, limits, and nothing recorded."""
    return {
        "theme": create_theme(),
        "css_paths": sorted(STYLE.parent.glob("*.css"), reverse=True),  # style.css first
        "ssr_mode": False,
        "share": False,
        "max_file_size": UPLOAD_FILE_BYTES,
        "app_kwargs": {
            "middleware": _guards(page),
            "routes": [webhook_route(page.source)],
            **dict.fromkeys(("docs_url", "redoc_url", "openapi_url")),
        },
        "mcp_server": importlib.util.find_spec("mcp") is not None,
        "run_history": False,
        "footer_links": ["api", "gradio", "settings"],
        "enable_monitoring": False,
    }
