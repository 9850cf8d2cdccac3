"""The dry run: arithmetic by hand, the memory formula against a real model, and every refusal with its remedy."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hub_toolkit.errors import DataFormatError, PersonaMemError
from tests.train.tiny_model import make_qwen3, make_tokenizer, require_trl

require_trl()

from train.plan import Plan, main, make_plan, plan_recipe, wants_plan  # noqa: E402
from train.plan_memory import activation_bytes, gradient_bytes, optimizer_bytes, stored_bytes  # noqa: E402
from train.plan_model import SHAPES, ModelShape, find_shape, shape_from_config  # noqa: E402
from train.plan_setup import (  # noqa: E402
    GIB,
    LAUNCHES,
    RECIPES,
    find_file,
    find_gpu,
    find_kind,
    make_setup,
    read_launch,
    read_values,
)

QWEN = SHAPES["qwen/qwen3-4b-instruct-2507"]
SMOL = SHAPES["huggingfacetb/smollm2-135m-instruct"]


def plan(recipe: str, *words: str, accelerate: str | None = "fsdp2", gpu: str = "h100", gpus: int = 8) -> Plan:
    path = find_file(recipe, RECIPES)
    launch = read_launch(find_file(accelerate, LAUNCHES) if accelerate else None, gpus, is_cpu=gpu == "cpu")
    values = vars(read_values(find_kind(path), path, words))
    return make_plan(make_setup(find_kind(path), values, launch, gpu=find_gpu(gpu), num_gpus=gpus))


def reasons(found: Plan) -> str:
    return "\n".join(map(str, found.refusals))


def test_the_table_knows_the_published_sizes() -> None:
    assert QWEN.num_parameters == 4_022_468_096
    assert SMOL.num_parameters == 134_515_008
    assert QWEN.kv_bytes() == 2 * 36 * 8 * 128 * 2 == 147_456
    # One layer: q 2560x4096, k and v 2560x1024, o 4096x2560, three of 2560x9728; rank 32 adds 32 x (in + out) each.
    assert QWEN.lora_parameters(32) == 36 * 32 * (6656 + 3584 + 3584 + 6656 + 3 * 12288) == 66_060_288


def test_the_arithmetic_of_a_token_by_hand() -> None:
    tiny = ModelShape("tiny", 2, 8, 16, 2, 1, 4, 10, 64)
    # A layer: q 8x8, k and v 8x4, o 8x8, three of 8x16 = 64+32+32+64+384 = 576 weights; attention 2 x 5 tokens x 8.
    assert tiny.layer_parameters == 576 + 16
    assert tiny.forward_flops(5, 1) == 5 * 2 * (2 * 576 + 2 * 5 * 8) + 2 * 1 * 80


def test_a_config_says_what_the_model_has() -> None:
    tokenizer = make_tokenizer(["a b c"])
    model = make_qwen3(tokenizer)
    shape = shape_from_config(model.config.to_dict(), name="tiny")
    assert shape.num_parameters == sum(weight.numel() for weight in model.parameters())
    with pytest.raises(DataFormatError, match="no dense text model"):
        shape_from_config({**model.config.to_dict(), "num_experts": 8}, name="tiny")
    with pytest.raises(DataFormatError, match="hidden_size"):
        shape_from_config({**model.config.to_dict(), "hidden_size": None}, name="tiny")
    with pytest.raises(DataFormatError, match="the table knows Qwen/Qwen3-4B"):
        find_shape("nobody/nothing")


def tiny_setup(folder: Path, **values: Any) -> Any:
    defaults = {
        "model_name_or_path": str(folder),
        "per_device_train_batch_size": 2,
        "gradient_accumulation_steps": 1,
        "max_row_tokens": 96,
        "max_prompt_tokens": 64,
        "num_train_epochs": 1,
        "dtype": "float32",
        "bf16": False,
        "optim": "adamw_torch",
        "attn_implementation": "sdpa",
        "gradient_checkpointing": True,
        "lora_r": 4,
    }
    launch = read_launch(None, 1, is_cpu=True)
    return make_setup("sft", {**defaults, **values}, launch, gpu=None, num_gpus=0)


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any, ModelShape]:
    folder = tmp_path_factory.mktemp("tiny")
    model = make_qwen3(make_tokenizer(["a b c d e f"]), hidden=64, layers=4)
    model.save_pretrained(folder)
    return folder, model, find_shape(str(folder))


def test_weights_gradients_and_optimizer_are_what_a_real_step_holds(measured: tuple[Path, Any, ModelShape]) -> None:
    import torch

    folder, model, shape = measured
    optimizer = torch.optim.AdamW(model.parameters())
    ids = torch.zeros(2, 96, dtype=torch.long)
    model(input_ids=ids, labels=ids).loss.backward()
    optimizer.step()
    setup = tiny_setup(folder)
    weights = sum(weight.nbytes for weight in model.parameters())
    gradients = sum(weight.grad.nbytes for weight in model.parameters())
    states = sum(
        value.nbytes
        for state in optimizer.state.values()
        for name, value in state.items()
        if name.startswith("exp_avg")
    )
    assert stored_bytes(setup) == weights
    assert shape.num_parameters * gradient_bytes(setup) == gradients
    assert shape.num_parameters * optimizer_bytes(setup) == states


def test_an_adapter_trains_what_the_plan_says(measured: tuple[Path, Any, ModelShape]) -> None:
    from peft import LoraConfig, get_peft_model

    folder, _, _ = measured
    tokenizer = make_tokenizer(["a b c d e f"])
    targets = ["q_proj", "v_proj", "down_proj"]
    model = get_peft_model(make_qwen3(tokenizer, hidden=64, layers=4), LoraConfig(r=4, target_modules=targets))
    setup = tiny_setup(folder, use_peft=True, lora_target_modules=targets)
    trained = sum(weight.numel() for weight in model.parameters() if weight.requires_grad)
    from train.plan_memory import trained_parameters

    assert trained_parameters(setup) == trained


@pytest.mark.parametrize("is_checkpointing", [True, False])
@pytest.mark.parametrize("width", [2, 6])
def test_activations_are_what_autograd_keeps(tmp_path: Path, width: int, is_checkpointing: bool) -> None:
    """In float32 on the CPU, for two shapes; what stands outside of the layers is the last norm."""
    import torch
    from transformers import Qwen3ForCausalLM

    config = make_qwen3(make_tokenizer(["a b c"]), layers=4).config
    config.intermediate_size = width * config.hidden_size
    config.save_pretrained(tmp_path)
    model = Qwen3ForCausalLM(config).train()
    if is_checkpointing:
        model.gradient_checkpointing_enable({"use_reentrant": False})
    weights = {weight.untyped_storage().data_ptr() for weight in model.parameters()}
    kept: dict[int, int] = {}

    def count(tensor: Any) -> Any:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(count, lambda tensor: tensor):
        hidden = model.model(input_ids=torch.zeros(2, 96, dtype=torch.long), use_cache=False).last_hidden_state
    assert hidden.requires_grad
    whole = activation_bytes(tiny_setup(tmp_path, gradient_checkpointing=False))
    estimate = whole
    if is_checkpointing:  # the two layers at work are not there in a forward
        estimate = activation_bytes(tiny_setup(tmp_path)) - 2 * whole // config.num_hidden_layers
    assert sum(kept.values()) == pytest.approx(estimate, rel=0.05)


def test_the_batches_of_the_paper() -> None:
    sft, grpo, memory = (plan(f"{kind}_8xh100").batch for kind in ("sft", "grpo", "memory_grpo"))
    assert (sft.rollouts, sft.steps, round(sft.epochs, 2)) == (64, 300, 1.07)
    assert (grpo.prompts, grpo.generations, grpo.rollouts, grpo.generated, grpo.steps) == (32, 8, 256, 256, 500)
    assert (memory.prompts, memory.rollouts, memory.rows_per_rollout, memory.rows) == (32, 256, 9, 2304)
    assert memory.steps_per_epoch == 18_000 / 32


def test_the_memory_of_a_full_model_by_hand() -> None:
    sharded, single = plan("grpo_8xh100").memory, plan("grpo_h200", accelerate="single", gpu="h200", gpus=1).memory
    parameters = 4_022_468_096
    assert (sharded.weights, sharded.gradients, sharded.optimizer) == (parameters // 2, parameters // 2, parameters)
    assert (single.weights, single.optimizer) == (4 * parameters, 8 * parameters)
    assert sharded.gathered == 2 * (2 * 100_930_816 + 388_956_160)
    assert single.gathered == sharded.reference == 0
    assert plan("memory_grpo_8xh100").memory.reference == 4 * parameters // 8
    # 36 x 2560 x 2 bytes a token are kept, two layers are at work.
    assert sharded.activations > 36 * 2560 * 2 * 40_048
    held = 0.45 * 79.1 * GIB
    assert sharded.engine == int(held)
    assert sharded.cache_tokens == (int(held) - 2 * parameters - int(3.0 * GIB)) // 147_456
    assert sharded.peak == sharded.training + sharded.engine
    assert single.engine_sleeps and single.peak < single.training + single.engine


def test_the_cost_follows_from_the_assumptions() -> None:
    found = plan("sft_8xh100")
    row = 31_855 + 120 + 400 + 120
    forward = 64 * QWEN.forward_flops(row, 120)
    assert found.cost.tokens.trained == 64 * row
    assert found.cost.floating_ops == 4 * forward  # forward, twice as much back, once again for checkpointing
    assert found.cost.step_s == pytest.approx(4 * forward / (8 * 989e12 * 0.4))
    assert found.cost.usd == pytest.approx(found.cost.hours * 8 * 3.0)
    grpo = plan("grpo_8xh100")
    assert grpo.cost.judged == pytest.approx(256 * 500 * 0.2)
    assert grpo.cost.floating_ops == pytest.approx(5 * 256 * QWEN.forward_flops(32_375 + 600, 600))


def planned(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, dict[str, Any], str]:
    """Return the status, figures and refusals of a command line."""
    status = main([*words, "--json"])
    said = capsys.readouterr()
    return status, json.loads(said.out), said.err


@pytest.mark.parametrize("name", sorted(path.stem for path in RECIPES.glob("*.yaml")))
def test_every_recipe_can_run_on_the_machine_that_it_is_for(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    status, found, refused = planned(capsys, name)
    assert (status, refused) == (0, "")
    is_small = "smollm2" in name
    is_alone = is_small or "h200" in name or "lora" in name
    gpus = 0 if "smoke" in name else 1 if is_alone else 8
    assert found["gpus"] == gpus
    assert found["gpu"] == ("cpu" if "smoke" in name else "h200" if is_small or "h200" in name else "h100")
    assert found["batch"]["processes"] == (4 if "server" in name else max(gpus, 1))
    if "smoke" not in name and not is_small:
        batch = found["batch"]
        assert (batch["rollouts"], batch["generations"]) == ((64, 1) if name.startswith("sft") else (256, 8))


def test_another_machine_takes_the_place_of_the_recipes_own(capsys: pytest.CaptureFixture[str]) -> None:
    assert planned(capsys, "sft_8xh100", "--gpu", "h200")[1]["gpus"] == 8
    four = planned(capsys, "sft_8xh100", "--gpus", "4")
    assert four[0] == 0 and four[1]["batch"]["processes"] == four[1]["gpus"] == 4
    status, one, refused = planned(capsys, "sft_8xh100", "--accelerate", "single")
    assert status == 1 and one["gpus"] == 1 and "a process needs" in refused
    named = planned(capsys, "sft_8xh100", "--accelerate", "fsdp2", "--gpus", "4")
    assert named[0] == 1 and "8 processes need as many GPUs" in named[2]
    server = planned(capsys, "grpo_server", "--accelerate", "zero3")
    assert server[0] == 0 and server[1]["batch"]["processes"] == 4
    assert "vLLM needs a GPU" in planned(capsys, "grpo_8xh100", "--gpu", "cpu")[2]


REFUSED = [
    ("grpo_8xh100", ["--num_generations", "7"], "groups of 7", "gradient_accumulation_steps"),
    ("grpo_8xh100", ["--num_generations", "1"], "nothing to compare", "2 or more"),
    ("grpo_8xh100", ["--gradient_accumulation_steps", "3", "--num_generations", "16"], "groups of 16", ": 2"),
    ("grpo_8xh100", ["--generation_batch_size", "384"], "neither divides", "leave generation_batch_size"),
    ("grpo_8xh100", ["--generation_batch_size", "256", "--steps_per_generation", "4"], "both set", "one of them"),
    ("grpo_8xh100", ["--max_prompt_tokens", "262000"], "window of 262,144", "max_prompt_tokens"),
    ("grpo_8xh100", ["--vllm_max_model_length", "32768"], "less than prompt and reply, 40,048", "40048"),
    ("grpo_8xh100", ["--vllm_gpu_memory_utilization", "0.2"], "cache has room for", "vllm_gpu_memory_utilization"),
    ("grpo_8xh100", ["--vllm_tensor_parallel_size", "3"], "does not divide", "divisor"),
    ("grpo_8xh100", ["--vllm_mode", "server"], "needs GPUs of its own", "num_processes"),
    ("grpo_8xh100", ["--sync_ref_model", "true"], "there is no reference", "beta"),
    ("grpo_8xh100", ["--attn_implementation", "eager"], "score for each pair", "sdpa"),
    ("grpo_8xh100", ["--load_in_4bit", "true"], "cannot be trained", "use_peft"),
    ("grpo_8xh100", ["--gradient_checkpointing", "false"], "a process needs", "set gradient_checkpointing"),
    ("sft_8xh100", ["--max_length", "1024"], "cuts rows", "40960"),
    ("sft_8xh100", ["--max_prompt_tokens", "41000"], "leaves a target no room", "max_row_tokens"),
    ("sft_8xh100", ["--packing", "true"], "attend to each other", "flash_attention_2"),
    ("memory_grpo_8xh100", ["--chunk_tokens", "2500"], "needs 13 chunks", "max_turns to 14"),
    ("memory_grpo_8xh100", ["--max_update_length", "512"], "a memory may have 2,048", "max_update_length"),
    ("memory_grpo_8xh100", ["--tokens_per_pass", "262144"], "a process needs", "lower tokens_per_pass"),
]


@pytest.mark.parametrize(("recipe", "words", "reason", "remedy"), REFUSED)
def test_an_impossible_recipe_is_refused_with_a_remedy(recipe: str, words: list[str], reason: str, remedy: str) -> None:
    found = plan(recipe, *words)
    hits = [refusal for refusal in found.refusals if reason in refusal.reason]
    assert hits, reasons(found)
    assert remedy in hits[0].remedy


def test_the_data_can_be_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["memory_grpo_smoke", "--history-tokens", "31855"]) == 1
    assert "needs 22 chunks" in capsys.readouterr().err
    assert main(["memory_grpo_smoke"]) == 0
    assert "nothing is assumed about this machine" in capsys.readouterr().out
    assert "needs 25 chunks" in reasons(plan("memory_grpo_8xh100", "--context", "128k"))
    assert main(["sft_8xh100", "--accelerate", "fsdp2", "--samples", "640"]) == 0
    assert "30.00 epochs of 640 samples (10.0 steps an epoch)" in capsys.readouterr().out


def test_machines_that_do_not_fit_are_refused() -> None:
    assert "8 processes need as many GPUs" in reasons(plan("sft_8xh100", gpus=4))
    assert "8 of 16 GPUs would stand idle" in reasons(plan("sft_8xh100", gpus=16))
    unsharded = plan("sft_8xh100", accelerate=None)
    assert "a process needs" in reasons(unsharded)
    assert "fsdp2" in reasons(unsharded)
    on_cpu = reasons(plan("grpo_8xh100", gpu="cpu", gpus=0))
    assert "shards the model over GPUs" in on_cpu
    assert "vLLM needs a GPU" in on_cpu


def test_a_reference_that_does_not_fit_is_named() -> None:
    words = ("--beta", "0.001", "--vllm_gpu_memory_utilization", "0.3")
    one = plan("grpo_h200", *words, accelerate="single", gpu="h100", gpus=1)
    assert "a process needs" in reasons(one)
    assert one.memory.reference == 4 * 4_022_468_096
    close = plan("memory_grpo_8xh100", "--vllm_gpu_memory_utilization", "0.535", "--dtype", "float32")
    room = close.setup.gpu.memory_gib * close.setup.efficiency["memory_margin"] * GIB if close.setup.gpu else 0
    assert close.memory.peak - close.memory.reference <= room < close.memory.peak
    assert "set beta to 0" in reasons(close)


def test_an_adapter_and_offloading_contradict_each_other(tmp_path: Path) -> None:
    launch_file = tmp_path / "offload.yaml"
    launch_file.write_text(
        (LAUNCHES / "fsdp2.yaml").read_text().replace("offload_params: false", "offload_params: true")
    )
    path = find_file("sft_lora", RECIPES)
    launch = read_launch(launch_file, 8)
    found = make_plan(make_setup("sft", vars(read_values("sft", path)), launch, gpu=find_gpu("h100"), num_gpus=8))
    assert launch.is_offloading
    assert "an adapter's frozen base would go to the CPU" in reasons(found)


def test_two_ways_to_recompute_are_refused(tmp_path: Path) -> None:
    text = (LAUNCHES / "fsdp2.yaml").read_text().replace("checkpointing: false", "checkpointing: true")
    (tmp_path / "twice.yaml").write_text(text)
    launch = read_launch(tmp_path / "twice.yaml", 8)
    values = vars(read_values("sft", find_file("sft_8xh100", RECIPES)))
    found = make_plan(make_setup("sft", values, launch, gpu=find_gpu("h100"), num_gpus=8))
    assert "both recompute" in reasons(found)


def test_the_command_prints_the_plan_and_refuses_with_status_1(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["grpo_8xh100", "--accelerate", "fsdp2"]) == 0
    said = capsys.readouterr().out
    for part in ("32 prompts x 8 generations = 256 rollouts", "4,022,468,096", "ASSUMED", "peak", "$"):
        assert part in said
    assert main(["grpo_8xh100", "--accelerate", "fsdp2", "--num_generations", "7"]) == 1
    assert "refused: " in capsys.readouterr().err
    words = ["--config", "sft_8xh100", "--plan", "--accelerate", "zero3", "--usd-per-hour", "2", "--json"]
    assert wants_plan(words)
    assert plan_recipe("sft", words) == 0
    assert '"peak"' in capsys.readouterr().out


def test_wrong_names_say_what_there_is(tmp_path: Path) -> None:
    with pytest.raises(PersonaMemError, match="sft_8xh100"):
        find_file("nothing", RECIPES)
    with pytest.raises(PersonaMemError, match="h100, h200"):
        find_gpu("b900")
    (tmp_path / "mine.yaml").write_text("nonsense_field: 1\n")
    with pytest.raises(DataFormatError, match="has no field nonsense_field"):
        read_values("sft", tmp_path / "mine.yaml")
    with pytest.raises(PersonaMemError, match="begin its name"):
        find_kind(tmp_path / "mine.yaml")
    with pytest.raises(DataFormatError, match="no accelerate file"):
        read_launch(tmp_path / "mine.yaml", 1)


@pytest.mark.parametrize("name", ["sft_8xh100", "grpo_8xh100", "memory_grpo_8xh100"])
def test_the_table_of_the_docs_is_what_the_plan_says(name: str) -> None:
    found = plan(name)
    figures = f"{found.memory.peak / GIB:.1f} GiB | {found.cost.hours:,.1f} h, ${found.cost.usd:,.0f} |"
    line = f"| `{name}` on 8 x H100 | {found.setup.row_tokens:,} | {figures}"
    assert line in (RECIPES.parents[1] / "docs" / "training.md").read_text()
