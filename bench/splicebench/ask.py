"""One question from its flag to its answer: builds the topology, asks, and writes the
tables to the terminal, to Markdown and to JSON."""

from . import options as option_table
from . import questions, signals, subjects
from .progress import words_of
from .questions import Inquiry, PAIR, SUBJECTS
from .steps import Stage
from .topology import Topology

ANSWERS = {"equal-load": questions.ask_equal_load, "maximum": questions.ask_maximum,
           "weaker-maximum": questions.ask_weaker_maximum, "knee": questions.ask_knee,
           "signals": signals.ask_signals}
DEFAULT_SUBJECTS = {"weaker-maximum": PAIR, "signals": ["spliced-auto"]}


def answer_question(options, command):
    """Returns the results: facts, {topology: answer and steps}, tables as text and as Markdown, failures."""
    names, left_out = option_table.choose_subjects(options, DEFAULT_SUBJECTS.get(options.question, SUBJECTS))
    places, missing = option_table.choose_topologies(options, ["loopback"])
    placed, out_of_place = subjects.place_subjects(names, places)
    results = {"format": questions.FORMAT, "left_out": missing + left_out + out_of_place, "answers": [],
               "failures": []}
    texts, pages = [], [f"# splicebench: {options.question}\n"]
    for place, kept in placed.items():
        with Topology(place, options.cpus, options.congestion, options.link) as topology:
            inquiry = Inquiry(Stage(topology, options), kept, options)
            answer = questions.facts_of(inquiry, command)
            tables, answer["answer"] = ANSWERS[options.question](inquiry)
            inquiry.progress.finish()
        answer["steps"], answer["failures"] = inquiry.steps, inquiry.failures
        answer["elapsed_s"] = round(inquiry.progress.elapsed_s(), 1)
        results["answers"].append(answer)
        results["failures"] += inquiry.failures
        lines = questions.describe(answer)
        texts.append("\n".join(lines) + f" ({words_of(answer['elapsed_s'])})\n")
        pages.append("\n".join(f"* {line}" for line in lines) + "\n")
        for words, table in tables:
            texts += [words, table.text()]
            pages += [words + "\n", table.markdown()]
    tail = [f"Left out: {line}" for line in results["left_out"]]
    tail += [f"FAILED: {row['subject']}: {row['why']}" for row in results["failures"]]
    texts += tail
    pages += [f"* {line}\n" for line in tail]
    return results, "\n".join(texts) + "\n", "\n".join(pages)
