"""`personamem memory`: its commands, loaded when called."""

from __future__ import annotations

from hub_toolkit.cli.lazy import Entry, LazyGroup

_ROOM = "hub_toolkit.cli.memory_"

COMMANDS = {
    "add": Entry(_ROOM + "edit", "add_command", "Write a bullet."),
    "build": Entry(_ROOM + "build", "build_command", "Build a memory file from a history file."),
    "consolidate": Entry(_ROOM + "import", "consolidate_command", "Join what says the same, and rank it."),
    "delete": Entry(_ROOM + "edit", "delete_command", "Remove a bullet; past versions keep it."),
    "delete-user": Entry(_ROOM + "forget", "delete_user_command", "Remove a memory whole, with all its versions."),
    "diff": Entry(_ROOM + "show", "diff_command", "Show what changed between two versions."),
    "edit": Entry(_ROOM + "edit", "edit_command", "Change a bullet, or all of them in your editor."),
    "export": Entry(_ROOM + "import", "export_command", "Write the memory to a file."),
    "forget": Entry(_ROOM + "forget", "forget_command", "Forget a matter: here, in past versions, and for the future."),
    "frontier": Entry(_ROOM + "consolidate", "frontier_command", "Measure what caps and passes are worth."),
    "held": Entry(_ROOM + "rules", "held_group", "Decide on what looked like an instruction."),
    "import": Entry(_ROOM + "import", "import_command", "Read chats, or an export of ChatGPT, Claude or this program."),
    "log": Entry(_ROOM + "show", "log_command", "List the versions."),
    "merge": Entry(_ROOM + "edit", "merge_command", "Put bullets together under new words."),
    "pin": Entry(_ROOM + "edit", "pin_command", "Keep a bullet as it is."),
    "recall": Entry(_ROOM + "show", "recall_command", "Print what a prompt may know for a question."),
    "receipts": Entry(_ROOM + "show", "receipts_command", "List what was refused, held, forgotten and purged."),
    "redo": Entry(_ROOM + "edit", "redo_command", "Take an undo back."),
    "remember": Entry(_ROOM + "import", "remember_command", "Read chats into the memory."),
    "rule": Entry(_ROOM + "rules", "rule_group", "Say what may never be remembered."),
    "search": Entry(_ROOM + "show", "search_command", "Find bullets."),
    "serve": Entry(_ROOM + "serve", "serve_command", "Serve memories over HTTP and MCP."),
    "show": Entry(_ROOM + "show", "show_command", "Print the memory."),
    "undo": Entry(_ROOM + "edit", "undo_command", "Go back one change, or to a version."),
    "unpin": Entry(_ROOM + "edit", "unpin_command", "Let go of a pinned bullet."),
    "users": Entry(_ROOM + "show", "users_command", "List whose memories the file holds."),
    "why": Entry(_ROOM + "show", "why_command", "Say where a bullet comes from."),
}

memory = LazyGroup("memory", entries=COMMANDS, help="Build, audit, correct and bound personal memories.")
