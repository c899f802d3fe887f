"""What `tune` shows: the space explained, the front as a table, the lines of what goes on."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pocketclip.benchmark.tune.explain import Estimate, Explained
    from pocketclip.benchmark.tune.points import SearchSpace
    from pocketclip.benchmark.tune.settings import StudySettings
    from pocketclip.benchmark.tune.trials import Trial
    from pocketclip.models.terminal.table import TerminalTable

_MOST_REASONS = 8


def front_table(space: SearchSpace, settings: StudySettings, trials: Sequence[Trial]) -> TerminalTable:
    """The front of a study, by cost; a star marks what the intervals do not prove."""
    from pocketclip.benchmark.tune.front import front
    from pocketclip.benchmark.tune.limits import Limit, shown
    from pocketclip.benchmark.tune.wording import point_words
    from pocketclip.models.terminal.table import TerminalTable, figure_columns, name_column

    rows: list[list[str]] = []
    found = front(trials, settings)
    for each in found:
        measured, judged = each.trial.measured, each.trial.judged
        assert measured is not None
        low, high = each.spot.cost_interval
        size = judged.size_bytes if judged is not None else measured.size_bytes
        cells = [
            f"{each.trial.number}{'' if each.proven else '*'}",
            point_words(space, each.trial.point),
            shown(settings.cost.limit, each.spot.cost),
            f"{shown(settings.cost.limit, low)} to {shown(settings.cost.limit, high)}",
            shown(Limit.SIZE, size),
        ]
        if judged is not None:
            cells += [
                f"{100 * judged.accuracy:.1f}%",
                f"{judged.drop_points:+.2f}",
                f"{judged.drop_low_points:+.2f} to {judged.drop_high_points:+.2f}",
            ]
        rows.append(cells)
    columns = [
        *figure_columns("trial"),
        name_column("changes and scheme"),
        *figure_columns(str(settings.cost)),
        *figure_columns("95 % interval", spare=2),
        *figure_columns("size", spare=1),
    ]
    if settings.train:
        columns += [*figure_columns("accuracy", "drop,\npoints"), *figure_columns("its 95 %\ninterval", spare=1)]
    unproven = any(not each.proven for each in found)
    caption = "*: the intervals do not prove that no other trial is as good in both figures" if unproven else ""
    return TerminalTable(columns, rows, title="Front", caption=caption)


def explained_lines(space: SearchSpace, explained: Explained, cost: Estimate | None) -> list[str]:
    """The answer of `tune --explain`."""
    levels = ", ".join(f"{name} {len(each)}" for name, each in space.space.levels.items())
    lines = [f"{explained.size:,} combinations ({levels})"]
    if explained.sampled:
        share = explained.points / explained.looked_at
        lines.append(
            f"about {share * explained.size:,.0f} can be, as far as {explained.looked_at:,} drawn at random tell"
        )
    else:
        again = f"; {explained.again:,} of them again by another name" if explained.again else ""
        lines.append(f"{explained.points:,} points can be, of {explained.models:,} models{again}")
    for reason, count in explained.pruned[:_MOST_REASONS]:
        lines.append(f"pruned: {count:,}{' of those drawn' if explained.sampled else ''}: {reason}")
    if len(explained.pruned) > _MOST_REASONS:
        rest = sum(count for _, count in explained.pruned[_MOST_REASONS:])
        lines.append(f"pruned: {rest:,} for {len(explained.pruned) - _MOST_REASONS} other reasons")
    if cost is None:
        lines.append(f"cost: unknown before a trial of {space.base.name} has run")
    else:
        lines.append(
            f"cost of {cost.trials} trials: at most {_hours(cost.total_s)} of one process (measuring "
            f"{_hours(cost.measure_s)}, training {_hours(cost.train_s)}, judging {_hours(cost.judge_s)}; from "
            f"{cost.source}); trials of one model share its training"
        )
    return lines


def rejected_lines(trials: Sequence[Trial]) -> list[str]:
    """How many trials ended for which reason."""
    from collections import Counter

    endings = Counter(trial.closing.ending for trial in trials if trial.closing is not None)
    return [f"{count} {ending}" for ending, count in endings.most_common()]


def _hours(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
