"""What some subjects are called after – splicing, or the wire – and whether the load went
that way: else their figures would not be what they are called."""

import re
import time

from .programs import SubjectError

# HAProxy's counter has had several spellings, TotalSplicdedBytesOut among them; spliced has that one, too.
SPLICED_BYTES = re.compile(r"(?i)total_?splic\w*_?bytes_?out$")
ALL_BYTES = re.compile(r"(?i)total_?bytes_?out$")
# At least this much of the load's bytes goes the way a subject is called after; the first of a stream may be copied.
LEAST_SHARE = 0.9
# Where that is looked at. Short connections are over before wire has them, and of single bytes too few come after.
KINDS = {"splice": ("bulk",), "wire": ("bulk", "pingpong", "incast")}
# What wire has carried is counted once a second and when a connection ends, and that is seen a moment afterwards.
WIRE_COUNTED_SECONDS = 2.0
ENGINE_LINE = re.compile(r"^([a-z][a-z0-9]*) (\d+) (\d+) (\d+)\b", re.M)
REFUSAL_LINE = re.compile(r"^[a-z]+: \d+ \(.*\)$", re.M)


def claim_of(subject):
    """"splice" or "wire" where the load of a subject is to go that way, else None."""
    if subject.name.startswith("haproxy-splice"):
        return "splice"
    return subject.engine if subject.engine in ("splice", "wire") else None


def check_load(subject, kind, load_bytes):
    """Returns the bytes that went the way the subject is called after, None where nothing is claimed.

    load_bytes: of the load, after its warm-up; what the proxy counts has the warm-up in it, too. Of wire only what
    others carried before the measured time is known, and does not count against it: it takes over what runs already."""
    claim = claim_of(subject)
    if claim is None or kind not in KINDS[claim]:
        return None
    return check_splice(subject, load_bytes) if claim == "splice" else check_wire(subject, load_bytes)


def check_splice(subject, load_bytes):
    info = subject.ask("show info")
    spliced, moved = (find_count(info, pattern) for pattern in (SPLICED_BYTES, ALL_BYTES))
    if spliced is None:
        raise SubjectError(f"{subject.name} did not splice: its counter of spliced bytes is missing after bulk")
    whole = max(load_bytes, moved or 0)
    if not is_enough(spliced, whole):
        raise SubjectError(f"{subject.name} did not splice: {describe_share(spliced, whole)}")
    return spliced


def check_wire(subject, load_bytes):
    deadline = time.monotonic() + WIRE_COUNTED_SECONDS
    while True:
        said = subject.talk("show relay")
        engines = read_engines(said)
        if "wire" not in engines:
            raise SubjectError(f"{subject.name} was not on the wire: show relay has no line for it after the load")
        carried = engines["wire"]["bytes"]
        whole = max(load_bytes, carried + count_others(engines) - subject.others_before)
        if is_enough(carried, whole):
            return carried
        if time.monotonic() > deadline:
            refusals = "; ".join(REFUSAL_LINE.findall(said))
            raise SubjectError(f"{subject.name} was not on the wire: {describe_share(carried, whole)}"
                               + (f"; it refused: {refusals}" if refusals else ""))
        time.sleep(0.02)


def count_others(engines):
    """Bytes that other engines than wire have carried; these counters are never late."""
    return sum(counts["bytes"] for name, counts in engines.items() if name != "wire")


def count_on_the_wire(subject):
    """How many connections wire carries now; it takes both directions of each."""
    return read_engines(subject.talk("show relay")).get("wire", {}).get("now", 0) // 2


def is_enough(bytes_so, whole):
    return bytes_so > 0 and bytes_so >= LEAST_SHARE * whole


def describe_share(bytes_so, whole):
    return f"{bytes_so:,} of {whole:,} bytes, at least {LEAST_SHARE:.0%} are needed"


def read_engines(said):
    """{engine: {"now": directions it carries, "ever", "bytes"}} of an answer to show relay."""
    return {name: dict(zip(("now", "ever", "bytes"), map(int, counts)))
            for name, *counts in ENGINE_LINE.findall(said)}


def find_count(info, pattern):
    """The counter whose name matches, out of an answer to show info, or None."""
    return next((int(value) for key, value in info.items() if pattern.match(key.strip()) and value.strip().isdigit()),
                None)
