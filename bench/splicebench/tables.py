"""Tables of text: numbers as people read them, and the same table for a terminal
and for Markdown."""

NOTHING = "–"


def number(value):
    """A number with about three digits that matter."""
    if value is None:
        return NOTHING
    size = abs(value)
    if size >= 100:
        return f"{value:,.0f}"
    if size >= 10:
        return f"{value:.1f}"
    if size >= 1:
        return f"{value:.2f}"
    if size >= 0.1 or size == 0:
        return f"{value:.3f}"
    # A proxy that does nothing has costs of no size; an exponent would only look like one.
    return f"{value:.2g}" if size >= 0.0001 else f"{'<' if value > 0 else '>-'}0.0001"


def spread(values):
    """A spread as `median (min–max)`; a single value stands alone."""
    if values is None:
        return NOTHING
    if values["count"] == 1:
        return number(values["median"])
    return f"{number(values['median'])} ({number(values['min'])}–{number(values['max'])})"


def ratio(values):
    if values is None:
        return NOTHING
    return "<0.01×" if 0 < values["median"] < 0.005 else f"{values['median']:.2f}×"


class Table:
    """Rows of text under headings; the first column is words, the others are numbers."""

    def __init__(self, headings, rows=()):
        self.headings, self.rows = list(headings), [list(row) for row in rows]

    def add(self, *cells):
        self.rows.append(list(cells))

    def without_empty_columns(self):
        """The same without columns in which no row says anything."""
        kept = [index for index in range(len(self.headings))
                if index == 0 or any(row[index] not in (NOTHING, "") for row in self.rows)]
        return Table([self.headings[index] for index in kept], [[row[index] for index in kept] for row in self.rows])

    def markdown(self):
        lines = ["| " + " | ".join(self.headings) + " |", "|---|" + "--:|" * (len(self.headings) - 1)]
        lines += ["| " + " | ".join(row) + " |" for row in self.rows]
        return "\n".join(lines) + "\n"

    def text(self):
        widths = [max(len(row[index]) for row in [self.headings, *self.rows]) for index in range(len(self.headings))]
        lines = []
        for row in [self.headings, *self.rows]:
            cells = [cell.ljust(width) if index == 0 else cell.rjust(width)
                     for index, (cell, width) in enumerate(zip(row, widths))]
            lines.append("  ".join(cells).rstrip())
        return "\n".join(lines) + "\n"
