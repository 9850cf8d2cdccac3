"""What do the LLM engine's filters let through, what does a kill cost, and does the estimate hold?

`python benchmarks/generate_engine.py [--personas 24] [--kills 20]` plants faults of every kind into what a scripted
writer produces, counts by kind what is left in the dataset with all filters and with none (the control), and how many
good texts were rejected. It kills `personamem generate run` at random moments against an endpoint on 127.0.0.1 and
compares all bytes with an undisturbed run. It estimates a run from a pilot and compares with what the endpoint counted.
The judges are scripted and read only texts; how good a real model's votes are is not measured here. One JSON object
stands on the last line.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from hub_toolkit.generate.llm.config import LlmConfig, PreferenceCounts
from hub_toolkit.generate.llm.estimate import estimate_run, load_pilot
from tests.generate_endpoint import Endpoint, EndpointFaults, serve
from tests.generate_faults import FILTER_OF, RATES, Outcome, plant_faults, small_config, without
from tests.generate_judges import Script
from tests.generate_script import Writer

_COUNTS = PreferenceCounts(6, 6, 8, 3, 2, 2)
_NOISE = Script({}, refusal=0.01, bad_json=0.02, wrong_count=0.02, unreadable_vote=0.02, wrong_vote=0.01)
_ROUGH = EndpointFaults(once={429: 0.01, 500: 0.01, 0: 0.005})
_CALL = [sys.executable, "-c", "from hub_toolkit.cli.main import main; main()", "generate", "run"]


def measure_faults(questions: str, num_personas: int, folder: Path) -> dict[str, Any]:
    """Plant faults of every kind; return what is left with all filters, with none, and with noisy judges."""
    config = small_config(
        questions, num_personas=num_personas, twin_every=4, has_128k=False, preferences=_COUNTS,
        context_32k_tokens=32_000,
    )  # fmt: skip
    on = plant_faults(config, Script(RATES), folder / f"{questions}-on")
    off = plant_faults(without(config), Script(RATES), folder / f"{questions}-off")
    noisy = plant_faults(config, replace(_NOISE, faults=RATES), folder / f"{questions}-noisy")
    print(
        f"\n{questions}: planted and left\n{'kind':<18}{'filter':<16}{'all on':>12}{'noisy votes':>14}{'all off':>12}"
    )
    for kind, name in FILTER_OF.items():
        cells = [f"{run.left[kind]} of {run.planted[kind]}" for run in (on, noisy, off)]
        if on.planted[kind]:
            print(f"{kind:<18}{name:<16}{cells[0]:>12}{cells[1]:>14}{cells[2]:>12}")
    for label, run in (("all on", on), ("noisy votes", noisy), ("all off", off)):
        print(
            f"{label:<12} caught {run.caught:.1%} of {run.planted.total()}; good texts rejected {run.good_lost}; "
            f"{run.num_rows} rows, {run.num_calls:,} calls"
        )
    return {"on": _figures(on), "noisy": _figures(noisy), "off": _figures(off)}


def _figures(run: Outcome) -> dict[str, Any]:
    return {
        "planted": run.planted.total(),
        "left": run.left.total(),
        "caught": round(run.caught, 4),
        "good_rejected": run.good_lost,
        "rows": run.num_rows,
        "calls": run.num_calls,
    }


def measure_kills(num_kills: int, folder: Path) -> dict[str, Any]:
    """Kill the command at random moments; compare bytes and calls with a run that was left alone."""
    config = small_config(num_personas=8, twin_every=1, preferences=PreferenceCounts(1, 1, 2, 1, 1, 1), has_128k=False)
    script = replace(_NOISE, faults=RATES)
    path = _write_config(config, folder)
    moments = random.Random(2026)
    with serve(Writer(script), _ROUGH) as endpoint:
        _finish(_start(path, folder / "whole", endpoint))
        total = sum(endpoint.answered.values())
    with serve(Writer(script), _ROUGH) as endpoint:
        for target in sorted(moments.sample(range(1, total - 1), num_kills)):
            process = _start(path, folder / "killed", endpoint)
            wanted = max(target, sum(endpoint.answered.values()) + 1)
            while process.poll() is None and sum(endpoint.answered.values()) < wanted:
                time.sleep(0.002)
            time.sleep(moments.random() * 0.02)
            process.kill()
            process.wait()
        _finish(_start(path, folder / "killed", endpoint))
        asked = sum(endpoint.answered.values())
    is_same = _digest(folder / "whole") == _digest(folder / "killed")
    print(f"\n{num_kills} kills: bytes {'the same' if is_same else 'DIFFER'}; {total:,} calls alone, {asked:,} killed")
    return {"kills": num_kills, "same_bytes": is_same, "calls_alone": total, "calls_killed": asked}


def measure_estimate(num_personas: int, folder: Path) -> dict[str, Any]:
    """Estimate a run from a pilot of a third of it, and let the endpoint count both."""
    config = small_config(has_128k=False, preferences=PreferenceCounts(2, 2, 2, 1, 1, 1))
    script = replace(_NOISE, faults={kind: rate / 2 for kind, rate in RATES.items()})
    pilot = replace(config, num_personas=max(4, num_personas // 3 // 4 * 4))
    full = replace(config, num_personas=num_personas)
    with serve(Writer(script), _ROUGH) as endpoint:
        _finish(_start(_write_config(pilot, folder), folder / "pilot", endpoint))
    with serve(Writer(script), _ROUGH) as endpoint:
        _finish(_start(_write_config(full, folder), folder / "full", endpoint))
        took = dict(endpoint.usage)
    expected = estimate_run(full, pilot=load_pilot(folder / "pilot")).total
    ratios = [expected.input / took["prompt_tokens"], expected.output / took["completion_tokens"]]
    said = f"{pilot.num_personas} personas for {num_personas}: in {ratios[0]:.3f}, out {ratios[1]:.3f}"
    print(f"\nestimate by actual, {said}")
    return {"personas": num_personas, "pilot": pilot.num_personas, "input": ratios[0], "output": ratios[1]}


def _write_config(config: LlmConfig, folder: Path) -> Path:
    path = folder / f"config-{config.digest}.yaml"
    path.write_text(yaml.safe_dump(config.as_dict()))
    return path


def _start(config: Path, out: Path, endpoint: Endpoint) -> subprocess.Popen[bytes]:
    target = ["--config", str(config), "--out", str(out), "--model", "openai/scripted", "--base-url", endpoint.url]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.Popen([*_CALL, *target], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment)


def _finish(process: subprocess.Popen[bytes]) -> None:
    _, said = process.communicate()
    if process.returncode:
        raise SystemExit(f"generate run ended with {process.returncode}: {said.decode()}")


def _digest(folder: Path) -> str:
    whole = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file() and path.name != ".lock"):
        whole.update(path.relative_to(folder).as_posix().encode() + b"\0" + path.read_bytes())
    return whole.hexdigest()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--personas", type=int, default=24)
    parser.add_argument("--kills", type=int, default=20)
    options = parser.parse_args()
    figures: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        figures["swap"] = measure_faults("swap", options.personas, folder)
        figures["upstream"] = measure_faults("upstream", options.personas, folder)
        figures["kills"] = measure_kills(options.kills, folder)
        figures["estimate"] = measure_estimate(options.personas, folder)
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
