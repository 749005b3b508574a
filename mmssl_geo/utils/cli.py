"""What all command-line tools share."""
import sys

from .errors import UserError, first_line_of_worker_error


def run_tool(main):
    """Runs `main()`; a user's mistake is printed as one sentence without a traceback, with exit status 1."""
    try:
        status = main()
    except UserError as error:
        print(f'error: {first_line_of_worker_error(error)}', file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        print('interrupted', file=sys.stderr)
        sys.exit(130)
    sys.exit(status)
