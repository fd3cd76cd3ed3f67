"""`python -m agnesi`: the same as the command `agnesi`."""

from agnesi.cli import main

raise SystemExit(main())
