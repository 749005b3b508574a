"""Running of command-line tools."""

import sys
import traceback
from collections.abc import Callable
from typing import NoReturn

from .errors import UserError, worker_error_message


def run_tool(main: Callable[[], int | None]) -> NoReturn:
    """Runs a tool and exits with its status.

    A `UserError` becomes one sentence on stderr and exit status 1, after the traceback of its cause if the cause may be
    a bug (`UserError.show_cause`).

    Args:
        main: Main function of the tool; returns the exit status.
    """
    try:
        status = main()
    except UserError as error:
        if error.show_cause and error.__cause__ is not None:
            traceback.print_exception(error.__cause__)
        print(f'error: {worker_error_message(error)}', file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        print('interrupted', file=sys.stderr)
        sys.exit(130)
    sys.exit(status)
