"""Where splicebench is."""

import os
from pathlib import Path

from .proxy import BINARY


def find_splicebench():
    """The one built beside the daemon, or what SPLICEBENCH_BINARY names; None if there is none."""
    named = os.environ.get("SPLICEBENCH_BINARY")
    places = [Path(named)] if named else [BINARY.parent / "splicebench", BINARY.parent / "bench" / "splicebench",
                                          BINARY.parent.parent / "bench" / "splicebench"]
    return next((place for place in places if place.is_file()), None)


SPLICEBENCH = find_splicebench()
