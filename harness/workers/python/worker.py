#!/usr/bin/env python3
"""Starts the Python worker of the harness, which is session.py.

Nothing else lives here: Python compiles the file it is started with anew at every start, and keeps what it compiled of
all others. Children of multiprocessing import it again too.
"""

import sys

if __name__ == "__main__":
    from session import main

    sys.exit(main())
