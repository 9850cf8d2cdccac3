"""An adapter put into its base: merged in float32, checked against the unmerged model, saved as a checkpoint."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hub_toolkit.errors import DataFormatError, PersonaMemError
from hub_toolkit.hub.checkpoints.checkpoint_config import ADAPTER_CONFIG
from hub_toolkit.hub.checkpoints.checkpoint_record import RECORD_FILE

TOLERANCE = 1e-3
"""The largest difference of logits, as a share of the largest logit, that merging in float32 may make."""

_PROBE_TOKENS = 48


@dataclass(frozen=True)
class MergeReport:
    """How far the logits moved, as shares of the largest one: by merging in float32, and by saving in `dtype`."""

    base: str
    out: Path
    dtype: str
    merge_error: float
    save_error: float


def merge_adapter(adapter: Path, out: Path, *, base: str | None = None, dtype: str | None = None) -> MergeReport:
    """Merge an adapter's folder into its base and write the full model to the new folder `out`.

    `base` is where the base lies, if not where the adapter says. `dtype` is what is saved; default: the base's own.

    Raises: DataFormatError: no adapter there, or `out` exists. PersonaMemError: merging changed what the model says;
        nothing is left behind.
    """
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer

    source = base or _read_base(adapter)
    if out.exists():
        raise DataFormatError("is there already; name a new folder", file=str(out))
    saved_dtype = _choose_dtype(source, dtype)
    model = AutoModelForCausalLM.from_pretrained(source, dtype=torch.float32)
    carrier = PeftModel.from_pretrained(model, str(adapter)).eval()
    before = _probe(carrier)
    merged = carrier.merge_and_unload(safe_merge=True).eval()
    merge_error = _difference(before, _probe(merged))
    if not merge_error <= TOLERANCE:
        raise PersonaMemError(
            f"{adapter}: merging moved the logits by {merge_error:.2e} of the largest one (allowed: {TOLERANCE:g}); "
            "is this the base that the adapter was trained on?"
        )
    staging = out.with_name(f".{out.name}.part")
    shutil.rmtree(staging, ignore_errors=True)
    try:
        merged.to(getattr(torch, saved_dtype)).save_pretrained(staging)
        _find_tokenizer(AutoTokenizer, adapter, source).save_pretrained(staging)
        if (adapter / RECORD_FILE).is_file():
            shutil.copyfile(adapter / RECORD_FILE, staging / RECORD_FILE)
        again = AutoModelForCausalLM.from_pretrained(staging, dtype=torch.float32).eval()
        save_error = _difference(before, _probe(again))
        staging.rename(out)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return MergeReport(source, out, saved_dtype, merge_error, save_error)


def _read_base(adapter: Path) -> str:
    path = adapter / ADAPTER_CONFIG
    if not path.is_file():
        raise DataFormatError("is missing; name the folder of an adapter", file=str(path))
    try:
        found = json.loads(path.read_text("utf-8")).get("base_model_name_or_path")
    except (ValueError, AttributeError) as error:
        raise DataFormatError(f"is no JSON object ({error})", file=str(path)) from error
    if not found:
        raise DataFormatError("names no base; say it with --base", file=str(path), column="base_model_name_or_path")
    return str(found)


def _choose_dtype(source: str, wanted: str | None) -> str:
    """Return the base's own dtype where none is wanted."""
    from transformers import AutoConfig

    if wanted in ("float32", "bfloat16", "float16"):
        return wanted
    if wanted:
        raise PersonaMemError(f"--dtype {wanted}: take float32, bfloat16 or float16")
    own = AutoConfig.from_pretrained(source).dtype
    return str(own).removeprefix("torch.") if own is not None else "float32"


def _find_tokenizer(loader: Any, adapter: Path, source: str) -> Any:
    """Take the tokenizer that was saved with the adapter, which may have a chat template of its own."""
    has_own = (adapter / "tokenizer_config.json").is_file()
    return loader.from_pretrained(str(adapter) if has_own else source)


def _probe(model: Any) -> Any:
    """Return the logits on a fixed row of tokens spread over the vocabulary."""
    import torch

    vocab = model.get_input_embeddings().num_embeddings
    ids = torch.arange(_PROBE_TOKENS).remainder(vocab) * max(vocab // _PROBE_TOKENS, 1) % vocab
    with torch.no_grad():
        return model(input_ids=ids.unsqueeze(0)).logits.float()


def _difference(before: Any, after: Any) -> float:
    return float((before - after).abs().max() / before.abs().max().clamp(min=1e-12))
