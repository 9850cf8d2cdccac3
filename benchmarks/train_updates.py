"""What does an update of each recipe cost on one device, and what does each knob buy?

`python benchmarks/train_updates.py --device cuda [--model qwen3-4b] [--stages sft grpo memory_grpo] [--knobs …]` runs
forward and backward of TRL's own losses, random weights, bf16: one SFT row of 32k tokens, one GRPO row of 32k tokens of
prompt and 2k of reply, and the rows of memory-GRPO rollouts as the trainer cuts them into passes. `recipe` is what the
recipes say (recomputed activations, TRL's fused head, sdpa); every other line changes one thing. `step` takes an AdamW
step too, which is where its states are counted. Tokens are those of the rows; MFU is what they need, recomputation left
out, over the matmul rate that was measured in the same run. What does not fit, or is not installed, is said and has no
figure. `--shrink 64 --model tiny --device cpu` rehearses it. The figures are JSON on the last line.
"""

from __future__ import annotations

import argparse
import gc
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.train_memory import (
    Batch,
    Row,
    build_model,
    draw_rollouts,
    make_batch,
    matmul_rate,
    needed_flops,
    plan,
    time_it,
)
from train.memory.passes import lay_out

CONTEXT, REPLY, TARGET = 32_768, 2_048, 128
TOKENS_PER_PASS = 32_768
STAGES = ("sft", "grpo", "memory_grpo")
LORA_RANK = 32


@dataclass(frozen=True)
class Knobs:
    """How one line differs from the recipe."""

    attention: str = "sdpa"
    dtype: torch.dtype = torch.bfloat16
    is_checkpointing: bool = True
    has_fused_head: bool = True
    rank: int = 0
    has_step: bool = False


RECIPE = Knobs()
KNOBS: dict[str, Knobs] = {
    "recipe": RECIPE,
    "step": replace(RECIPE, has_step=True),
    "float32": replace(RECIPE, dtype=torch.float32),
    "keep_activations": replace(RECIPE, is_checkpointing=False),
    "whole_logits": replace(RECIPE, has_fused_head=False),
    "flash": replace(RECIPE, attention="flash_attention_2"),
    "eager": replace(RECIPE, attention="eager"),
    "adapter": replace(RECIPE, rank=LORA_RANK),
}
"""`float32`: weights as the recipes keep them, the arithmetic bf16; `whole_logits`: the model's own head."""


def draw_rows(stage: str, options: argparse.Namespace) -> list[list[Row]]:
    """Return the rows of each pass."""
    shrink = options.shrink
    if stage == "memory_grpo":
        rollouts = draw_rollouts(options.rollouts, shrink=shrink, seed=0)
        return plan("pad", rollouts, TOKENS_PER_PASS // shrink)[0]
    if stage == "sft":
        return [[Row((CONTEXT - TARGET) // shrink, max(TARGET // shrink, 2))]]
    return [[Row(CONTEXT // shrink, max(REPLY // shrink, 2))]]


def make_model(knobs: Knobs, options: argparse.Namespace) -> Any:
    """Return the model of one line."""
    model = build_model(
        options.model,
        device=options.device,
        dtype=knobs.dtype,
        attention=knobs.attention,
        is_checkpointing=knobs.is_checkpointing,
    )
    if not knobs.rank:
        return model
    from peft import LoraConfig, get_peft_model

    model.enable_input_require_grads()
    return get_peft_model(model, LoraConfig(r=knobs.rank, lora_alpha=2 * knobs.rank, target_modules="all-linear"))


def run_pass(model: Any, batch: Batch, knobs: Knobs) -> None:
    """Do a forward and backward pass: the negative log-likelihood, which has GRPO's cost, of the scored tokens."""
    layout = lay_out(batch.input_ids, batch.attention_mask, batch.num_completion, layout="pad")
    device = batch.input_ids.device.type
    with torch.autocast(device, torch.bfloat16, enabled=knobs.dtype == torch.float32 and device == "cuda"):
        if knobs.has_fused_head:
            made = model(**layout.inputs, labels=layout.labels, fused_lm_head=True, use_cache=False)
            loss = -made.log_probs.sum() / made.label_mask.sum()
        else:
            loss = model(**layout.inputs, labels=layout.labels, use_cache=False).loss
    loss.backward()


def measure_line(name: str, options: argparse.Namespace) -> list[dict[str, Any]]:
    """Return one line's figures for each stage, on one model; `reason` instead, where it cannot run."""
    knobs = KNOBS[name] if options.device == "cuda" else replace(KNOBS[name], dtype=torch.float32)
    try:
        model = make_model(knobs, options)
    except ImportError as error:
        reason = f"is not installed: {str(error).splitlines()[0][:60]}"
        return [{"stage": stage, "line": name, "reason": reason} for stage in options.stages]
    found = []
    for stage in options.stages:
        try:
            figures = measure(stage, model, knobs, options)
        except torch.OutOfMemoryError:
            figures = {"reason": "does not fit"}
        found.append({"stage": stage, "line": name, **figures})
        model.zero_grad(set_to_none=True)
        free_memory(options.device)
    return found


def free_memory(device: str) -> None:
    """Give back what nobody holds."""
    gc.collect()
    if device == "cuda":
        torch.cuda.empty_cache()


def measure(stage: str, model: Any, knobs: Knobs, options: argparse.Namespace) -> dict[str, Any]:
    """Run one stage's update and return its figures."""
    passes = draw_rows(stage, options)
    batches = [make_batch(rows, device=options.device, vocab=model.config.vocab_size) for rows in passes]
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad]) if knobs.has_step else None

    def work() -> None:
        for batch in batches:
            run_pass(model, batch, knobs)
        if optimizer is not None:
            optimizer.step()
        model.zero_grad(set_to_none=True)

    if options.device == "cuda":
        torch.cuda.reset_peak_memory_stats()
    work()  # kernels are chosen, memory is taken
    seconds = min(time_it(work, options.device) for _ in range(options.runs))
    rows = [row for one in passes for row in one]
    tokens = sum(row.size for row in rows)
    flops = needed_flops(model, [rows]) if not knobs.rank else None  # an adapter needs fewer: no figure
    return {
        "passes": len(passes),
        "tokens": tokens,
        "seconds": round(seconds, 4),
        "tokens_per_s": round(tokens / seconds, 1),
        "mfu": round(flops / seconds / options.rate, 4) if flops else None,
        "peak_gib": round(torch.cuda.max_memory_allocated() / 2**30, 2) if options.device == "cuda" else None,
    }


def render(found: dict[str, Any], base: dict[str, Any]) -> str:
    """Return a line of the table; `base` is the recipe's own of the same stage."""
    name = f"{found['line']:<18}{found['stage']:<13}"
    if "reason" in found:
        return name + str(found["reason"])
    mfu = "-" if found["mfu"] is None else f"{found['mfu']:.1%}"
    peak = "-" if found["peak_gib"] is None else f"{found['peak_gib']:.1f}"
    ratio = f"{found['tokens_per_s'] / base['tokens_per_s']:.2f}" if "tokens_per_s" in base else "-"
    return f"{name}{found['tokens']:>9,}{found['tokens_per_s']:>12,.0f}{mfu:>8}{peak:>10}{ratio:>10}"


def parse_options(words: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cuda")
    parser.add_argument("--model", default="qwen3-4b", help="qwen3-4b, tiny, or a folder with a config.json")
    parser.add_argument("--stages", nargs="+", choices=STAGES, default=list(STAGES))
    parser.add_argument("--knobs", nargs="+", choices=tuple(KNOBS), default=list(KNOBS))
    parser.add_argument("--rollouts", type=int, default=4, help="of memory GRPO")
    parser.add_argument("--shrink", type=int, default=1, help="divide all lengths, to fit a CPU")
    parser.add_argument("--runs", type=int, default=2)
    return parser.parse_args(words)


def main(words: Sequence[str] | None = None) -> int:
    """Print the table and the figures."""
    options = parse_options(words)
    if options.device == "cuda" and not torch.cuda.is_available():
        print("error: --device cuda: there is no CUDA device here", file=sys.stderr)
        return 1
    torch.manual_seed(0)
    options.rate = matmul_rate(options.device, torch.bfloat16 if options.device == "cuda" else torch.float32)
    print(f"matmul {options.rate / 1e12:.1f} TFLOP/s")
    print(f"{'line':<18}{'stage':<13}{'tokens':>9}{'tokens/s':>12}{'MFU':>8}{'peak GiB':>10}{'x recipe':>10}")
    lines: list[dict[str, Any]] = []
    bases: dict[str, dict[str, Any]] = {}
    for name in options.knobs:
        free_memory(options.device)
        for found in measure_line(name, options):
            if name == "recipe":
                bases[found["stage"]] = found
            lines.append(found)
            print(render(found, bases.get(found["stage"], {})), flush=True)
    device = str(torch.cuda.get_device_name()) if options.device == "cuda" else "cpu"
    sizes = {"device": device, "model": options.model, "shrink": options.shrink}
    print(json.dumps({**sizes, "matmul_flops": options.rate, "lines": lines}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
