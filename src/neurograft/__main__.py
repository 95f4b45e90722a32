"""Let ``python -m neurograft`` do what the command ``neurograft`` does."""

import sys

from neurograft.cli import main

if __name__ == "__main__":
    sys.exit(main())
