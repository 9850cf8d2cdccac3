"""Discussions and pull requests."""

from __future__ import annotations

import json
import sqlite3
import uuid
from collections.abc import Callable
from typing import Any

from hub_toolkit.local_hub.auth import Viewer
from hub_toolkit.local_hub.calls import Call, text_field
from hub_toolkit.local_hub.errors import RequestError, bad_request
from hub_toolkit.local_hub.repos import MAIN, Repo, utc_now
from hub_toolkit.local_hub.revisions import Commit, Message, add_commit, find_ref, get_commit, set_ref
from hub_toolkit.local_hub.trees import Entry, Tree

PAGE_SIZE = 50
_OPEN = ("open", "draft")


def _event(author: str, kind: str, **data: Any) -> dict[str, Any]:
    return {
        "id": uuid.uuid4().hex[:24],
        "type": kind,
        "createdAt": utc_now(),
        "author": {"name": author},
        "data": data,
    }


def _comment(author: str, text: str) -> dict[str, Any]:
    return _event(author, "comment", edited=False, hidden=False, latest={"raw": text, "html": text}, history=[])


def _note(connection: sqlite3.Connection, repo: Repo, number: int, event: dict[str, Any]) -> dict[str, Any]:
    row = (repo.key, number, json.dumps(event))
    connection.execute("INSERT INTO events(repo, num, event) VALUES(?,?,?)", row)
    return event


def _insert(connection: sqlite3.Connection, repo: Repo, message: Message, status: str, base: Commit | None) -> int:
    query = "SELECT coalesce(max(num), 0) + 1 FROM discussions WHERE repo=?"
    number = int(connection.execute(query, (repo.key,)).fetchone()[0])
    connection.execute(
        "INSERT INTO discussions(repo, num, title, author, status, is_pull_request, created_at, base)"
        " VALUES(?,?,?,?,?,?,?,?)",
        (
            repo.key,
            number,
            message.title,
            message.author,
            status,
            int(base is not None),
            utc_now(),
            base.key if base else None,
        ),
    )
    _note(connection, repo, number, _comment(message.author, message.body))
    return number


def open_pull_request(
    connection: sqlite3.Connection, repo: Repo, message: Message, base: Commit, *, status: str
) -> int:
    """Open a pull request that starts at `base`; return its number."""
    number = _insert(connection, repo, message, status, base)
    set_ref(connection, repo, f"refs/pr/{number}", base.key)
    return number


def note_commit(connection: sqlite3.Connection, repo: Repo, number: int, message: Message, oid: str) -> None:
    """Write a commit into a pull request's story."""
    _note(connection, repo, number, _event(message.author, "commit", subject=message.title, oid=oid))


def _find(connection: sqlite3.Connection, repo: Repo, number: int) -> sqlite3.Row:
    query = "SELECT * FROM discussions WHERE repo=? AND num=?"
    row: sqlite3.Row | None = connection.execute(query, (repo.key, number)).fetchone()
    if row is None:
        raise RequestError(404, f"there is no discussion {number}")
    return row


def check_may_push(connection: sqlite3.Connection, repo: Repo, number: int, viewer: Viewer) -> None:
    """Raise RequestError where somebody may not add commits to a pull request: it is closed, or not theirs."""
    row = _find(connection, repo, number)
    if row["author"] != viewer.named() and not viewer.owns(repo.owner):
        raise RequestError(403, f"pull request {number} belongs to {row['author']}")
    if row["status"] not in _OPEN:
        raise RequestError(403, f"pull request {number} is {row['status']}")


def list_discussions(call: Call) -> dict[str, Any]:
    """List discussions, the newest first, by type, status and author."""
    with call.store.database.read() as connection:
        repo = call.readable(connection)
        rows = connection.execute("SELECT * FROM discussions WHERE repo=? ORDER BY num DESC", (repo.key,)).fetchall()
    query = call.request.query_params
    wanted = [row for row in rows if _is_wanted(row, query.get("type"), query.get("status"), query.get("author"))]
    start = call.number("p", 0) * PAGE_SIZE
    page = [_summary(repo, row) for row in wanted[start : start + PAGE_SIZE]]
    return {"discussions": page, "count": len(wanted), "start": start}


def _is_wanted(row: sqlite3.Row, kind: str | None, status: str | None, author: str | None) -> bool:
    row_kind = "pull_request" if row["is_pull_request"] else "discussion"
    row_status = "open" if row["status"] in _OPEN else "closed"
    return kind in (None, "all", row_kind) and status in (None, "all", row_status) and author in (None, row["author"])


def _summary(repo: Repo, row: sqlite3.Row) -> dict[str, Any]:
    return {
        "num": row["num"],
        "title": row["title"],
        "author": {"name": row["author"], "fullname": row["author"], "type": "user"},
        "status": row["status"],
        "createdAt": row["created_at"],
        "isPullRequest": bool(row["is_pull_request"]),
        "repo": {"name": repo.repo_id, "type": repo.kind},
        "repoOwner": {"name": repo.owner},
        "numComments": 0,
        "pinned": False,
    }


def show_discussion(call: Call) -> dict[str, Any]:
    """Return one discussion with its events, a pull request also with its conflicts."""
    with call.store.database.read() as connection:
        repo = call.readable(connection)
        row = _find(connection, repo, _number(call))
        query = "SELECT event FROM events WHERE repo=? AND num=? ORDER BY key"
        found = _summary(repo, row)
        found["events"] = [json.loads(event[0]) for event in connection.execute(query, (repo.key, row["num"]))]
        if row["is_pull_request"]:
            merged = {"mergeCommitId": row["merge_oid"]} if row["merge_oid"] else {}
            _, conflicts, _ = _merge(call, connection, repo, row) if row["status"] in _OPEN else ({}, [], None)
            found.update(changes={"base": MAIN, **merged}, filesWithConflicts=conflicts, diff="")
    return found


def _number(call: Call) -> int:
    text = call.params["number"]
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise RequestError(404, "there is no such discussion")
    return int(text)


def create_discussion(call: Call) -> dict[str, Any]:
    """Open a discussion, or a pull request as a draft."""
    body = call.json()
    title = text_field(body, "title", limit=200).strip()
    if len(title) < 3:
        raise bad_request('"title" must have at least 3 letters')
    message = Message(title, text_field(body, "description", default=""), call.viewer.named())
    is_pull_request = bool(body.get("pullRequest"))
    with call.store.database.write() as connection:
        repo = call.readable(connection)
        head = find_ref(connection, repo, MAIN)
        if is_pull_request and head is not None:
            number = open_pull_request(connection, repo, message, head, status="draft")
        else:
            number = _insert(connection, repo, message, "open", None)
    return {"num": number, "pullRequest": is_pull_request}


Change = Callable[[Call, sqlite3.Connection, Repo, sqlite3.Row], dict[str, Any]]


def change_discussion(call: Call) -> dict[str, Any]:
    """Comment on a discussion, rename, open or close it, or merge a pull request."""
    change = _CHANGES.get(call.params["action"])
    if change is None:
        raise RequestError(404, "a discussion takes comment, title, status or merge")
    call.viewer.named()
    with call.store.database.write() as connection:
        repo = call.readable(connection)
        event = change(call, connection, repo, _find(connection, repo, _number(call)))
    return {"newMessage": event, "newTitle": event, "newStatus": event}


def _add_comment(call: Call, connection: sqlite3.Connection, repo: Repo, row: sqlite3.Row) -> dict[str, Any]:
    text = text_field(call.json(), "comment", limit=65_536)
    return _note(connection, repo, row["num"], _comment(call.viewer.named(), text))


def _check_in_charge(call: Call, repo: Repo, row: sqlite3.Row) -> None:
    if row["author"] != call.viewer.user and not call.viewer.owns(repo.owner):
        raise RequestError(403, f"only {row['author']} and the owners of {repo.repo_id} may do that")


def _set_title(call: Call, connection: sqlite3.Connection, repo: Repo, row: sqlite3.Row) -> dict[str, Any]:
    _check_in_charge(call, repo, row)
    title = text_field(call.json(), "title", limit=200).strip()
    connection.execute("UPDATE discussions SET title=? WHERE repo=? AND num=?", (title, repo.key, row["num"]))
    event = _event(call.viewer.named(), "title-change", **{"from": row["title"], "to": title})
    return _note(connection, repo, row["num"], event)


def _set_status(call: Call, connection: sqlite3.Connection, repo: Repo, row: sqlite3.Row) -> dict[str, Any]:
    _check_in_charge(call, repo, row)
    body = call.json()
    status = body.get("status")
    if status not in ("open", "closed") or row["status"] == "merged":
        raise bad_request(f"a discussion that is {row['status']} can become open or closed unless it was merged")
    if comment := text_field(body, "comment", default="", limit=65_536):
        _note(connection, repo, row["num"], _comment(call.viewer.named(), comment))
    return _become(call, connection, repo, row, str(status))


def _become(call: Call, connection: sqlite3.Connection, repo: Repo, row: sqlite3.Row, status: str) -> dict[str, Any]:
    connection.execute("UPDATE discussions SET status=? WHERE repo=? AND num=?", (status, repo.key, row["num"]))
    return _note(connection, repo, row["num"], _event(call.viewer.named(), "status-change", status=status))


def _merge_pull_request(call: Call, connection: sqlite3.Connection, repo: Repo, row: sqlite3.Row) -> dict[str, Any]:
    call.writable(connection)
    if not row["is_pull_request"] or row["status"] != "open":
        raise bad_request(f"discussion {row['num']} is {row['status']}: only an open pull request can be merged")
    tree, conflicts, head = _merge(call, connection, repo, row)
    if conflicts or head is None:
        raise RequestError(409, f"merge conflict in {', '.join(conflicts[:5])}")
    author = call.viewer.named()
    message = Message(f"{row['title']} (#{row['num']})", text_field(call.json(), "comment", default=""), author)
    made = add_commit(connection, call.store.trees, repo, head, tree, message)
    set_ref(connection, repo, MAIN, made.key)
    connection.execute("UPDATE discussions SET merge_oid=? WHERE repo=? AND num=?", (made.oid, repo.key, row["num"]))
    return _become(call, connection, repo, row, "merged")


def _merge(
    call: Call, connection: sqlite3.Connection, repo: Repo, row: sqlite3.Row
) -> tuple[dict[str, Entry], list[str], Commit | None]:
    """Return the merged tree, the paths that both sides changed differently, and the head it goes on."""
    trees = call.store.trees
    head, tip = find_ref(connection, repo, MAIN), find_ref(connection, repo, f"refs/pr/{row['num']}")
    if head is None or tip is None:
        return {}, [], None
    base: Tree = trees.load(connection, get_commit(connection, row["base"]).key)
    theirs = trees.load(connection, tip.key)
    merged = dict(trees.load(connection, head.key))
    conflicts = []
    for path in sorted(base.keys() | theirs.keys()):
        old, new, ours = base.get(path), theirs.get(path), merged.get(path)
        if old == new or ours == new:
            continue
        if ours != old:
            conflicts.append(path)
        elif new is None:
            del merged[path]
        else:
            merged[path] = new
    return merged, conflicts + _overlaps(merged), head


def _overlaps(tree: Tree) -> list[str]:
    folders = {path[:index] for path in tree for index, letter in enumerate(path) if letter == "/"}
    return sorted(folders & tree.keys())


_CHANGES: dict[str, Change] = {
    "comment": _add_comment,
    "title": _set_title,
    "status": _set_status,
    "merge": _merge_pull_request,
}
