"""What must not be remembered, in one place: secrets, and what the user asked to forget."""

from __future__ import annotations

from hub_toolkit.memory.forget.forget_requests import forget_request
from hub_toolkit.memory.forget.stem_hashes import hash_stems
from hub_toolkit.memory.forget.tombstones import concerns
from hub_toolkit.memory.secret.secret_text import has_secret

__all__ = ["concerns", "forget_request", "has_secret", "hash_stems"]
