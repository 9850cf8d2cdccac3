"""Names of licences as a table can be filtered by: one spelling each."""

from __future__ import annotations

import re

_SPDX = re.compile(
    r"[A-Za-z0-9][A-Za-z0-9.+-]{0,63}(?: (?:OR|AND|WITH) [A-Za-z0-9][A-Za-z0-9.+-]{0,63}){0,3}", re.ASCII
)
_WORDS = re.compile(r"\b(?:the|licen[cs]e|version|v(?=\d))|[^a-z0-9+]")
_KNOWN = (
    *("apache-2.0", "mit", "openrail", "bigscience-openrail-m", "creativeml-openrail-m", "cc0-1.0", "cc-by-4.0"),
    *("cc-by-sa-4.0", "cc-by-nc-4.0", "cc-by-nc-sa-4.0", "cc-by-nc-nd-4.0", "cc-by-nd-4.0", "bsd-2-clause"),
    *("bsd-3-clause", "gpl-2.0", "gpl-3.0", "agpl-3.0", "lgpl-3.0", "mpl-2.0", "unlicense", "isc", "artistic-2.0"),
    *("llama2", "llama3", "llama3.1", "llama3.2", "llama3.3", "llama4", "gemma", "other", "proprietary"),
)
_OTHER_NAMES = {"apache2": "apache-2.0", "apache": "apache-2.0", "gplv3": "gpl-3.0", "agplv3": "agpl-3.0"}


def _key(name: str) -> str:
    return _WORDS.sub("", name.casefold())


_BY_KEY = {_key(name): name for name in _KNOWN} | _OTHER_NAMES


def name_licence(text: str) -> str | None:
    """Return a licence by its usual name, as in `apache-2.0` for `Apache License 2.0`.

    A SPDX name or expression that is not among the usual ones stays as it is; None: it is neither.
    """
    known = _BY_KEY.get(_key(text))
    return known or (text if _SPDX.fullmatch(text) else None)
