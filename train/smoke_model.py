"""SmolLM2-135M as a folder of transformers: dense weights out of the GGUF that `personamem models fetch` brings."""

from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path

from hub_toolkit.errors import PersonaMemError
from hub_toolkit.hub.client import require_packages
from hub_toolkit.models.fetch import cached_gguf
from hub_toolkit.settings import Settings

INSTALL = "pip install -e '.[train]'"
CONTEXT_TOKENS = 8192


def write_smollm2(out: Path, settings: Settings) -> Path:
    """Write model and tokenizer to `out`, float32; a folder that is there already is left as it is.

    Raises: PersonaMemError: the GGUF is not in the cache, or a package is missing.
    """
    if (out / "config.json").is_file():
        return out
    require_packages("torch", "transformers", "gguf", install=INSTALL)
    gguf = cached_gguf(settings.cache_dir)
    if gguf is None:
        raise PersonaMemError("SmolLM2-135M is not in the cache: run `personamem models fetch`, or name --model FOLDER")
    staging = out.with_name(f".{out.name}.part")
    shutil.rmtree(staging, ignore_errors=True)
    try:
        _convert(gguf, staging)
        staging.rename(out)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return out


def can_convert() -> bool:
    """Whether this Python can read a GGUF into transformers."""
    return all(importlib.util.find_spec(name) is not None for name in ("torch", "transformers", "gguf"))


def _convert(gguf: Path, out: Path) -> None:
    """The loaded model is marked as quantised and cannot be saved: its weights go into a fresh one."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig, LlamaForCausalLM

    loaded = AutoModelForCausalLM.from_pretrained(gguf.parent, gguf_file=gguf.name, dtype=torch.float32)
    fields = loaded.config.to_dict()
    for name in ("quantization_config", "_name_or_path", "_model_name_or_path"):
        fields.pop(name, None)
    model = LlamaForCausalLM(LlamaConfig(**fields))
    model.load_state_dict(loaded.state_dict())
    model.generation_config = loaded.generation_config
    model.save_pretrained(out)
    AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name).save_pretrained(out)
