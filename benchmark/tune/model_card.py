"""The model card of a shipped trial: Hugging Face's metadata, then the figures and where they are from."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pocketclip.benchmark.report.markdown import escape
from pocketclip.benchmark.tune.front import front
from pocketclip.benchmark.tune.limits import Limit, shown
from pocketclip.benchmark.tune.settings import StudySettings
from pocketclip.benchmark.tune.trials import Trial
from pocketclip.benchmark.tune.wording import point_words, repeat_commands
from pocketclip.benchmark.tune.workshop import Workshop

if TYPE_CHECKING:
    from pocketclip.export.bundle.manifest import Bundle
    from pocketclip.export.bundle.selftest import SelfTestReport

_TASK = "zero-shot-image-classification"


@dataclass(frozen=True)
class CardFacts:
    """What a card says beside the study: the model's name, the bundle and its self-test, what measured the trial."""

    name: str
    study_sha256: str
    bundle: Bundle
    report: SelfTestReport
    device: str


def model_card(workshop: Workshop, trials: Sequence[Trial], trial: Trial, facts: CardFacts) -> str:
    """The card as Markdown, with its metadata in front."""
    space, settings = workshop.space, workshop.settings
    name, study_sha256, bundle, report = facts.name, facts.study_sha256, facts.bundle, facts.report
    base = next((each for each in trials if space.is_base(each.point) and each.complete), None)
    weights = next(note for note in bundle.licences if note.part == "model weights")
    changes = [f"`{escape(path)}` = {escape(json.dumps(value))}" for path, value in space.changes(trial.point).items()]
    lines = [
        *_metadata(space.space.model, name, weights.licence, str(space.scheme(trial.point)[0]), study_sha256),
        f"# {escape(name)}",
        "",
        f"{escape(space.space.model)}, changed and exported by PocketCLIP for phones: trial {trial.number} of "
        f"{len(trials)} of the study {escape(workshop.name)}.",
        "",
        f"- **Changes**: {', '.join(changes) or 'none'}",
        f"- **Scheme**: {escape(' '.join(space.scheme(trial.point)))}",
        f"- **Weights**: {escape(weights.licence)} ({escape(weights.source)})",
        f"- **Bundle's self-test**: {len(report.checks)} checks passed",
        f"- **Study**: sha256 `{study_sha256}`; `evidence/` has its settings, trials and the records",
        "",
        "## Figures",
        "",
        *_table(workshop, settings, [*([base] if base is not None else []), trial]),
        "",
        f"Accuracy is zero-shot on {escape(settings.dataset)}; the drop is against {escape(space.space.model)} in "
        f"PyTorch on the same samples. The {settings.cost} is that of one image and one text on "
        f"{escape(facts.device)}. Intervals are 95 %.",
        "",
        *_waived(trial, settings),
        "## The front of the study",
        "",
        *_table(workshop, settings, [each.trial for each in front(trials, settings)]),
        "",
        "## Use",
        "",
        "The apps load `clip.bundle`. In Python:",
        "",
        "```python",
        "import pocketclip",
        "",
        'bundle = pocketclip.open_bundle("clip.bundle")',
        'print(bundle.classify("photograph.jpg", labels=["a cat", "a dog"]))',
        "```",
        "",
        "## Repeat it",
        "",
        "```",
        *repeat_commands(space, settings, trial),
        "```",
        "",
        "## Licences",
        "",
        *(f"- {escape(note.part)}: {escape(note.licence)} ({escape(note.source)})" for note in bundle.licences),
    ]
    return "\n".join(lines) + "\n"


def _metadata(base: str, name: str, licence: str, target: str, study_sha256: str) -> list[str]:
    """YAML in which every text is quoted as JSON, so that none of it means anything to YAML."""
    known = {} if licence == "unknown" else {"license": licence.lower()}
    content: dict[str, object] = {
        **known,
        "library_name": "pocketclip",
        "pipeline_tag": _TASK,
        "tags": ["clip", "mobile", "on-device", target],
        "pocketclip": {"base": base, "model": name, "study_sha256": study_sha256},
    }
    return ["---", *(f"{key}: {json.dumps(value)}" for key, value in content.items()), "---", ""]


def _table(workshop: Workshop, settings: StudySettings, trials: Sequence[Trial]) -> list[str]:
    lines = [
        f"| trial | changes and scheme | {settings.cost} | size | accuracy | drop, points |",
        "|---|---|---|---|---|---|",
    ]
    limit = settings.cost.limit
    for each in trials:
        measured, judged = each.measured, each.judged
        if measured is None or judged is None:
            continue
        cells = [
            str(each.number),
            escape(point_words(workshop.space, each.point)),
            f"{shown(limit, measured.cost)} ({shown(limit, measured.low)} to {shown(limit, measured.high)})",
            shown(Limit.SIZE, judged.size_bytes),
            f"{100 * judged.accuracy:.1f} % ({100 * judged.low:.1f} to {100 * judged.high:.1f})",
            f"{judged.drop_points:+.2f} ({judged.drop_low_points:+.2f} to {judged.drop_high_points:+.2f})",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def _waived(trial: Trial, settings: StudySettings) -> list[str]:
    violated = trial.violations(settings.limits, settings.cost)
    if not violated:
        return []
    return [f"**Beyond the study's limits**: {'; '.join(each.words for each in violated)}.", ""]
