"""The only reader of the environment."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

REAL_HUB = "https://huggingface.co"
HUB_ROUTER = "https://router.huggingface.co/v1"
_TRUE = frozenset({"1", "ON", "YES", "TRUE"})
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


@dataclass(frozen=True)
class Settings:
    """Configuration from the environment; flags of a command come before it.

    `PERSONAMEM_BASE_URL`, `PERSONAMEM_API_KEY`, `PERSONAMEM_MODEL` fall back to `OPENAI_BASE_URL`,
    `OPENAI_API_KEY` and nothing. `PERSONAMEM_CACHE` (default `$XDG_CACHE_HOME/personamem`) holds model files.
    Downloads trust the certificates of `SSL_CERT_FILE`, `PIP_CERT` or `REQUESTS_CA_BUNDLE`, the first that is set.
    `PERSONAMEM_DATASET` is what the page shows (`mini`, a folder, or `hf://owner/name@revision`).
    `PERSONAMEM_MEMORY` (default `$XDG_DATA_HOME/personamem/memory.db`) is the file of the memories that commands keep.
    `PERSONAMEM_LEADERBOARD` is the owner of the leaderboard's two repos; without it the page has no table to show.
    `PERSONAMEM_WEBHOOK_SECRET` is what the Hub's webhook sends when the table has changed.
    A Space with sign-in sets `OAUTH_CLIENT_ID`; a visitor's own quota is asked at `PERSONAMEM_ROUTER_URL`, and
    `PERSONAMEM_VISITOR_TOKENS` is what one visitor may take of the owner's endpoint in an hour.
    `PERSONAMEM_HOLDOUT_PASSPHRASE` seals and opens held-out personas where no key file is given.
    `PERSONAMEM_PRICES` names a file of the models' prices, by which the page says what an answer costs.
    `HF_ENDPOINT` names the Hub and `HF_TOKEN` who asks (else what `hf auth login` stored). `HUB_TOKENS`
    (`token:user,…`) and `HUB_ORGS` (`org:user+user,…`) say whom the local Hub knows.
    """

    base_url: str | None
    api_key: str | None = field(repr=False)
    model: str | None
    cache_dir: Path
    server_port: int
    num_concurrent: int
    timeout_s: float
    ca_file: Path | None = None
    dataset: str = "mini"
    hub_endpoint: str = REAL_HUB
    hub_token: str | None = field(default=None, repr=False)
    is_hub_offline: bool = False
    local_hub_tokens: str = field(default="", repr=False)
    local_hub_orgs: str = ""
    datasets_dir: Path | None = None
    memory_file: Path = Path("memory.db")
    editor: str = "vi"
    prices_file: Path | None = None
    has_sign_in: bool = False
    router_url: str = HUB_ROUTER
    visitor_tokens: int = 300_000
    leaderboard: str | None = None
    webhook_secret: str | None = field(default=None, repr=False)
    holdout_passphrase: str | None = field(default=None, repr=False)

    @property
    def hub_cache_dir(self) -> Path:
        """Where datasets of the Hub are kept as folders: `datasets_dir`, else beside the model files."""
        return self.datasets_dir or self.cache_dir


def load_settings() -> Settings:
    """Read the environment once.

    Raises: ValueError: a number in the environment is not one.
    """
    env = os.environ
    ca_file = env.get("SSL_CERT_FILE") or env.get("PIP_CERT") or env.get("REQUESTS_CA_BUNDLE")
    cache_home = Path(env.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    data_home = Path(env.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
    return Settings(
        base_url=env.get("PERSONAMEM_BASE_URL") or env.get("OPENAI_BASE_URL"),
        api_key=env.get("PERSONAMEM_API_KEY") or env.get("OPENAI_API_KEY"),
        model=env.get("PERSONAMEM_MODEL"),
        cache_dir=Path(env.get("PERSONAMEM_CACHE") or cache_home / "personamem"),
        server_port=int(env.get("GRADIO_SERVER_PORT") or 7860),
        num_concurrent=int(env.get("PERSONAMEM_CONCURRENCY") or 8),
        timeout_s=float(env.get("PERSONAMEM_TIMEOUT_S") or 120),
        ca_file=Path(ca_file) if ca_file else None,
        dataset=env.get("PERSONAMEM_DATASET") or "mini",
        hub_endpoint=(env.get("HF_ENDPOINT") or REAL_HUB).rstrip("/"),
        hub_token=env.get("HF_TOKEN") or None,
        is_hub_offline=(env.get("HF_HUB_OFFLINE") or "").upper() in _TRUE,
        local_hub_tokens=env.get("HUB_TOKENS") or "",
        local_hub_orgs=env.get("HUB_ORGS") or "",
        memory_file=Path(env.get("PERSONAMEM_MEMORY") or data_home / "personamem" / "memory.db"),
        editor=env.get("VISUAL") or env.get("EDITOR") or "vi",
        prices_file=Path(env["PERSONAMEM_PRICES"]) if env.get("PERSONAMEM_PRICES") else None,
        has_sign_in=bool(env.get("OAUTH_CLIENT_ID") and env.get("SYSTEM") == "spaces"),
        router_url=env.get("PERSONAMEM_ROUTER_URL") or HUB_ROUTER,
        visitor_tokens=int(env.get("PERSONAMEM_VISITOR_TOKENS") or 300_000),
        leaderboard=env.get("PERSONAMEM_LEADERBOARD") or None,
        webhook_secret=env.get("PERSONAMEM_WEBHOOK_SECRET") or None,
        holdout_passphrase=env.get("PERSONAMEM_HOLDOUT_PASSPHRASE") or None,
    )


def prepare_hub_client() -> None:
    """Set what the Hub's client reads when it is imported; call it before anything imports `huggingface_hub`.

    A Hub on this machine offers no Xet storage, and the client would insist on it.
    """
    if urlsplit(os.environ.get("HF_ENDPOINT") or REAL_HUB).hostname in _LOOPBACK:
        os.environ.setdefault("HF_HUB_DISABLE_XET", "1")


def use_hub(endpoint: str, token: str, *, home: Path) -> None:
    """Let this process and its children talk to the Hub at `endpoint`, with a cache of their own in `home`.

    Call it before anything imports `huggingface_hub`.
    """
    os.environ.update(HF_ENDPOINT=endpoint, HF_TOKEN=token, HF_HOME=str(home), HF_HUB_DISABLE_PROGRESS_BARS="1")
    for name in ("HF_HUB_CACHE", "HF_DATASETS_CACHE", "HF_HUB_OFFLINE"):
        os.environ.pop(name, None)
    prepare_hub_client()


def silence_mem0(folder: Path) -> None:
    """Keep mem0 from reporting its use, and from writing into the home folder; it reads both when it is imported."""
    os.environ["MEM0_TELEMETRY"] = "False"
    os.environ["MEM0_DIR"] = str(folder)
