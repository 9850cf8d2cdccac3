"""`personamem generate holdout`, and `personamem generate --holdout`."""

from __future__ import annotations

import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

import click

from hub_toolkit.errors import DataFormatError
from hub_toolkit.hub.client import require_packages
from hub_toolkit.settings import load_settings

if TYPE_CHECKING:
    from hub_toolkit.generate.config import SimulatorConfig
    from hub_toolkit.generate.holdout.keys import MasterKey

INSTALL = "pip install -c constraints.txt -e '.[holdout]'"
EXIT_FOUND = 1
_IN_MEMORY = Path("/dev/shm")
_FOLDER = "{}"
file_path = click.Path(path_type=Path, dir_okay=False)
key_option = click.option("--key", "key_file", type=file_path, help="Key file; else PERSONAMEM_HOLDOUT_PASSPHRASE.")


@click.group()
def holdout() -> None:
    """Seal held-out personas in one encrypted file, open them, and look for their canaries.

    Sealed personas are made by `personamem generate --holdout --personas N --out FILE --key KEY`.
    """


@holdout.command("key")
@click.argument("key_file", type=file_path)
def key_command(key_file: Path) -> None:
    """Make a new key in KEY_FILE, which only you can read. Whoever loses it loses what it sealed."""
    from hub_toolkit.generate.holdout.keys import make_key

    make_key(key_file)
    click.echo(f"wrote a new key to {key_file}; keep a copy where no dataset is")


@holdout.command("seal")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False, exists=True))
@click.option("--out", type=file_path, required=True, help="The sealed file.")
@key_option
def seal_command(folder: Path, out: Path, key_file: Path | None) -> None:
    """Seal a dataset's FOLDER that is there already; delete the folder yourself."""
    from hub_toolkit.generate.holdout.sealing import seal_files

    key = _take_key(key_file)
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != ".lock")
    if not any(path.suffix == ".csv" for path in files):
        raise DataFormatError("holds no split's CSV; name a dataset's folder in upstream's layout", file=str(folder))
    pairs = ((path.relative_to(folder).as_posix(), path.read_bytes()) for path in files)
    _say_sealed(out, *seal_files(pairs, out, key, canary_name=folder.name))


@holdout.command("open")
@click.argument("sealed", type=file_path)
@click.option("--out", type=click.Path(path_type=Path), required=True, help="A new folder, readable by you alone.")
@key_option
def open_command(sealed: Path, out: Path, key_file: Path | None) -> None:
    """Write what is SEALED into a folder, in plain. `holdout run` leaves nothing behind."""
    num_files = _unseal(sealed, out, _take_key(key_file))
    click.echo(f"opened {num_files:,} files in {out}: in plain, delete them when you are done")


@holdout.command("run", context_settings={"ignore_unknown_options": True})
@click.argument("sealed", type=file_path)
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
@key_option
@click.pass_context
def run_command(ctx: click.Context, sealed: Path, command: tuple[str, ...], key_file: Path | None) -> None:
    """Run COMMAND on what is SEALED: `{}` in it stands for the opened folder, which goes afterwards.

    The folder is in memory where the system has /dev/shm. Write `--` before the command.
    """
    if not any(_FOLDER in word for word in command):
        raise click.UsageError(f"the command does not name the folder; write {_FOLDER} where it belongs")
    key = _take_key(key_file)
    with _private_folder() as folder:
        _unseal(sealed, folder / "dataset", key)
        words = [word.replace(_FOLDER, str(folder / "dataset")) for word in command]
        try:
            done = subprocess.run(words, check=False)
        except OSError as error:
            raise click.UsageError(f"cannot run {words[0]}: {error.strerror}") from error
    ctx.exit(done.returncode if done.returncode >= 0 else 128 - done.returncode)


@holdout.command("check")
@click.argument("text")
@click.option("--sealed", "sealed_file", type=file_path, help="Look for this dataset's GUID on its own too.")
@key_option
@click.pass_context
def check_command(ctx: click.Context, text: str, sealed_file: Path | None, key_file: Path | None) -> None:
    """Look for canaries in TEXT: a file, every file of a folder, or the text itself.

    Exit status 1 says that one was found. With --sealed and its key the files are named that leaked.
    """
    from io import BytesIO

    from hub_toolkit.generate.holdout.canary import find_canaries, search_paths

    known = _known_guids(sealed_file, key_file)
    path = Path(text)
    is_path = len(text) < 4096 and "\n" not in text and path.exists()
    leaks = search_paths(path, known) if is_path else find_canaries(BytesIO(text.encode()), "the text", known)
    for leak in leaks:
        name = known.get(leak.file or leak.dataset, "")
        click.echo(f"{leak.place}: held-out dataset {leak.dataset}{f', file {leak.file}' if leak.file else ''}  {name}")
    if leaks:
        ctx.exit(EXIT_FOUND)
    click.echo("no canary found" + ("" if is_path else " (this is no path: the text itself was searched)"))


def seal_simulated(config: SimulatorConfig, out: Path, key_file: Path | None) -> None:
    """Write held-out personas with the simulator, sealed as they are made; a key file that is missing is made.

    Raises: DataFormatError: the file is there, or there is no key. PersonaMemError: a package is missing.
    """
    from hub_toolkit.cli.generate import say_progress
    from hub_toolkit.generate.holdout.keys import make_key
    from hub_toolkit.generate.holdout.sealing import seal_files
    from hub_toolkit.generate.holdout.simulated import held_out_config, iter_simulated

    require_packages("cryptography", install=INSTALL)
    if key_file is not None and key_file.absolute() == out.absolute():
        raise click.UsageError("--key and --out name the same file")
    if key_file is not None and not key_file.exists() and not out.exists():
        make_key(key_file)
        click.echo(f"wrote a new key to {key_file}; keep a copy where no dataset is")
    key = _take_key(key_file)
    files = iter_simulated(held_out_config(config, key), on_progress=say_progress)
    _say_sealed(out, *seal_files(files, out, key, canary_name=f"simulator:{config.seed}"))


def _say_sealed(out: Path, num_files: int, dataset: UUID) -> None:
    click.echo(f"sealed {num_files:,} files in {out}; its canary GUID is {dataset}")


def _take_key(key_file: Path | None) -> MasterKey:
    """Return the key of the file, else the passphrase's. Raises: UsageError: there is neither."""
    require_packages("cryptography", install=INSTALL)
    from hub_toolkit.generate.holdout.keys import MasterKey, load_key

    if key_file is not None:
        return load_key(key_file)
    passphrase = load_settings().holdout_passphrase
    if passphrase is None:
        raise click.UsageError("give --key FILE, or set PERSONAMEM_HOLDOUT_PASSPHRASE")
    return MasterKey(passphrase.encode(), is_passphrase=True)


def _known_guids(sealed: Path | None, key_file: Path | None) -> dict[UUID, str]:
    """Return the GUIDs of a sealed dataset: its own, and with the key those of its files."""
    if sealed is None:
        return {}
    from hub_toolkit.generate.holdout.sealing import open_sealed, read_head

    if key_file is None and load_settings().holdout_passphrase is None:
        return {read_head(sealed).dataset: sealed.name}
    with open_sealed(sealed, _take_key(key_file)) as opened:
        files: dict[UUID, str] = {opened.canary.guid(name): name for name in opened.names}
        return {**files, opened.canary.dataset: sealed.name}


def _unseal(sealed: Path, out: Path, key: MasterKey) -> int:
    """Write a sealed dataset into a new folder, which appears whole or not at all."""
    import shutil

    from hub_toolkit.generate.holdout.sealing import open_sealed

    if out.exists():
        raise DataFormatError("is there already; name a new folder", file=str(out))
    part = out.with_name(out.name + ".part")
    with open_sealed(sealed, key) as opened:
        shutil.rmtree(part, ignore_errors=True)
        try:
            num_files = opened.unseal(part)
        except BaseException:
            shutil.rmtree(part, ignore_errors=True)
            raise
        part.replace(out)
    return num_files


@contextmanager
def _private_folder() -> Iterator[Path]:
    """Yield a folder of one's own, in memory where that is possible; it goes when the process is asked to end too."""

    def end(signum: int, _: Any) -> None:
        raise SystemExit(128 + signum)

    former = signal.signal(signal.SIGTERM, end)
    place = _IN_MEMORY if _IN_MEMORY.is_dir() else None
    try:
        with tempfile.TemporaryDirectory(prefix="personamem-holdout-", dir=place, ignore_cleanup_errors=True) as name:
            yield Path(name)
    finally:
        signal.signal(signal.SIGTERM, former)
