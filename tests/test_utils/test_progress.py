import pytest

from mmssl_geo.utils.progress import Progress, progress_line


def test_rate_and_time_to_go_count_what_this_run_has_done():
    assert progress_line(60, 100, 'images', 20, 10.) == '60/100 images, 2.0 a second, 0:00:20 to go'
    assert progress_line(100, 100, 'images', 60, 10., '2 bad') == '100/100 images, 6.0 a second, 2 bad'
    assert progress_line(7, None, 'rows', 7, 2.) == '7 rows, 3.5 a second'
    assert progress_line(0, 9, 'images', 0, 0.) == '0/9 images, 0.0 a second'


@pytest.mark.parametrize('is_terminal, lines', [(False, 3), (True, 1)])
def test_lines_come_at_times_and_at_the_end(capsys, monkeypatch, is_terminal, lines):
    clock = [100.]
    monkeypatch.setattr('time.monotonic', lambda: clock[0])
    monkeypatch.setattr('sys.stderr.isatty', lambda: is_terminal, raising=False)
    progress = Progress(100, 'images', already=10)
    for _ in range(89):
        clock[0] += 1
        progress.add()
    progress.finish()
    shown = capsys.readouterr().err
    assert shown.count('\n') == lines and shown.count('\r') == (90 if is_terminal else 0)
    assert ('40/100 images, 1.0 a second, 0:01:00 to go' in shown) and '99/100 images, 1.0 a second' in shown
