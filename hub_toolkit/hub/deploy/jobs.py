"""Runs a training or evaluation command on the Hub's machines: planned whole, then submitted as planned."""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hub_toolkit.errors import HubError
from hub_toolkit.hub.client import RepoRef, hub_errors
from hub_toolkit.hub.deploy.jobs_hardware import Flavor, list_flavors
from hub_toolkit.hub.deploy.jobs_toolkit import FORMS, resolve_toolkit
from hub_toolkit.hub.deploy.space_credentials import (
    check_files,
    check_names,
    check_variables,
    has_credential,
    session_tokens,
)
from hub_toolkit.hub.deploy.space_rights import check_write, who_am_i
from hub_toolkit.hub.transfer.push_plan import LocalFile

if TYPE_CHECKING:
    from huggingface_hub import HfApi, JobInfo, Volume

HUB_TIMEOUT_S = 30 * 60
"""After this long the Hub ends a job that asked for no timeout. Source: huggingface.co/docs/hub/jobs-configuration"""

DEFAULT_TIMEOUT_S = 6 * 3600
DEFAULT_FLAVOR = "cpu-basic"
OUTPUT_REPO = "PERSONAMEM_OUTPUT_REPO"
"""The job finds the name of its output repo in this variable, and in the place of `{output_repo}` in its command."""

PLACEHOLDER = "{output_repo}"
TOKEN = "HF_TOKEN"
_OURS = frozenset({"personamem", "hf-personamem"})
_IMPORTS_US = re.compile(r"^\s*(?:import|from) hub_toolkit\b", re.M)
_FILE_SUFFIXES = frozenset({".py", ".sh", ".yaml", ".yml", ".toml"})
_MAX_SCRIPT_BYTES = 1_000_000


@dataclass(frozen=True)
class JobOptions:
    """What to run and where. `secrets` is name → value; a value is None where only the plan is wanted."""

    command: tuple[str, ...]
    flavor: str = DEFAULT_FLAVOR
    timeout_s: int = DEFAULT_TIMEOUT_S
    toolkit: str | None = None
    extras: tuple[str, ...] = ("hub",)
    dependencies: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, str | None] = field(default_factory=dict, repr=False)
    output_repo: RepoRef | None = None
    namespace: str | None = None
    image: str | None = None
    python: str | None = None


@dataclass(frozen=True)
class JobPlan:
    """What is sent. `uploads` are files of this machine that go along; `creates_output` says that a repo is made."""

    namespace: str
    name: str
    flavor: Flavor
    timeout_s: int
    command: tuple[str, ...]
    dependencies: tuple[str, ...]
    env: Mapping[str, str]
    secret_names: tuple[str, ...]
    image: str
    python: str | None = None
    volumes: tuple[Volume, ...] = ()
    uploads: tuple[str, ...] = ()
    output_repo: RepoRef | None = None
    creates_output: bool = False

    @property
    def max_cost_usd(self) -> float | None:
        per_hour = self.flavor.usd_per_hour
        return None if per_hour is None else per_hour * self.timeout_s / 3600

    def body(self) -> dict[str, Any]:
        """Return the request's body as the Hub gets it, secrets by name; uploaded files stand at `/data`."""
        from huggingface_hub.constants import HF_JOBS_ARTIFACTS_BUCKET_NAME, HF_JOBS_ARTIFACTS_MOUNT_PATH

        mount = HF_JOBS_ARTIFACTS_MOUNT_PATH
        words = [
            f"{mount}/{Path(word).name.replace(' ', '_')}" if word in self.uploads else word for word in self.command
        ]
        wanted = [word for dependency in self.dependencies for word in ("--with", dependency)]
        python = ["--python", self.python] if self.python else []
        volumes = [volume.to_dict() for volume in self.volumes]
        if self.uploads:
            source = f"{self.namespace}/{HF_JOBS_ARTIFACTS_BUCKET_NAME}"
            volumes.append(
                {"type": "bucket", "source": source, "mountPath": mount, "readOnly": False, "path": "<time>-<random>"}
            )
        body: dict[str, Any] = {
            "command": ["uv", "run", *wanted, *python, *words],
            "arguments": [],
            "environment": dict(self.env),
            "flavor": self.flavor.name,
            "timeoutSeconds": self.timeout_s,
            "labels": {"name": self.name},
            "dockerImage": self.image,
        }
        body |= {"secrets": {name: f"<value of {name}>" for name in self.secret_names}} if self.secret_names else {}
        return body | ({"volumes": volumes} if volumes else {})


def plan_job(api: HfApi, options: JobOptions) -> JobPlan:
    """Check everything that can be checked before, and say what would be sent; reads only.

    Raises: HubError, DataFormatError: unknown flavour, a credential in plain sight, no toolkit, no right to the output.
    """
    from huggingface_hub._jobs_api import DEFAULT_UV_IMAGE

    tokens = session_tokens(api, options.secrets)
    _check_words(options, tokens)
    uploads = _find_uploads(options.command)
    check_files([LocalFile(path, Path(path)) for path in uploads], tokens)
    _check_toolkit(options, uploads)
    me = who_am_i(api, "a job")
    flavor = list_flavors(api).find(options.flavor)
    toolkit = resolve_toolkit(api, options.toolkit, options.extras) if options.toolkit else None
    creates_output = options.output_repo is not None and not check_write(api, options.output_repo, me)
    env = dict(options.env)
    command = options.command
    if options.output_repo:
        env[OUTPUT_REPO] = options.output_repo.repo_id
        command = tuple(word.replace(PLACEHOLDER, options.output_repo.repo_id) for word in command)
    return JobPlan(
        namespace=options.namespace or str(me["name"]),
        name=_job_name(command[0]),
        flavor=flavor,
        timeout_s=options.timeout_s,
        command=command,
        dependencies=(*((toolkit.requirement,) if toolkit else ()), *options.dependencies),
        env=env,
        secret_names=tuple(options.secrets),
        image=options.image or DEFAULT_UV_IMAGE,
        python=options.python,
        volumes=(toolkit.volume,) if toolkit and toolkit.volume else (),
        uploads=uploads,
        output_repo=options.output_repo,
        creates_output=creates_output,
    )


def submit_job(api: HfApi, plan: JobPlan, secrets: Mapping[str, str | None]) -> JobInfo:
    """Create the output repo where it is missing (private), and submit the job as planned.

    Raises: HubError
    """
    if plan.creates_output and plan.output_repo:
        with hub_errors(f"create {plan.output_repo.repo_type} {plan.output_repo}"):
            api.create_repo(plan.output_repo.repo_id, repo_type=plan.output_repo.repo_type, private=True, exist_ok=True)
    with hub_errors(f"submit the job to {plan.namespace}"), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*experimental")
        job: JobInfo = api.run_uv_job(
            plan.command[0],
            script_args=list(plan.command[1:]),
            dependencies=list(plan.dependencies),
            python=plan.python,
            image=plan.image,
            env=dict(plan.env),
            secrets=dict(secrets),
            flavor=plan.flavor.name,
            timeout=plan.timeout_s,
            name=plan.name,
            volumes=list(plan.volumes) or None,
            namespace=plan.namespace,
        )
    return job


def _check_words(options: JobOptions, tokens: tuple[str, ...]) -> None:
    """Raise HubError where a job would show a credential, or where its words do not fit together."""
    if not options.command:
        raise HubError("name what to run: a script, its address, or a command such as personamem")
    check_names(options.env, options.secrets, option="--env")
    check_variables(options.env, tokens)
    texts = {"command": options.command, "--dependency": options.dependencies, "--toolkit": (options.toolkit or "",)}
    for what, words in texts.items():
        if has_credential(" ".join(words), tokens):
            raise HubError(f"the {what} holds what looks like a credential, and a job shows it; pass it with --secret")
    if PLACEHOLDER in " ".join(options.command) and not options.output_repo:
        raise HubError(f"the command holds {PLACEHOLDER}; say which repo that is with --output-repo OWNER/NAME")
    if options.output_repo and TOKEN not in options.secrets:
        raise HubError(f"a job cannot push to {options.output_repo} without a token; add --secret {TOKEN}")


def _find_uploads(command: tuple[str, ...]) -> tuple[str, ...]:
    """Return the words that are files here: the Hub's client sends each along.

    Raises: HubError: a script or configuration that is not there.
    """
    uploads = tuple(dict.fromkeys(word for word in command if Path(word).is_file()))
    for word in command:
        if word not in uploads and Path(word).suffix in _FILE_SUFFIXES and not word.startswith(("https://", "http://")):
            raise HubError(f"there is no file {word} here; check the path, or give an https:// address")
    return uploads


def _read(path: str) -> str:
    with Path(path).open("rb") as stream:
        return stream.read(_MAX_SCRIPT_BYTES).decode("utf-8", "replace")


def _check_toolkit(options: JobOptions, uploads: tuple[str, ...]) -> None:
    program = options.command[0]
    needs_it = program in _OURS or any(
        path.endswith((".py", ".pyz")) and _IMPORTS_US.search(_read(path)) for path in uploads
    )
    if needs_it and not options.toolkit and not any("personamem" in wanted for wanted in options.dependencies):
        raise HubError(
            f"{program} needs this toolkit, which is on no package index; say where it is with --toolkit: {FORMS}"
        )


def _job_name(program: str) -> str:
    stem = program.split("?")[0].rstrip("/").split("/")[-1].removesuffix(".py")
    return "personamem-" + re.sub(r"[^A-Za-z0-9_-]", "-", stem) if stem not in _OURS else "personamem"
