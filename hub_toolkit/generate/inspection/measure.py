"""What a dataset's folder holds, measured for a page: counts, distributions, leaks, neighbours across splits."""

from __future__ import annotations

import hashlib
import statistics
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from hub_toolkit.data.foreign import has_options, load_samples
from hub_toolkit.data.history import load_history
from hub_toolkit.data.parse import history_path, split_path
from hub_toolkit.data.schema import CONTEXT_SIZES, SPLITS, ContextSize, Modality, Sample, Split
from hub_toolkit.errors import DataFormatError
from hub_toolkit.generate.attacks import GUESSES, guess_scores
from hub_toolkit.generate.blind import option_order, score_blind, train_blind
from hub_toolkit.generate.inspection.neighbours import Neighbour, find_neighbours
from hub_toolkit.generate.seeding import rng_for
from hub_toolkit.metrics.accuracy import Estimate, estimate_mean

KINDS: dict[str, Callable[[Sample], str]] = {
    "pref_type": lambda sample: sample.pref_type,
    "conversation_scenario": lambda sample: sample.conversation_scenario,
    "who": lambda sample: sample.who,
    "updated": lambda sample: str(sample.is_updated).lower(),
    "sensitive_info": lambda sample: str(sample.is_sensitive).lower(),
    "topic_query": lambda sample: sample.topic_query,
}
"""Columns whose values are counted."""

MAX_BLIND_ROWS = 4000
"""Rows from which the classifier learns, and of which it is asked; whole personas, drawn."""

NEAR_TEXT, NEAR_HISTORY = 0.8, 0.3
"""From where on two texts count as near-duplicates. Half of a history copied into another gives a third."""

MAX_BINS = 10
HISTORY_WORDS = 5
QUERY_WORDS = 2
_NUM_FOLDS = 5


@dataclass(frozen=True)
class Spread:
    """A distribution in five figures."""

    n: int
    low: float
    quarter: float
    median: float
    three_quarters: float
    high: float


@dataclass(frozen=True)
class Blind:
    """What a classifier scores that reads query and options alone. `how` says on whom it learned."""

    score: Estimate
    num_learned: int
    how: str


@dataclass(frozen=True)
class Inspected:
    """A dataset as it was read: its samples by split, in the order of the splits."""

    folder: Path
    modality: Modality
    samples: Mapping[Split, Sequence[Sample]]

    @cached_property
    def rows(self) -> list[Sample]:
        """All samples."""
        return [sample for samples in self.samples.values() for sample in samples]

    @cached_property
    def choices(self) -> list[Sample]:
        """Rows with options that count for accuracy: those on secrets are a safety measure and stand apart."""
        return [sample for sample in self.rows if has_options(sample) and not sample.is_sensitive]


def open_inspected(folder: Path) -> Inspected:
    """Read every split of a folder in the published layout; the text, or the multimodal rows where there is no text.

    Raises: DataFormatError: there is no split, or a row is broken.
    """
    modalities: tuple[Modality, ...] = ("text", "multimodal")
    for modality in modalities:
        there = [split for split in SPLITS if split_path(folder, split, modality).is_file()]
        if there:
            samples = {split: load_samples(folder, split, modality=modality) for split in there}
            return Inspected(folder, modality, samples)
    raise DataFormatError("no split stands in benchmark/text or benchmark/multimodal", file=str(folder))


def count_kinds(samples: Sequence[Sample]) -> dict[str, Counter[str]]:
    """Return how often each value occurs, by column."""
    return {name: Counter(value(sample) or "(none)" for sample in samples) for name, value in KINDS.items()}


def measure_spreads(samples: Sequence[Sample]) -> dict[str, Spread]:
    """Return how long and how far things are; what no row states is left out.

    Histories are counted once each, distances once a row.
    """
    found: dict[str, list[float]] = defaultdict(list)
    for size in CONTEXT_SIZES:
        totals = {s.history_links[size]: s.counts.get(_total(size)) for s in samples if size in s.history_links}
        found[f"tokens of a history, {size}"] = [float(total) for total in totals.values() if total]
        distances = (s.counts.get(f"distance_from_related_snippet_to_query_{size}") for s in samples)
        found[f"tokens from evidence to query, {size}"] = [float(gap) for gap in distances if gap is not None]
    found["characters of a query"] = [float(len(sample.user_query.text)) for sample in samples]
    found["characters of an option"] = [
        float(len(o)) for s in samples for o in (s.correct_answer, *s.incorrect_answers)
    ]
    found["longest option by shortest"] = [_length_ratio(sample) for sample in samples if has_options(sample)]
    return {name: _spread(values) for name, values in found.items() if values}


def count_distances(samples: Sequence[Sample], width: int) -> Counter[int]:
    """Return how often the evidence is how far from the query in the shortest history, in bins of `width` tokens."""
    return Counter(gap // width for gap in map(_distance, samples) if gap is not None)


def bin_width(samples: Sequence[Sample]) -> int:
    """Return the width of at most ten bins of distances: 1,024 tokens, doubled as often as it takes."""
    farthest = max((gap for gap in map(_distance, samples) if gap is not None), default=0)
    width = 1024
    while farthest >= MAX_BINS * width:
        width *= 2
    return width


def _distance(sample: Sample) -> int | None:
    gaps = (sample.counts.get(f"distance_from_related_snippet_to_query_{size}") for size in CONTEXT_SIZES)
    return next((gap for gap in gaps if gap is not None), None)


def _total(size: ContextSize) -> str:
    return f"total_tokens_in_chat_history_{size}"


def _length_ratio(sample: Sample) -> float:
    lengths = [len(option) for option in (sample.correct_answer, *sample.incorrect_answers)]
    return max(lengths) / max(1, min(lengths))


def _spread(values: Sequence[float]) -> Spread:
    one, two, three = statistics.quantiles(values, n=4, method="inclusive") if len(values) > 1 else [values[0]] * 3
    return Spread(len(values), min(values), one, two, three, max(values))


def measure_baselines(samples: Sequence[Sample]) -> dict[str, Estimate]:
    """Return what rules of thumb score that read no history, with intervals clustered by persona."""
    scores = [guess_scores(s.user_query.text, order := option_order(s), order.index(s.correct_answer)) for s in samples]
    clusters = [sample.cluster for sample in samples]
    return {name: estimate_mean([score[name] for score in scores], clusters) for name in GUESSES}


def measure_blind(inspected: Inspected, *, seed: int = 0) -> Blind | None:
    """Return what a classifier scores on benchmark personas that it has not seen; None with too few rows.

    It learns from the other splits. Where there is one split only, each fifth of its personas is asked after the
    others were learned from; owners of one swap group stay together.
    """
    train = [s for s in inspected.choices if s.split != "benchmark"]
    test = [s for s in inspected.choices if s.split == "benchmark"]
    if train and test:
        learned, asked = draw_personas(train, MAX_BLIND_ROWS, seed), draw_personas(test, MAX_BLIND_ROWS, seed)
        scores = list(score_blind(train_blind(learned, seed=seed), asked))
        return Blind(_estimate(scores, asked), len(learned), "learned from the other splits")
    rows = draw_personas(train or test, MAX_BLIND_ROWS, seed)
    folds = _folds(rows)
    if len(folds) < 2:
        return None
    scores, asked = [], []
    for fold in folds:
        names = {sample.sample_id for sample in fold}
        others = [sample for sample in rows if sample.sample_id not in names]
        scores += score_blind(train_blind(others, seed=seed), fold)
        asked += fold
    return Blind(_estimate(scores, asked), len(rows) - len(folds[0]), f"cross-validated over {len(folds)} folds")


def _estimate(scores: Sequence[float], samples: Sequence[Sample]) -> Estimate:
    return estimate_mean(list(scores), [sample.cluster for sample in samples])


def draw_personas(samples: Sequence[Sample], num_rows: int, seed: int) -> list[Sample]:
    """Return the rows of drawn sets of personas until there are enough; a set's swap groups stay whole."""
    sets = _sets_of_personas(samples)
    rng_for(seed, "inspect").shuffle(sets)
    drawn: list[Sample] = []
    for rows in sets:
        if len(drawn) >= num_rows:
            break
        drawn += rows
    return drawn


def _folds(samples: Sequence[Sample]) -> list[list[Sample]]:
    """Deal the sets of personas out to at most five folds; owners of one swap group are in one set."""
    sets = _sets_of_personas(samples)
    folds: list[list[Sample]] = [[] for _ in range(min(_NUM_FOLDS, len(sets)))]
    for place, rows in enumerate(sets):
        folds[place % len(folds)] += rows
    return folds


def _sets_of_personas(samples: Sequence[Sample]) -> list[list[Sample]]:
    """Return the rows of personas that share no swap group with others, largest set first."""
    leader: dict[int | str, int | str] = {}

    def find(name: int | str) -> int | str:
        while leader.setdefault(name, name) != name:
            name = leader[name]
        return name

    for sample in samples:
        if sample.group_id is not None:
            leader[find(sample.cluster)] = find(sample.group_id)
    sets: dict[int | str, list[Sample]] = defaultdict(list)
    for sample in samples:
        sets[find(sample.cluster)].append(sample)
    return sorted(sets.values(), key=len, reverse=True)


@dataclass(frozen=True)
class Likeness:
    """How like the benchmark's texts are to the other splits'. `texts` holds those of the pairs shown."""

    what: str
    threshold: float
    num_compared: int
    num_equal: int
    pairs: Sequence[Neighbour]
    texts: Mapping[str, str]

    @property
    def num_near(self) -> int:
        """How many have a near-duplicate on the other side."""
        return sum(pair.similarity >= self.threshold for pair in self.pairs)

    @property
    def median(self) -> float:
        """The similarity of the nearest neighbour, in the middle of all that were compared."""
        nearest = [pair.similarity for pair in self.pairs] + [0.0] * (self.num_compared - len(self.pairs))
        return statistics.median(nearest)


def measure_likeness(inspected: Inspected, *, num_pairs: int = 5) -> list[Likeness]:
    """Compare the benchmark's queries, questions with options, and histories with those of the other splits."""
    left = inspected.samples.get("benchmark", ())
    right = [sample for sample in inspected.rows if sample.split != "benchmark"]
    if not left or not right:
        return []
    return [
        _compare(_Texts("queries", QUERY_WORDS, NEAR_TEXT), _queries(left), _queries(right), num_pairs),
        _compare(
            _Texts("questions with options", QUERY_WORDS, NEAR_TEXT), _questions(left), _questions(right), num_pairs
        ),
        _compare(
            _Texts("histories", HISTORY_WORDS, NEAR_HISTORY),
            _histories(inspected, left),
            _histories(inspected, right),
            num_pairs,
        ),
    ]


@dataclass(frozen=True)
class _Texts:
    what: str
    num_words: int
    threshold: float


def _compare(kind: _Texts, left: Mapping[str, str], right: Mapping[str, str], num_pairs: int) -> Likeness:
    pairs = find_neighbours(left, right, num_words=kind.num_words)
    known = {_digest(text) for text in right.values()}
    num_equal = sum(_digest(text) in known for text in left.values())
    shown = pairs[:num_pairs]
    texts = {pair.left: left[pair.left] for pair in shown} | {pair.right: right[pair.right] for pair in shown}
    return Likeness(kind.what, kind.threshold, len(left), num_equal, pairs, texts)


def _digest(text: str) -> bytes:
    return hashlib.sha256(" ".join(text.lower().split()).encode("utf-8", "surrogatepass")).digest()


def _queries(samples: Sequence[Sample]) -> dict[str, str]:
    """Return each different query once, under its first row's id: the four owners of a group share it."""
    first: dict[str, str] = {}
    for sample in samples:
        first.setdefault(sample.user_query.text, sample.sample_id)
    return {name: text for text, name in first.items()}


def _questions(samples: Sequence[Sample]) -> dict[str, str]:
    first: dict[str, str] = {}
    for sample in samples:
        options = sorted((sample.correct_answer, *sample.incorrect_answers))
        first.setdefault("\n".join((sample.user_query.text, *options)), sample.sample_id)
    return {name: text for text, name in first.items()}


def _histories(inspected: Inspected, samples: Sequence[Sample]) -> dict[str, str]:
    """Return what the user says in each history, the shortest that a persona has."""
    links: dict[str, None] = {}
    for sample in samples:
        size = next((size for size in CONTEXT_SIZES if sample.history_links.get(size)), None)
        if size is not None:
            links[sample.history_links[size]] = None
    return {link: _user_text(history_path(inspected.folder, link)) for link in links}


def _user_text(path: Path) -> str:
    return "\n".join(message.text for message in load_history(path).messages if message.role == "user")
