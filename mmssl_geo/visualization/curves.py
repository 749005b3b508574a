"""Curves of a run's scalars."""
TOTAL, GREY = '#222222', '#6b6b6b'
BLUE, RED = '#1f6fe0', '#d62728'
LOSS_COLOURS = ('#1f6fe0', '#f08c00', '#2ca02c', '#9467bd', '#d62728', '#17becf')


def plot_losses(axes, scalars):
    """Every scalar `loss...`, the total (`loss`) in black."""
    _style(axes, 'losses')
    parts = [name for name in scalars if name.startswith('loss') and name != 'loss']
    for name, colour in zip(parts, LOSS_COLOURS, strict=False):
        axes.plot(*scalars[name], color=colour, linewidth=1.6, label=name.removeprefix('loss_').replace('_', ' '))
    if 'loss' in scalars:
        axes.plot(*scalars['loss'], color=TOTAL, linewidth=2.2, label='total')
    axes.set_xlabel('iteration', fontsize=9, color=GREY)
    if axes.lines:
        axes.legend(fontsize=9, frameon=False)


def plot_gauge(axes, scalars):
    """Collapse gauge: effective rank (left scale) and spread (right scale, from 0) of the teacher's features."""
    _style(axes, "teacher's features")
    _plot_two(axes, scalars, ('effective_rank', 'effective rank'), ('feature_spread', 'spread'), from_zero=True)


def plot_schedules(axes, scalars):
    """Learning rate (left scale) and teacher momentum (right scale)."""
    _style(axes, 'schedules')
    _plot_two(axes, scalars, ('lr', 'learning rate'), ('momentum', 'momentum'), from_zero=False)
    axes.set_xlabel('iteration', fontsize=9, color=GREY)


def _plot_two(axes, scalars, left, right, from_zero):
    """Two scalars `(name, label)` on scales of their own, each labelled in its colour."""
    twin = axes.twinx()
    _style(twin)
    twin.grid(False)
    for own, (name, label), colour in ((axes, left, BLUE), (twin, right, RED)):
        own.set_ylabel(label, fontsize=9, color=colour)
        own.tick_params(axis='y', colors=colour)
        own.yaxis.get_major_formatter().set_useOffset(False)
        if name not in scalars:
            own.set_yticks([])
            continue
        steps, values = scalars[name]
        own.plot(steps, values, color=colour, linewidth=1.6)
        if from_zero:
            own.set_ylim(0, 1.1 * max(values.max(), 1e-6))


def _style(axes, title=None):
    axes.tick_params(labelsize=8.5)
    axes.locator_params(axis='y', nbins=5)
    axes.spines['top'].set_visible(False)
    axes.grid(axis='y', color='#e6e6e6', linewidth=0.8)
    axes.set_axisbelow(True)
    if title:
        axes.set_title(title, fontsize=11, loc='left')
