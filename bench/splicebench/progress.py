"""Live progress on a terminal: what runs now and how long the rest will take."""

import shutil
import sys
import time


def words_of(seconds):
    """A time as a person says it: 45 s, 3 min 05 s."""
    seconds = max(int(seconds + 0.5), 0)
    return f"{seconds} s" if seconds < 60 else f"{seconds // 60} min {seconds % 60:02} s"


class Progress:
    """One line that is written over; with `is_forced` each step gets a line of its own, for logs."""

    def __init__(self, total_s, is_forced=False, stream=sys.stderr):
        self.stream, self.is_forced = stream, is_forced
        self.is_live = not is_forced and stream.isatty()
        self.width = min(shutil.get_terminal_size().columns, 120) - 1
        self.begin = time.monotonic()
        self.planned_s, self.done_planned_s = total_s, 0.0

    def elapsed_s(self):
        return time.monotonic() - self.begin

    def remaining_s(self):
        """The planned rest, stretched as what is done has been."""
        rest = self.planned_s - self.done_planned_s
        if self.done_planned_s <= self.planned_s * 0.02:
            return rest
        return rest * self.elapsed_s() / self.done_planned_s

    def step(self, text, planned_s):
        """Tells of a step that begins now."""
        if self.is_live or self.is_forced:
            share = self.done_planned_s / self.planned_s if self.planned_s else 1
            line = f"[{share:4.0%}] {text} – {words_of(self.remaining_s())} left"
            self.stream.write(f"\r{line[:self.width]:<{self.width}}\r" if self.is_live else line + "\n")
            self.stream.flush()
        self.done_planned_s += planned_s

    def skip_rest(self):
        """What was planned and is not done will not be done."""
        self.planned_s = self.done_planned_s

    def say(self, text):
        """A sentence that stays."""
        self.finish()
        self.stream.write(f"splicebench compare: {text}\n")
        self.stream.flush()

    def finish(self):
        if self.is_live:
            self.stream.write("\r" + " " * self.width + "\r")
            self.stream.flush()
