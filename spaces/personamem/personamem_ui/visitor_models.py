"""The page's model as one visitor meets it: the owner's under a budget, or one of their own quota on the Hub."""

from __future__ import annotations

import asyncio
import re
from collections import OrderedDict
from dataclasses import replace

from hub_toolkit.errors import ProviderError
from hub_toolkit.models.base import ChatModel
from hub_toolkit.models.registry import load_model
from hub_toolkit.settings import Settings
from personamem_ui.answering import ModelChoice, PageModel
from personamem_ui.budget import TokenBudget
from personamem_ui.limited_model import LimitedModel
from personamem_ui.visitors import Visitor, current_visitor

MAX_SESSIONS = 5_000
_MODEL_ID = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}(?::[a-z0-9-]{1,40})?")


class VisitorModels(PageModel):
    """One for the whole page. It remembers which model a session asked for, and no token."""

    def __init__(self, choice: ModelChoice, settings: Settings) -> None:
        self._owner_choice = choice
        super().__init__(choice, settings)
        self.budget = TokenBudget(settings.visitor_tokens)
        self._chosen: OrderedDict[str, str] = OrderedDict()

    @property
    def choice(self) -> ModelChoice:
        """Which model answers the visitor of the event under way; outside of one, the owner's."""
        own = self._own_model(current_visitor())
        return ModelChoice("endpoint", f"openai/{own}") if own else self._owner_choice

    @choice.setter
    def choice(self, choice: ModelChoice) -> None:
        self._owner_choice = choice

    @property
    def owner_choice(self) -> ModelChoice:
        """The model that the page's owner set."""
        return self._owner_choice

    async def open(self) -> ChatModel:
        """Return the visitor's model with its limits. Raises: ProviderError: it is not there, or not set up."""
        visitor = current_visitor()
        own = self._own_model(visitor)
        if own is not None:
            settings = replace(self.settings, base_url=self.settings.router_url, api_key=visitor.token)
            model = await asyncio.to_thread(load_model, f"openai/{own}", settings=settings)
            return LimitedModel(model, budget=None, key=visitor.key, is_closed_after=True)
        model = await super().open()
        budget = self.budget if self._owner_choice.kind == "endpoint" else None
        return LimitedModel(model, budget=budget, key=visitor.key)

    def use_own(self, model_id: str | None) -> None:
        """Let the current visitor's session ask this model of the Hub with their own quota; None ends that.

        Raises: ProviderError: no name of a model, or nobody is signed in.
        """
        visitor = current_visitor()
        self._chosen.pop(visitor.session, None)
        if model_id is None:
            return
        if visitor.token is None:
            raise ProviderError("sign in first: the quota is that of your own account", kind="auth")
        if not _MODEL_ID.fullmatch(model_id):
            raise ProviderError("that is no model of the Hub: write it like owner/name", kind="bad_request")
        self._chosen[visitor.session] = model_id
        while len(self._chosen) > MAX_SESSIONS:
            self._chosen.popitem(last=False)

    def _own_model(self, visitor: Visitor) -> str | None:
        return self._chosen.get(visitor.session) if visitor.token is not None else None
