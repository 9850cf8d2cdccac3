"""A tiny random Qwen3 and a tokenizer of whole words with a chat template: what the training tests train."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tests.conftest import require_extra

PAD, UNKNOWN, START, END = "<|pad|>", "<|unk|>", "<|im_start|>", "<|im_end|>"
ROLES = ("system", "user", "assistant")
TEMPLATE = (
    "{% for m in messages %}{{ '<|im_start|> ' + m['role'] + ' ' }}"
    "{% if m['role'] == 'assistant' %}{% generation %}{{ m['content'] + ' <|im_end|> ' }}{% endgeneration %}"
    "{% else %}{{ m['content'] + ' <|im_end|> ' }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|> assistant ' }}{% endif %}"
)


def require_trl() -> None:
    """Skip the module unless torch, trl and peft are installed."""
    for name in ("torch", "transformers", "trl", "peft", "accelerate", "datasets"):
        hint = "`pip install 'personamem-hub-toolkit[train]'`"
        require_extra("train", importlib.util.find_spec(name) is not None, f"{name} is not installed: {hint}")


def make_tokenizer(texts: Iterable[str] = ()) -> Any:
    """Return a tokenizer whose words are what stands between white space in `texts`; all else is unknown."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    words = dict.fromkeys((PAD, UNKNOWN, START, END, *ROLES, *(word for text in texts for word in text.split())))
    core = Tokenizer(models.WordLevel({word: place for place, word in enumerate(words)}, unk_token=UNKNOWN))
    core.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(
        tokenizer_object=core,
        pad_token=PAD,
        unk_token=UNKNOWN,
        eos_token=END,
        additional_special_tokens=[START],
        chat_template=TEMPLATE,
        padding_side="left",
    )


def make_qwen3(tokenizer: Any, *, seed: int = 0, hidden: int = 64, layers: int = 2, context_tokens: int = 512) -> Any:
    """Return a random Qwen3 over the tokenizer's words; the same seed gives the same weights."""
    import torch
    from transformers import Qwen3Config, Qwen3ForCausalLM

    config = Qwen3Config(
        vocab_size=len(tokenizer),
        hidden_size=hidden,
        intermediate_size=2 * hidden,
        num_hidden_layers=layers,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=hidden // 4,
        max_position_embeddings=context_tokens,
        tie_word_embeddings=True,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=None,
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return Qwen3ForCausalLM(config)


def write_tiny(folder: Path, texts: Iterable[str] = (), **shape: Any) -> Path:
    """Write model and tokenizer as a checkpoint's folder; `shape` as for `make_qwen3`."""
    tokenizer = make_tokenizer(texts)
    make_qwen3(tokenizer, **shape).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
