"""Entry point of the command `poolkeeper`."""

import sys
import zoneinfo

from poolkeeper.cli import cli


def main() -> None:
    """Run the command line. Exit status: 0 ok, 1 the answer is no, 2 usage or failure."""
    zoneinfo.reset_tzpath(to=())  # the pinned tzdata decides, not whatever the host has
    try:
        cli(prog_name="poolkeeper")
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
