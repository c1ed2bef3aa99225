"""tidy.py finds what it is there to find, and nothing in clean code."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import tidy  # noqa: E402


def check(tmp_path, files):
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tidy.Tidy(tmp_path).run()


def source(body, name="src/net/x.c"):
    return {name: "/* A file. */\n" + body, "src/net/meson.build": "core_sources += files('x.c')\n"}


CLEAN = source(
    '#include "net/x.h"\n\n#include "base/text.h"\n#include "config/config.h"\n\n'
    "static const struct row rows[] = {\n\t{\"strcpy(\", 1},\n};\n\n"
    "/* Calls strcpy() only in words. */\n"
    "int x_run(struct x *x, int (*on_end)(int, int))\n{\n\tif (x)\n\t\treturn on_end(1, 2);\n\treturn 0;\n}\n")

BREACHES = [
    ("a function that is too long", source("int f(void)\n{\n" + "\tx();\n" * 70 + "}\n"), "f: 73 lines"),
    ("a file that is too long", source("int a;\n" * 600), "the limit is 600"),
    ("too many parameters", source("int f(int a, int b, int c, int d, int e, int g)\n{\n\treturn 0;\n}\n"),
     "6 parameters"),
    ("deep nesting", source("int f(void)\n{\n\t" + "if (a) {" * 5 + "}" * 5 + "\n}\n"), "nested 5 deep"),
    ("a banned call", source("int f(void)\n{\n\treturn atoi(a);\n}\n"), "atoi() is banned"),
    ("epoll outside the loop", source("int f(void)\n{\n\treturn epoll_wait(a);\n}\n"), "src/loop"),
    ("io_uring outside the loop", source("int f(void)\n{\n\treturn io_uring_submit(a);\n}\n"), "src/loop"),
    ("printing to stdout", source('int f(void)\n{\n\treturn printf("x");\n}\n'), "write to stdout"),
    ("an include upwards", source('#include "session/session.h"\n'), "net may not include session/"),
    ("an include sideways", source('#include "relay/relay.h"\n'), "net may not include relay/"),
    ("an include without a folder", source('#include "x.h"\n'), "name the folder"),
    ("a file without purpose", {"src/net/x.c": "int a;\n", "src/net/meson.build": "files('x.c')\n"},
     "says what the file is for"),
    ("a file that is not built", {"src/net/x.c": "/* A file. */\nint a;\n"}, "not listed"),
    ("a header without its guard", {"src/net/x.h": "/* A header. */\nint a;\n"}, "#pragma once"),
    ("white space at the end", source("int a; \n"), "white space at the end"),
    ("spaces as indentation", source("int f(void)\n{\n    return 0;\n}\n"), "uses tabs"),
    ("no newline at the end", source("int a;"), "no newline"),
    ("an unfinished remark", source("/* TODO: more */\n"), "unfinished work"),
    ("a path of one machine", {"README.md": "see /work/notes\n"}, "a path of one machine"),
    ("an allocation on the data path",
     {"src/relay/x.c": "/* A file. */\nvoid f(void)\n{\n\ta = malloc(1);\n}\n",
      "src/relay/meson.build": "files('x.c')\n"}, "from pools"),
    ("a folder without a step", {"src/other/x.h": '/* A header. */\n#pragma once\n#include "base/text.h"\n'},
     "no step"),
]


def test_clean_code_has_no_breach(tmp_path):
    assert check(tmp_path, CLEAN) == []


@pytest.mark.parametrize("files, message", [case[1:] for case in BREACHES], ids=[case[0] for case in BREACHES])
def test_a_breach_is_found(tmp_path, files, message):
    breaches = check(tmp_path, files)
    assert len(breaches) == 1, breaches
    assert message in breaches[0]


def test_attributes_and_casts_do_not_hide_a_function():
    code = "__attribute__((format(printf, 1, 2))) static int f(const char *a, ...)\n{\n}\nstruct s { int (*m)(int); };\n"
    assert [row[:2] for row in tidy.list_functions(code)] == [("f", 2)]
