"""Chats that people bring from elsewhere: the export archives of ChatGPT and Claude, and plain messages."""

from hub_toolkit.data.chat_exports.reading import read_export
from hub_toolkit.data.chat_exports.sessions import ChatSession, ExportLimits, Skipped

__all__ = ["ChatSession", "ExportLimits", "Skipped", "read_export"]
