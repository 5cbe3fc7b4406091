"""`python -I action MODE`: the entry of the steps of action.yml and comment/action.yml."""

from __future__ import annotations

import os
import sys

from gate_action.program import main

sys.exit(main(sys.argv[1:], os.environ))
