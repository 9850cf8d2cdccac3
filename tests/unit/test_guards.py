"""The house rules that no linter knows."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from hub_toolkit import errors
from hub_toolkit.cli.main import COMMANDS, main

ROOT = Path(__file__).resolve().parents[2]
CODE_FOLDERS = ("hub_toolkit", "spaces", "benchmarks", "train", "dataset_cards")
MAX_FILE_LINES = 400
MAX_BODY_LINES = 60
FORBIDDEN_NAMES = {"utils", "util", "helpers", "helper", "common", "manager"}
HEAVY_MODULES = ("torch", "gradio", "datasets", "openai", "transformers", "huggingface_hub", "pandas")


def code_files() -> list[Path]:
    return sorted(path for folder in CODE_FOLDERS for path in (ROOT / folder).rglob("*.py"))


def walk_commands(command: click.Command, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    yield path, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            child = command.get_command(context, name)
            assert child is not None, f"{path} lists {name} and cannot load it"
            yield from walk_commands(child, (*path, name))


def all_commands() -> list[tuple[str, click.Command]]:
    return [(" ".join(path), command) for path, command in walk_commands(main, ("personamem",))]


@pytest.mark.parametrize(
    "path", [*code_files(), *sorted((ROOT / "tests").rglob("*.py"))], ids=lambda p: str(p.relative_to(ROOT))
)
def test_file_stays_within_its_size(path: Path) -> None:
    source = path.read_text("utf-8")
    assert source.count("\n") <= MAX_FILE_LINES
    functions = (n for n in ast.walk(ast.parse(source)) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef))
    sizes = {f"line {node.lineno} {node.name}": (node.end_lineno or 0) - node.body[0].lineno + 1 for node in functions}
    assert {name: size for name, size in sizes.items() if size > MAX_BODY_LINES} == {}


def test_file_and_folder_names_say_what_is_inside() -> None:
    vague = [
        path
        for path in code_files()
        if FORBIDDEN_NAMES & {part.removesuffix(".py") for part in path.relative_to(ROOT).parts}
    ]
    assert vague == []


def test_spaces_is_no_package() -> None:
    """It would shadow the Hub's own `spaces` package."""
    assert not (ROOT / "spaces" / "__init__.py").exists()


def test_import_loads_no_framework() -> None:
    script = f"import sys, hub_toolkit; print([m for m in {HEAVY_MODULES!r} if m in sys.modules])"
    loaded = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert loaded.stdout.strip() == "[]"


def test_only_settings_reads_the_environment() -> None:
    reads = re.compile(r"\bos\.(?:environ|getenv)\b|\bfrom os import .*\b(?:environ|getenv)\b")
    readers = [
        str(p.relative_to(ROOT)) for p in (ROOT / "hub_toolkit").rglob("*.py") if reads.search(p.read_text("utf-8"))
    ]
    assert readers == ["hub_toolkit/settings.py"]


def test_only_the_command_line_prints() -> None:
    def prints(path: Path) -> bool:
        calls = (n for n in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(n, ast.Call))
        return any(isinstance(call.func, ast.Name) and call.func.id == "print" for call in calls)

    outside = [p for p in (ROOT / "hub_toolkit").rglob("*.py") if p.parent.name != "cli"]
    assert [str(p.relative_to(ROOT)) for p in outside if prints(p)] == []


def test_errors_are_one_pinned_tree() -> None:
    assert errors.__all__ == [
        "BoundaryError",
        "ConflictError",
        "DataFormatError",
        "HubError",
        "JudgeError",
        "PersonaMemError",
        "ProviderError",
        "StoreError",
        "SubmissionError",
    ]
    assert all(issubclass(getattr(errors, name), errors.PersonaMemError) for name in errors.__all__)


def test_every_command_has_help() -> None:
    assert [name for name, command in all_commands() if not command.help] == []
    options = [
        f"{name} {parameter.opts[0]}"
        for name, command in all_commands()
        for parameter in command.params
        if isinstance(parameter, click.Option) and not (parameter.help or parameter.show_default)
    ]
    assert options == []


def test_every_command_is_documented() -> None:
    documents = "\n".join(p.read_text("utf-8") for p in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))])
    leaves = [name for name, command in all_commands() if not isinstance(command, click.Group)]
    assert [name for name in leaves if name not in documents] == []


def test_documented_commands_exist() -> None:
    known = {name for name, _ in all_commands()}
    groups = {name for name, command in all_commands() if isinstance(command, click.Group)}
    bare = {name for name, cmd in all_commands() if isinstance(cmd, click.Group) and cmd.invoke_without_command}
    examples = [
        line.strip()
        for path in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
        for block in re.findall(r"```(?:bash|sh|console)\n(.*?)```", path.read_text("utf-8"), re.S)
        for line in block.splitlines()
        if line.strip().startswith("personamem ")
    ]
    assert examples
    for line in examples:
        words = line.split()
        is_bare = " ".join(words[:2]) in bare and words[2].startswith("--")
        depth = 3 if " ".join(words[:2]) in groups and not is_bare else 2
        assert " ".join(words[:depth]) in known or words[1].startswith("--"), line


def test_every_make_target_in_the_readme_exists() -> None:
    named = set(re.findall(r"`make ([\w-]+)", (ROOT / "README.md").read_text("utf-8")))
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text("utf-8"), re.M))
    assert {"demo", "test", "check", "bench"} <= targets
    assert named <= targets


def test_help_loads_no_command() -> None:
    script = (
        "import sys; from hub_toolkit.cli.main import main; main(['--help'], standalone_mode=False);"
        "rooms = {m.split('.')[1] for m in sys.modules if m.startswith('hub_toolkit.')};"
        "print(sorted(rooms - {'cli', 'errors', 'settings'}))"
    )
    run = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert run.stdout.strip().splitlines()[-1] == "[]"
    assert all(name in run.stdout for name in COMMANDS)


def test_wheel_holds_the_toolkit_alone(tmp_path: Path) -> None:
    from hatchling.builders.wheel import WheelBuilder

    [wheel] = WheelBuilder(str(ROOT)).build(directory=str(tmp_path), versions=["standard"])
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0] for name in names if ".dist-info/" not in name} == {"hub_toolkit"}
    assert [name for name in names if name.endswith((".pyc", ".part")) or "__pycache__" in name] == []
    packed = {name for name in names if name.startswith("hub_toolkit/")}
    wanted = [
        str(path.relative_to(ROOT))
        for path in (ROOT / "hub_toolkit").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    ]
    templates = sorted((ROOT / "dataset_cards" / "templates").iterdir())
    assert packed == {*wanted, *(f"hub_toolkit/hub/templates/{path.name}" for path in templates)}
    assert "hub_toolkit/hub/templates/dataset_card.md" in packed
    assert "hub_toolkit/data/mini/benchmark/text/benchmark.csv" in packed
    assert any(re.fullmatch(r"hub_toolkit/data/mini/data/chat_history_32k/.+\.json", name) for name in packed)
    assert any(re.fullmatch(r"hub_toolkit/prompts/.+\.md", name) for name in packed)
    assert any(name.endswith("LICENSE") for name in names)


def test_the_space_pins_what_the_tests_run_with() -> None:
    pins = set(re.findall(r"^[\w.-]+==\S+", (ROOT / "constraints.txt").read_text("utf-8"), re.M))
    wanted = re.findall(r"^[^#\s]+", (ROOT / "spaces" / "personamem" / "requirements.txt").read_text("utf-8"), re.M)
    assert wanted
    assert [line for line in wanted if line not in pins] == []
