"""Size and cost of a benchmark."""

from collections.abc import Sequence

from .jobs import Init, needed_recipes
from .suite import Suite, Task


def total_cost(suite: Suite, tasks: Sequence[Task], inits: Sequence[Init], seeds: int) -> tuple[float, float]:
    """Returns the estimated device hours and GB of all jobs and pretrainings."""
    parts = [(task.hours, task.disk_gb, len(inits) * seeds) for task in tasks]
    parts += [(recipe.hours, recipe.disk_gb, 1) for recipe in needed_recipes(suite, inits)]
    return sum(hours * count for hours, _, count in parts), sum(disk_gb * count for _, disk_gb, count in parts)


def plan_summary(suite: Suite, tasks: Sequence[Task], inits: Sequence[Init], seeds: int) -> str:
    """Formats the plan as a Markdown table of pretrainings and tasks."""
    hours, disk_gb = total_cost(suite, tasks, inits, seeds)
    jobs = len(inits) * seeds
    lines = [
        f'suite {suite.name}: {len(tasks)} tasks x {len(inits)} initialisations '
        f'({", ".join(init.name for init in inits)}) x {seeds} seeds = {len(tasks) * jobs} jobs',
        f'estimate: {hours:.4g} {suite.device} hours, {disk_gb:.3g} GB'
        if hours
        else 'no estimate: the suite does not set `hours` and `disk_gb`',
        '',
        f'| task | config | data | seeds | jobs | {suite.device} hours | GB | published |',
        '|---' * 8 + '|',
    ]
    for recipe in needed_recipes(suite, inits):
        lines.append(
            f'| pretraining {recipe.name} | {recipe.config} | {recipe.data} | 0 | 1 | {recipe.hours:.4g} | '
            f'{recipe.disk_gb:.3g} | |'
        )
    for task in tasks:
        lines.append(
            f'| {task.name} | {task.config or "probe: " + " ".join(task.arguments)} | {task.data} | '
            f'{", ".join(map(str, range(seeds)))} | {jobs} | {jobs * task.hours:.4g} | {jobs * task.disk_gb:.3g} | '
            f'{published_numbers(task)} |'
        )
    return '\n'.join(lines)


def published_numbers(task: Task) -> str:
    """Formats the published numbers of a task, grouped by initialisation."""
    by_init: dict[str, list[str]] = {}
    for metric, values in task.paper.items():
        for init, value in values.items():
            by_init.setdefault(init, []).append(f'{value} {metric}')
    return '; '.join(f'{init} {", ".join(numbers)}' for init, numbers in by_init.items())
