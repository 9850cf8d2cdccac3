"""What does a memory-GRPO update cost, beside rows padded to the longest and beside one long row a rollout?

`python benchmarks/train_memory.py [--shrink N] [--rollouts N] [--device cuda] [--model FOLDER|qwen3-4b]` draws rows as
they come at 32k (six to eight updates of up to 5,000 + 2,048 tokens of prompt and 2,048 of reply, then a short answer;
all lengths divided by `--shrink`), and runs forward and backward of the very trainer's update over them, in four ways:
`pad` and `pack` as the trainer cuts passes, `longest` (every row padded to the longest of the batch, unused turns too,
in passes of the same budget), and `concatenated` (a rollout's conversations as one row, each reading all before it: not
the same loss, and here only for its cost). Weights are random. MFU is over the matmul rate measured in the same run.
The figures are JSON on the last line.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, AutoModelForCausalLM, Qwen3Config
from trl.trainer.utils import add_fused_lm_head

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from train.memory.passes import count_tokens, lay_out, pick_scored, plan_passes

WAYS = ("pad", "pack", "longest", "concatenated")
MAX_TURNS = 8
CHUNK, CAP, ANSWER = 5000, 2048, 2048
PROMPT_WORDS, QUESTION = 420, (250, 900)
MATMUL_SIDE = {"cuda": 8192, "cpu": 1024}
QWEN3_4B = {
    "vocab_size": 151_936,
    "hidden_size": 2560,
    "intermediate_size": 9728,
    "num_hidden_layers": 36,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "head_dim": 128,
    "tie_word_embeddings": True,
    "rope_theta": 5_000_000.0,
    "max_position_embeddings": 262_144,
}
TINY = QWEN3_4B | {
    "vocab_size": 512,
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 16,
}


@dataclass(frozen=True)
class Row:
    """One conversation: the tokens of its prompt and of its reply."""

    prompt: int
    reply: int

    @property
    def size(self) -> int:
        return self.prompt + self.reply


@dataclass(frozen=True)
class Batch:
    """What goes through the model in one pass, as TRL pads it: prompts left, replies right."""

    input_ids: torch.Tensor
    attention_mask: torch.Tensor
    num_completion: int


def draw_rollouts(num_rollouts: int, *, shrink: int, seed: int) -> list[list[Row]]:
    """Return rollouts of rows whose lengths are those of a 32k history, divided by `shrink`."""
    rng = random.Random(f"train_memory:{seed}")
    rollouts = []
    for _ in range(num_rollouts):
        num_turns, memory, rows = rng.choice((6, 7, 7, 8)), 0, []
        for turn in range(num_turns):
            chunk = rng.randint(4300, CHUNK) if turn + 1 < num_turns else rng.randint(300, CHUNK)
            written = max(40, min(CAP, int(rng.gauss(250 * (turn + 1), 200)) + 300))
            rows.append(Row(PROMPT_WORDS + chunk + memory, written))
            memory = written
        rows.append(Row(memory + rng.randint(*QUESTION), min(ANSWER, int(rng.expovariate(1 / 300)) + 20)))
        rollouts.append([Row(max(2, row.prompt // shrink), max(2, row.reply // shrink)) for row in rows])
    return rollouts


def make_batch(rows: Sequence[Row], *, device: str, vocab: int, width: tuple[int, int] | None = None) -> Batch:
    """Return random tokens in the rows' shape; `width` pads to more than these rows need."""
    prompt = width[0] if width else max(row.prompt for row in rows)
    reply = width[1] if width else max(row.reply for row in rows)
    places = torch.arange(prompt + reply, device=device)[None]
    starts = torch.tensor([[prompt - row.prompt] for row in rows], device=device)
    ends = torch.tensor([[prompt + row.reply] for row in rows], device=device)
    ids = torch.randint(1, vocab, (len(rows), prompt + reply), device=device)
    return Batch(ids, ((places >= starts) & (places < ends)).long(), reply)


def plan(way: str, rollouts: Sequence[Sequence[Row]], budget: int) -> tuple[list[list[Row]], int]:
    """Return the rows of each pass, and how many tokens all passes compute."""
    if way == "concatenated":
        rows = [Row(rollout[0].prompt, sum(row.size for row in rollout) - rollout[0].prompt) for rollout in rollouts]
        return [[row] for row in rows], sum(row.size for row in rows)
    rows = [row for rollout in rollouts for row in rollout]
    if way == "longest":
        rows += [Row(1, 1)] * (len(rollouts) * (MAX_TURNS + 1) - len(rows))
        width = max(row.prompt for row in rows) + max(row.reply for row in rows)
        size = max(1, budget // width)
        return [rows[at : at + size] for at in range(0, len(rows), size)], width * len(rows)
    lengths = [row.size for row in rows]
    passes = plan_passes(lengths, tokens_per_pass=budget, layout=way)
    computed = sum(count_tokens(lengths, one, layout=way) for one in passes)
    return [[rows[place] for place in one] for one in passes], computed


def build_model(
    name: str, *, device: str, dtype: torch.dtype, attention: str, is_checkpointing: bool | None = None
) -> Any:
    """Return a model of random weights in training mode, TRL's head on it; by default a GPU recomputes activations."""
    if name in ("tiny", "qwen3-4b"):
        config: Any = Qwen3Config(**(TINY if name == "tiny" else QWEN3_4B))
    else:
        config = AutoConfig.from_pretrained(name)
    with torch.device(device):  # random weights are drawn where they stay
        model = AutoModelForCausalLM.from_config(config, dtype=dtype, attn_implementation=attention).train()
    if device == "cuda" if is_checkpointing is None else is_checkpointing:
        model.gradient_checkpointing_enable()
    add_fused_lm_head(model, outputs=("log_probs", "entropy"))
    return model


def run_pass(model: Any, batch: Batch, way: str) -> None:
    """Do a forward and backward pass as the trainer does it; `longest` keeps the padding as it is."""
    if way == "longest":
        labels = batch.input_ids.masked_fill(batch.attention_mask == 0, -100)
        labels[:, : -batch.num_completion] = -100
        made = model(input_ids=batch.input_ids, attention_mask=batch.attention_mask, labels=labels, fused_lm_head=True)
        scores = made.log_probs[:, -batch.num_completion :]
    else:
        layout = lay_out(
            batch.input_ids, batch.attention_mask, batch.num_completion, layout="pack" if way == "pack" else "pad"
        )
        made = model(**layout.inputs, labels=layout.labels, fused_lm_head=True)
        scores = pick_scored(made.log_probs, layout, batch.attention_mask[:, -batch.num_completion :])
    scores.sum().backward()


def time_it(work: Callable[[], None], device: str) -> float:
    """Return the seconds that `work` takes, the device waited for."""
    if device == "cuda":
        torch.cuda.synchronize()
    started = time.perf_counter()
    work()
    if device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - started


def matmul_rate(device: str, dtype: torch.dtype) -> float:
    """Return the floating-point operations a second of a large matrix product."""
    side = MATMUL_SIDE[device]
    left, right = (torch.randn(side, side, device=device, dtype=dtype) for _ in range(2))
    times = [time_it(lambda: _multiply(left, right), device) for _ in range(6)]
    return 2.0 * float(side) ** 3 / min(times)


def _multiply(left: torch.Tensor, right: torch.Tensor) -> None:
    torch.mm(left, right)


def needed_flops(model: Any, rollouts: Sequence[Sequence[Row]]) -> float:
    """Return the operations that the rows need, forward and backward: no padding, and no second forward."""
    config = model.config
    inner = sum(p.numel() for name, p in model.named_parameters() if "embed" not in name and "lm_head" not in name)
    head = config.vocab_size * config.hidden_size
    attention = 2 * config.num_hidden_layers * config.num_attention_heads * config.head_dim
    rows = [row for rollout in rollouts for row in rollout]
    forward: float = sum(2 * inner * row.size + 2 * head * row.reply + attention * row.size**2 for row in rows)
    return 3.0 * forward


def measure(way: str, model: Any, rollouts: Sequence[Sequence[Row]], options: argparse.Namespace) -> dict[str, Any]:
    """Run one way over all rows and return its figures."""
    budget = options.tokens_per_pass // options.shrink
    passes, computed = plan(way, rollouts, budget)
    real = sum(row.size for rollout in rollouts for row in rollout)
    num_rows = sum(map(len, rollouts))
    width = None
    if way == "longest":
        every = [row for rows in passes for row in rows]
        width = (max(row.prompt for row in every), max(row.reply for row in every))
    vocab = model.config.vocab_size
    batches = [make_batch(rows, device=options.device, vocab=vocab, width=width) for rows in passes]
    if options.device == "cuda":
        torch.cuda.reset_peak_memory_stats()

    def work() -> None:
        for batch in batches:
            run_pass(model, batch, way)
            model.zero_grad(set_to_none=True)

    run_pass(model, batches[0], way)  # kernels are chosen, memory is taken
    seconds = min(time_it(work, options.device) for _ in range(options.runs))
    peak = torch.cuda.max_memory_allocated() / 2**30 if options.device == "cuda" else None
    return {
        "way": way,
        "passes": len(passes),
        "padded_share": round(1 - real / computed, 4),
        "rows_per_s": round(num_rows / seconds, 3),
        "real_tokens_per_s": round(real / seconds, 1),
        "seconds": round(seconds, 4),
        "peak_gib": None if peak is None else round(peak, 2),
        "mfu": round(needed_flops(model, rollouts) / seconds / options.rate, 4),
    }


def parse_options(words: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rollouts", type=int, default=8)
    parser.add_argument("--shrink", type=int, default=16, help="divide all lengths, to fit a CPU; 1 on a GPU")
    parser.add_argument("--tokens-per-pass", type=int, default=32_768, help="before shrinking")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--model", default="tiny", help="tiny, qwen3-4b, or a folder with a config.json")
    parser.add_argument("--attention", default="sdpa", help="flash_attention_2 makes `pack` cheap")
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS))
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args(words)


def main(words: Sequence[str] | None = None) -> int:
    """Print the table and the figures."""
    options = parse_options(words)
    if options.device == "cuda" and not torch.cuda.is_available():
        print("error: --device cuda: there is no CUDA device here", file=sys.stderr)
        return 1
    dtype = torch.bfloat16 if options.device == "cuda" else torch.float32
    torch.manual_seed(options.seed)
    options.rate = matmul_rate(options.device, dtype)
    model = build_model(options.model, device=options.device, dtype=dtype, attention=options.attention)
    rollouts = draw_rollouts(options.rollouts, shrink=options.shrink, seed=options.seed)
    ways = [measure(way, model, rollouts, options) for way in options.ways]
    slowest = {figures["way"]: figures["seconds"] for figures in ways}
    print(f"{'way':<14}{'passes':>8}{'padded':>9}{'rows/s':>10}{'tokens/s':>12}{'MFU':>8}{'peak GiB':>10}")
    for figures in ways:
        peak = "-" if figures["peak_gib"] is None else f"{figures['peak_gib']:.1f}"
        print(
            f"{figures['way']:<14}{figures['passes']:>8}{figures['padded_share']:>9.1%}{figures['rows_per_s']:>10.2f}"
            f"{figures['real_tokens_per_s']:>12,.0f}{figures['mfu']:>8.1%}{peak:>10}"
        )
    ours = slowest.get("pad")
    ratios = {way: round(seconds / ours, 2) for way, seconds in slowest.items() if ours and way != "pad"}
    figures = {"device": options.device, "model": options.model, "shrink": options.shrink}
    sizes = {"rollouts": len(rollouts), "rows": sum(map(len, rollouts))}
    print(json.dumps({**figures, **sizes, "matmul_flops": options.rate, "ways": ways, "times_pad": ratios}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
