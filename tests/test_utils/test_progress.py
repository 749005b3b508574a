import pytest

from mmssl_geo.utils.progress import ProgressBar


def run(capsys, monkeypatch, is_terminal):
    """Output of a bar that is updated 90 times, once a second."""
    now = [100.0]
    monkeypatch.setattr('tqdm.std.time', lambda: now[0])
    monkeypatch.setattr('sys.stderr.isatty', lambda: is_terminal, raising=False)
    with ProgressBar(100, 'images', initial=10) as progress:
        for _ in range(90):
            now[0] += 1
            progress.set_postfix_str('2 skipped', refresh=False)
            progress.update()
    return capsys.readouterr().err


def test_a_log_gets_a_line_every_half_minute_and_at_the_end(capsys, monkeypatch):
    shown = run(capsys, monkeypatch, is_terminal=False)
    assert '\r' not in shown and '\n\n' not in shown
    lines = shown.splitlines()
    assert [line.split('|')[-1].split()[0] for line in lines] == ['10/100', '40/100', '70/100', '100/100']


def test_a_terminal_gets_one_line(capsys, monkeypatch):
    shown = run(capsys, monkeypatch, is_terminal=True)
    assert shown.count('\n') == 1 and shown.count('\r') > 80
    assert '40/100 [' in shown and '1.00 images/s, 2 skipped]' in shown, 'the rate leaves out the images done before'


@pytest.mark.parametrize('is_terminal', [True, False])
def test_an_unknown_total(capsys, monkeypatch, is_terminal):
    monkeypatch.setattr('sys.stderr.isatty', lambda: is_terminal, raising=False)
    with ProgressBar(None, 'rows') as progress:
        progress.update(7)
    assert '7 rows [' in capsys.readouterr().err
