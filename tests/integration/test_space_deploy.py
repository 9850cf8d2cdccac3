"""`personamem space deploy` against the local Hub, every request written down."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner, Result

from hub_toolkit.cli.main import main
from hub_toolkit.hub.deploy import space_files
from tests.hub_server import HubServer
from tests.request_recorder import Recorder, record_requests

if TYPE_CHECKING:
    from huggingface_hub import HfApi

ROOT = Path(__file__).resolve().parents[2]
CANARY = "canary-7f3a91d2c4"


@pytest.fixture
def recorder(hub: HubServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Recorder]:
    """The local Hub behind a recorder, as `HF_ENDPOINT`; alice's token."""
    with record_requests(Recorder(upstream=hub.url)) as recorder:
        monkeypatch.setenv("HF_ENDPOINT", recorder.url)
        monkeypatch.setenv("HF_TOKEN", "hf_alice")
        yield recorder


@pytest.fixture
def api(recorder: Recorder, hub: HubServer) -> HfApi:
    """A client of the Hub itself, past the recorder."""
    from huggingface_hub import HfApi

    assert recorder.upstream == hub.url
    return HfApi(endpoint=hub.url, token="hf_alice")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the page, and of a toolkit that nobody edits meanwhile."""
    site = tmp_path / "site"
    shutil.copytree(ROOT / "spaces" / "personamem", tmp_path / "page")
    shutil.copytree(ROOT / "hub_toolkit" / "prompts", site / "hub_toolkit" / "prompts")
    shutil.copy(ROOT / "constraints.txt", site)
    monkeypatch.setattr(space_files, "_ROOT", site)
    return tmp_path / "page"


def deploy(*words: str, status: int = 0, stdin: str | None = None) -> Result:
    result = CliRunner().invoke(main, ["space", "deploy", *words], input=stdin)
    assert result.exit_code == status, result.output
    return result


def paths_of(api: HfApi, repo: str) -> set[str]:
    return set(api.list_repo_files(repo, repo_type="space"))


def test_a_dry_run_writes_nothing(recorder: Recorder, folder: Path, api: HfApi) -> None:
    shown = deploy("personamem/space-dry", "--folder", str(folder), "--variable", "MODE=demo", "--hardware", "t4-small")
    assert "would be created, private" in shown.stdout
    assert "+ README.md" in shown.stdout
    assert "hardware: cpu-basic -> t4-small" in shown.stdout
    assert "variable MODE: 'demo' (new)" in shown.stdout
    assert "nothing was written" in shown.stdout
    assert recorder.writes() == []
    assert not api.repo_exists("personamem/space-dry", repo_type="space")


def test_deployed_twice_the_second_does_nothing(recorder: Recorder, folder: Path, api: HfApi) -> None:
    repo = "personamem/space-twice"
    first = deploy(repo, "--folder", str(folder), "--no-dry-run")
    assert "creating space" in first.stderr
    info = api.space_info(repo)
    assert info.private
    assert info.sdk == "gradio"
    assert len(api.list_repo_commits(repo, repo_type="space")) == 2  # the Hub's own first, and ours: one for all files
    assert {"app.py", "README.md", "requirements.txt", "personamem_ui/app.py"} < paths_of(api, repo)

    recorder.requests.clear()
    second = deploy(repo, "--folder", str(folder), "--no-dry-run")
    assert "nothing to do" in second.stdout
    assert recorder.writes() == []
    assert api.space_info(repo).sha == info.sha


def test_the_diff_shows_what_changes_and_what_goes(recorder: Recorder, folder: Path, api: HfApi) -> None:
    repo = "personamem/space-diff"
    deploy(repo, "--folder", str(folder), "--no-dry-run")
    api.upload_file(path_or_fileobj=b"mine", path_in_repo="notes.md", repo_id=repo, repo_type="space")
    (folder / "personamem_ui" / "support.py").unlink()
    (folder / "personamem_ui" / "render.py").write_text("NEW = 1\n")
    recorder.requests.clear()
    shown = deploy(repo, "--folder", str(folder), "--oauth", "--oauth-scope", "inference-api").stdout
    assert "- personamem_ui/support.py" in shown
    assert "~ personamem_ui/render.py" in shown
    assert "stays, not the page's: .gitattributes, notes.md" in shown
    assert "+hf_oauth: true" in shown
    assert "+NEW = 1" in shown
    assert recorder.writes() == []

    deploy(repo, "--folder", str(folder), "--oauth", "--oauth-scope", "inference-api", "--no-dry-run")
    files = paths_of(api, repo)
    assert "personamem_ui/support.py" not in files
    assert "notes.md" in files
    assert (api.space_info(repo).card_data or {})["hf_oauth_scopes"] == ["contribute-repos", "inference-api"]


def test_wiped_and_deployed_again_it_is_whole(folder: Path, api: HfApi) -> None:
    repo = "personamem/space-wiped"
    deploy(repo, "--folder", str(folder), "--no-dry-run")
    before = api.get_paths_info(repo, sorted(paths_of(api, repo)), repo_type="space")
    api.delete_files(repo, ["*"], repo_type="space")
    assert "app.py" not in paths_of(api, repo)
    deploy(repo, "--folder", str(folder), "--no-dry-run")
    after = {
        file.path: file.blob_id for file in api.get_paths_info(repo, sorted(paths_of(api, repo)), repo_type="space")
    }
    assert {file.path: file.blob_id for file in before if file.path != ".gitattributes"}.items() <= after.items()


def test_secrets_and_variables_are_set_and_secrets_shown_nowhere(
    recorder: Recorder, folder: Path, api: HfApi, hub: HubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    repo = "personamem/space-secrets"
    monkeypatch.setenv("PERSONAMEM_API_KEY", CANARY)
    words = (repo, "--folder", str(folder), "--variable", "PERSONAMEM_MODEL=openai/a=b")
    words = (*words, "--secret", "PERSONAMEM_API_KEY", "--secret", "OTHER=-")
    planned = deploy(*words)
    assert "secret PERSONAMEM_API_KEY: new" in planned.stdout
    done = deploy(*words, "--no-dry-run", stdin=f"{CANARY}-2\n")
    sent = {request.body["key"]: request.body["value"] for request in recorder.find("POST", ".*/secrets")}
    assert sent == {"PERSONAMEM_API_KEY": CANARY, "OTHER": f"{CANARY}-2"}
    assert set(api.get_space_secrets(repo)) == set(sent)
    assert api.get_space_variables(repo)["PERSONAMEM_MODEL"].value == "openai/a=b"
    elsewhere = [r for r in recorder.requests if not r.path.endswith("/secrets")]
    assert CANARY not in json.dumps([str(request.body) for request in elsewhere])
    assert CANARY not in planned.output + done.output + hub.log.read_text("utf-8", "replace")

    again = deploy(repo, "--folder", str(folder), "--variable", "PERSONAMEM_MODEL=openai/a=b", "--no-dry-run")
    assert "nothing to do" in again.stdout
    assert "set again" in deploy(*words).stdout


def test_hardware_is_requested_only_where_it_differs(recorder: Recorder, folder: Path) -> None:
    repo = "personamem/space-hardware"
    words = (repo, "--folder", str(folder), "--no-dry-run")
    deploy(*words, "--hardware", "cpu-basic")
    assert recorder.find("POST", ".*/hardware") == []
    deploy(*words, "--hardware", "t4-small", "--sleep-time", "1h")
    [asked] = recorder.find("POST", f"/api/spaces/{repo}/hardware")
    assert asked.body == {"flavor": "t4-small", "sleepTimeSeconds": 3600}
    assert "nothing to do" in deploy(*words, "--hardware", "t4-small", "--sleep-time", "1h").stdout
    deploy(*words, "--sleep-time", "never")
    [asked] = recorder.find("POST", f"/api/spaces/{repo}/sleeptime")
    assert asked.body == {"seconds": -1}


def test_a_space_becomes_public_only_when_asked(folder: Path, api: HfApi) -> None:
    repo = "personamem/space-public"
    deploy(repo, "--folder", str(folder), "--no-dry-run")
    assert "visibility: private -> public" in deploy(repo, "--folder", str(folder), "--public").stdout
    deploy(repo, "--folder", str(folder), "--public", "--no-dry-run")
    assert not api.space_info(repo).private
    deploy(repo, "--folder", str(folder), "--no-dry-run")
    assert not api.space_info(repo).private


def test_an_outsider_proposes_a_pull_request(folder: Path, api: HfApi, monkeypatch: pytest.MonkeyPatch) -> None:
    repo = "personamem/space-pr"
    deploy(repo, "--folder", str(folder), "--public", "--no-dry-run")
    sha = api.space_info(repo).sha
    (folder / "app.py").write_text("print('better')\n")
    monkeypatch.setenv("HF_TOKEN", "hf_bob")
    for words in ((), ("--no-dry-run",)):
        refused = deploy(repo, "--folder", str(folder), *words, status=1)
        assert "403" in refused.stderr
        assert "--create-pr" in refused.stderr
        assert "(404)" in deploy("personamem/space-none", "--folder", str(folder), *words, status=1).stderr
    proposed = deploy(repo, "--folder", str(folder), "--no-dry-run", "--create-pr")
    assert "pull request" in proposed.stdout
    assert api.space_info(repo).sha == sha
    assert api.list_repo_refs(repo, repo_type="space", include_pull_requests=True).pull_requests
    with_settings = deploy(repo, "--folder", str(folder), "--create-pr", "--variable", "A=b", status=1)
    assert "files alone" in with_settings.stderr


def test_a_failed_setting_says_that_the_files_are_there(recorder: Recorder, folder: Path, api: HfApi) -> None:
    repo = "personamem/space-half"
    recorder.answers["POST .*/variables"] = (500, {"error": "broken"})
    failed = deploy(repo, "--folder", str(folder), "--variable", "A=b", "--no-dry-run", status=1)
    assert "the files are there (commit" in failed.stderr
    assert failed.stderr.strip().splitlines()[-1].startswith("error: ")
    recorder.answers.clear()
    deploy(repo, "--folder", str(folder), "--variable", "A=b", "--no-dry-run")
    assert api.get_space_variables(repo)["A"].value == "b"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--hardware", "h100"], "no hardware 'h100'"),
        (["--variable", "A=hf_alice"], "looks like a secret"),
        (["--folder", "."], "no app.py"),
    ],
)
def test_bad_input_is_one_line_and_asks_nothing(
    recorder: Recorder, folder: Path, words: list[str], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder.parent)
    failed = deploy("personamem/space-bad", "--folder", str(folder), *words, "--no-dry-run", status=1)
    assert said in failed.stderr
    assert len(failed.stderr.splitlines()) == 1
    assert recorder.requests == []


def test_a_broken_readme_and_a_credential_stop_it(recorder: Recorder, folder: Path) -> None:
    readme = folder / "README.md"
    good = readme.read_text("utf-8")
    readme.write_text(good.replace("title: PersonaMem", "title: [PersonaMem"), "utf-8")
    failed = deploy("personamem/space-bad", "--folder", str(folder), "--no-dry-run", status=1)
    assert "README.md: line" in failed.stderr
    readme.write_text(good, "utf-8")
    (folder / "app.py").write_text("TOKEN = 'hf_alice'\n")
    failed = deploy("personamem/space-bad", "--folder", str(folder), "--no-dry-run", status=1)
    assert "app.py, row 1" in failed.stderr
    assert "hf_alice" not in failed.stderr
    assert recorder.writes() == []
