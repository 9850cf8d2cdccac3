"""How the page looks and is found: colours without external fonts, the words of its head, links to its tabs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import gradio as gr

STYLE = Path(__file__).with_name("style.css")

TABS = {"memory": "Memory", "ask": "Ask", "leaderboard": "Leaderboard", "submit": "Submit", "about": "About"}
"""The tabs' ids, which are also their links (`#leaderboard`, `?tab=leaderboard`), and what stands on them."""

_OPEN_TABS = """() => {
  const ids = TABS;
  const button = (id) => document.getElementById(`pm-tab-${id}-button`);
  const known = (id) => ids.includes(id) ? id : null;
  const wanted = () => known(location.hash.slice(1)) || known(new URLSearchParams(location.search).get('tab'));
  const open = (id) => {
    const found = id && button(id);
    if (found && found.getAttribute('aria-selected') !== 'true') found.click();
  };
  const shown = () => ids.find((id) => button(id)?.getAttribute('aria-selected') === 'true');
  open(wanted());
  addEventListener('hashchange', () => open(known(location.hash.slice(1))));
  document.addEventListener('click', (event) => {
    const link = event.target.closest('a[href^="#"]');
    const id = link && known(link.getAttribute('href').slice(1));
    if (id) { event.preventDefault(); open(id); window.scrollTo({top: 0}); }
    if (id || event.target.closest('[role=tab]')) {
      setTimeout(() => shown() && history.replaceState(null, '', location.pathname + location.search + '#' + shown()));
    }
  });
  document.addEventListener('keydown', (event) => {
    const at = event.target.closest('[role=tab]')?.id.replace(/^pm-tab-|-button$/g, '');
    const step = {ArrowRight: 1, ArrowLeft: -1}[event.key];
    if (!known(at) || !step) return;
    event.preventDefault();
    const next = button(ids[(ids.indexOf(at) + step + ids.length) % ids.length]);
    if (next) { next.click(); next.focus(); }
  });
  document.documentElement.dataset.pmLive = '1';
}"""


def open_tabs_js() -> str:
    """Return the script that opens the tab which the address names, keeps the address true, and hears the arrow keys.

    Its last step marks the page as live: from then on what is clicked is heard.

    The page has a base address, so that a plain `#submit` would load it anew: links between tabs are handled here.
    """
    return _OPEN_TABS.replace("TABS", json.dumps(list(TABS)), 1)


def create_theme() -> Any:
    """Return one calm theme, light and dark, in which every text stands out by 4.5 to 1 and fonts are the system's."""
    fonts = ["system-ui", "-apple-system", "Segoe UI", "Roboto", "Helvetica Neue", "Arial", "sans-serif"]
    return gr.themes.Default(
        primary_hue="indigo", neutral_hue="slate", font=fonts, font_mono=["ui-monospace", "Consolas", "monospace"]
    ).set(
        block_info_text_color="*neutral_600",
        block_info_text_color_dark="*neutral_300",
        block_label_text_color="*neutral_700",
        block_label_text_color_dark="*neutral_200",
        block_title_text_color="*neutral_700",
        block_title_text_color_dark="*neutral_200",
        body_text_color_subdued="*neutral_600",
        body_text_color_subdued_dark="*neutral_300",
        input_placeholder_color="*neutral_600",
        input_placeholder_color_dark="*neutral_300",
        button_primary_background_fill="*primary_600",
        button_primary_background_fill_hover="*primary_700",
        link_text_color="*primary_700",
        link_text_color_dark="*primary_200",
    )
