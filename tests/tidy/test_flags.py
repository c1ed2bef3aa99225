"""flags.py finds a flag that the manual of splicebench lacks, and one that it has too many."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import flags  # noqa: E402

PAGE = """.Sh DESCRIPTION
Give
.Fl Fl help .
.Ss Flags of loads
.Bl -tag
.It Fl Fl to Ar address
Not with
.Fl Fl how .
.It Fl Fl rate Ar n
.It Fl Fl verify , Fl Fl no-verify
.El
.Ss Flags of echo
.Bl -tag
.It Fl Fl how Ar method
.El
.Sh EXIT STATUS
.Bl -tag
.It Fl Fl how
.El
"""
HELPS = {
    "bulk": "usage: bulk [--to ADDR]\n  --to ADDR  where\n  --help  this text\n",
    "pingpong": "  --to ADDR  where\n  --rate N   how many\n  --verify, --no-verify  all bytes\n",
    "echo": "usage: echo --how METHOD\n  --how METHOD  by what; not-a--flag\n",
}


def test_a_page_that_names_all_flags_passes():
    assert flags.find_differences(PAGE, HELPS) == []


@pytest.mark.parametrize("page, helps, said", [
    (PAGE.replace(".It Fl Fl rate Ar n\n", ""), {}, "Flags of loads: --rate is missing"),
    (PAGE.replace(" , Fl Fl no-verify", ""), {}, "Flags of loads: --no-verify is missing"),
    (PAGE, {"echo": HELPS["echo"] + "  --once  one\n"}, "Flags of echo: --once is missing"),
    (PAGE, {"echo": HELPS["echo"] + "  --to ADDR  where\n"}, "Flags of echo: --to is missing"),
    (PAGE.replace(".It Fl Fl how Ar", ".It Fl Fl to Ar x\n.It Fl Fl how Ar"), {}, "Flags of echo: --to is no flag of it"),
    (PAGE, {"pingpong": HELPS["bulk"] + "--rate"}, "Flags of loads: --verify is no flag of it"),
    (PAGE.replace("Fl Fl help", "Fl Fl halp"), {}, "--halp is named, and no command has it"),
    (PAGE.replace(".Ss Flags of loads", ".Ss Flags"), {}, "Flags of loads: --to is missing"),
    (PAGE + ".Ss Flags of watch\n.It Fl Fl pid\n", {}, "Flags of watch: --pid is no flag of it"),
])
def test_a_difference_is_told(page, helps, said):
    assert said in flags.find_differences(page, {**HELPS, **helps})


def test_commands_are_those_of_the_overview():
    assert flags.commands_of("usage: splicebench COMMAND\n\n  bulk   streams\n  echo   servers\n\n'x' lists\n") == [
        "bulk", "echo"]
