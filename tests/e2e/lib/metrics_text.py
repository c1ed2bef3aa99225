"""A strict reader of the Prometheus text format 0.0.4."""

import re

_NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
_HELP = re.compile(rf"# HELP ({_NAME}) (.+)$")
_TYPE = re.compile(rf"# TYPE ({_NAME}) (counter|gauge|histogram|summary|untyped)$")
_LABEL = r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"'
_SAMPLE = re.compile(rf"({_NAME})(?:\{{((?:{_LABEL})(?:,{_LABEL})*)?\}})? (\S+)$")
_VALUE = re.compile(r"[-+]?(?:\d+(?:\.\d+)?(?:[eE][-+]?\d+)?|Inf|NaN)$")


class Family:
    def __init__(self, name):
        self.name, self.kind, self.help = name, None, None
        self.samples = {}  # frozenset of (label, value) to number


def parse_metrics(text):
    """Families by name; asserts everything that the format demands."""
    assert text.endswith("\n"), "the last line does not end"
    families, current = {}, None
    for line in text.splitlines():
        if not line:
            continue
        if line.startswith("# HELP "):
            name = _match(_HELP, line).group(1)
            current = families.setdefault(name, Family(name))
            assert current.help is None and not current.samples, f"{name} is not in one piece"
            current.help = line
        elif line.startswith("# TYPE "):
            name, kind = _match(_TYPE, line).groups()
            current = families.setdefault(name, Family(name))
            assert current.kind is None and not current.samples, f"TYPE of {name} comes late or twice"
            current.kind = kind
        elif not line.startswith("#"):
            _add_sample(current, line)
    return families


def _add_sample(family, line):
    match = _match(_SAMPLE, line)
    assert family is not None and match.group(1) == family.name, f"no TYPE before {line!r}"
    assert _VALUE.match(match.groups()[-1]), f"not a number: {line!r}"
    labels = frozenset(re.findall(_LABEL, match.group(2) or ""))
    assert labels not in family.samples, f"twice: {line!r}"
    if family.kind == "counter":
        assert not float(match.groups()[-1]) < 0, f"a counter below zero: {line!r}"
    family.samples[labels] = float(match.groups()[-1])


def _match(expression, line):
    match = expression.match(line)
    assert match, f"not a line of the format: {line!r}"
    return match
