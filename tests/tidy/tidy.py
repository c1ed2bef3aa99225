#!/usr/bin/python3
"""Checks the code base itself: sizes, layers, banned calls, and the like.

    tests/tidy/tidy.py [ROOT]

Prints file:line: message for each breach and exits 1 when there was any.
The rules are CONTRIBUTING.md's; the tables below hold them.  C is read with a
light tokenizer: comments and strings are blanked, nothing is preprocessed.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

FUNCTION_LINES_MAX = 70
FILE_LINES_MAX = 600
HEADER_LINES_MAX = 150
PARAMETERS_MAX = 5
NESTING_MAX = 4

# Folders of src/ by step: one may include what stands on a lower step, and itself.
LAYERS = {
    "base": 0,
    "metrics": 1,
    "loop": 1,
    "proto": 1,
    "bpf": 1,
    "rule": 2,
    "config": 3,
    "net": 3,
    "backend": 3,
    "log": 3,
    "relay": 3,
    "session": 4,
    "check": 4,
    "worker": 5,
    "admin": 6,
    "start": 6,
    "main": 7,
}
# What everybody on or above its step may read.
SHARED_FOLDERS = {"config"}
# What a program beside the daemon may include.
CTL_FOLDERS = {"base"}

BANNED_CALLS = {
    "strcpy": "use base/text.h",
    "strcat": "use base/text.h",
    "strncpy": "use base/text.h",
    "strncat": "use base/text.h",
    "sprintf": "use snprintf or base/text.h",
    "vsprintf": "use vsnprintf or base/text.h",
    "gets": "use fgets",
    "strtok": "it keeps hidden state",
    "atoi": "it cannot report errors: use strtol",
    "atol": "it cannot report errors: use strtol",
    "alloca": "the stack has no bound",
    "system": "no shell is started",
    "popen": "no shell is started",
    "rand": "use base/hash.h or getrandom",
    "srand": "use base/hash.h or getrandom",
    "signal": "use sigaction or signalfd",
    "usleep": "wait for an event or move the clock",
    "sleep": "wait for an event or move the clock",
}
# Signatures that a library dictates; so are those of functions that the linker wraps.
PARAMETERS_ALLOWED = {
    ("src/admin/metrics_server.c", "on_request"),  # libmicrohttpd's MHD_AccessHandlerCallback
}
ALLOCATIONS = r"\b(malloc|calloc|realloc|aligned_alloc|posix_memalign|strdup|strndup|asprintf)\s*\("
# Folders that bytes pass through take memory from pools, but for these functions.
DATA_PATH_FOLDERS = {"relay", "session"}
ALLOCATION_ALLOWED = {
    ("src/relay/engine_copy.c", "open_worker"),  # once a worker
    ("src/relay/engine_copy.c", "relay_copy_hold"),  # only while bytes are stuck; memory-max is the bound
    ("src/relay/engine_sockmap.c", "open_worker"),  # once a worker
    ("src/relay/sockmap_pair.c", "sockmap_pairs_init"),  # once a worker
    ("src/relay/engine_splice.c", "open_worker"),  # once a worker
    ("src/relay/engine_wire.c", "open_worker"),  # once a worker
    ("src/relay/wire_hub.c", "entries_make"),  # once a process
    ("src/relay/wire_hub.c", "wire_hub_create"),  # once a process
    ("src/relay/engine_splice.c", "pipe_create"),  # kept in a pool; maxpipes is the bound
    ("src/relay/engine_uring.c", "open_worker"),  # once a worker
    ("src/session/routes.c", "tables_create"),  # once a process
    ("src/session/choose.c", "enter_queue"),  # only a session that must wait; maxconn is the bound
}
# Those beside the loop that may speak io_uring.
RING_USERS = {"src/relay/engine_uring.c", "src/relay/ring_probe.c"}
STDOUT_CALL = r"\b(printf|vprintf|puts|putchar)\s*\(|\bstdout\b"
STDOUT_ALLOWED = re.compile(r"^src/(main\.c|start/[^/]*\.c|.*reference[^/]*\.c)$")

FORBIDDEN_WORDS = [
    (re.compile(r"\b(TODO|FIXME)\b"), "unfinished work is not committed"),
    (re.compile(r"(?<![\w.])/(root|work)/"), "a path of one machine"),
    (re.compile(r"(?<![\w/])\.\./shared\b"), "a path outside the repository"),
]
# These hold the words they forbid, or bytes that are not text of ours.
WORDS_EXEMPT = {"tests/tidy/tidy.py", "tests/tidy/test_tidy.py"}
SKIPPED = re.compile(r"^(tests/fuzz/corpus/|bench/results/|LICENSE$)|\.(png|svg|json|csv|bin|gz|pdf)$")

NOT_FUNCTIONS = {"if", "for", "while", "switch", "return", "sizeof", "do", "else", "defined"}
ATTRIBUTES = {"__attribute__", "PRINTF_LIKE", "_Alignas", "__typeof__", "alignas"}


def list_files(root):
    """Paths of all files that belong to the tree, relative to it."""
    try:
        out = subprocess.run(
            ["git", "ls-files", "-co", "--exclude-standard", "-z"], cwd=root, check=True,
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout
        names = [name for name in out.decode().split("\0") if name]
    except (OSError, subprocess.CalledProcessError):
        names = []
        for folder, folders, files in os.walk(root):
            folders[:] = [name for name in folders if not name.startswith((".git", "build", "__pycache__"))]
            names += [str((Path(folder) / name).relative_to(root)) for name in files]
    return sorted(name for name in set(names) if (Path(root) / name).is_file())


def blank_comments(text):
    """The same text with comments and the insides of strings as spaces; lines stay."""
    token = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)

    def blank(match):
        found = match.group(0)
        if found[0] in "\"'":
            return found[0] + re.sub(r"[^\n]", " ", found[1:-1]) + found[0]
        return re.sub(r"[^\n]", " ", found)

    return token.sub(blank, text)


def blank_directives(code):
    """Code without preprocessor lines; lines stay."""
    return re.sub(r"^[ \t]*#(?:\\\n|[^\n])*", lambda match: re.sub(r"[^\n]", " ", match.group(0)), code, flags=re.M)


def count_parameters(inside):
    """How many parameters the text between a function's parentheses declares."""
    if inside.strip() in ("", "void"):
        return 0
    depth = 0
    count = 1
    for character in inside:
        depth += character in "([{"
        depth -= character in ")]}"
        count += character == "," and depth == 0
    return count


def signature_of(head):
    """(name, parameters) when the text before a brace declares a function, else None."""
    if "=" in re.sub(r"\([^()]*\)", "", head):
        return None
    groups = []
    position = 0
    while True:
        start = head.find("(", position)
        if start < 0:
            break
        depth = 0
        for end in range(start, len(head)):
            depth += head[end] == "("
            depth -= head[end] == ")"
            if depth == 0:
                break
        name = re.search(r"(\w+)\s*$", head[:start])
        groups.append((name.group(1) if name else "", head[start + 1:end]))
        position = end + 1
    groups = [group for group in groups if group[0] and group[0] not in ATTRIBUTES]
    if not groups or groups[0][0] in NOT_FUNCTIONS:
        return None
    return groups[0][0], count_parameters(groups[0][1])


def list_functions(code):
    """Yields (name, parameters, first line, last line, nesting) for each definition."""
    depth = 0
    head_start = 0
    deepest = 0
    current = None
    for match in re.finditer(r"[{};]", code):
        character, at = match.group(0), match.start()
        if character == "{":
            if depth == 0:
                head = code[head_start:at]
                first = head_start + len(head) - len(head.lstrip())
                signature = signature_of(head)
                current = (signature, first) if signature else None
                deepest = 0
            depth += 1
            deepest = max(deepest, depth - 1)
        elif character == "}":
            depth = max(depth - 1, 0)
            if depth == 0:
                if current:
                    (name, parameters), first = current
                    yield (name, parameters, code.count("\n", 0, first) + 1,
                           code.count("\n", 0, at) + 1, deepest)
                    current = None
                head_start = at + 1
        elif depth == 0:
            head_start = at + 1


def layer_of(path):
    """The folder of src/ that a path belongs to; "main" for files in src/ itself."""
    parts = path.split("/")
    return parts[1] if len(parts) > 2 else "main"


class Tidy:
    def __init__(self, root):
        self.root = Path(root)
        self.files = list_files(root)
        self.breaches = []

    def report(self, path, line, message):
        self.breaches.append(f"{path}:{line}: {message}")

    def report_matches(self, path, text, pattern, message):
        for number, line in enumerate(text.split("\n"), 1):
            found = re.search(pattern, line)
            if found:
                self.report(path, number, message(found) if callable(message) else message)

    def check_text(self, path, raw):
        """White space and words, in every file."""
        if b"\0" in raw:
            self.report(path, 1, "a NUL byte in a text file")
            return
        try:
            text = raw.decode()
        except UnicodeDecodeError as error:
            self.report(path, raw[:error.start].count(b"\n") + 1, "not UTF-8")
            return
        self.report_matches(path, text, r"[ \t\r]+$", "white space at the end of the line")
        if text and not text.endswith("\n"):
            self.report(path, text.count("\n") + 1, "no newline at the end of the file")
        if text.endswith("\n\n"):
            self.report(path, text.count("\n"), "empty lines at the end of the file")
        if path.endswith((".c", ".h")):
            self.report_matches(path, text, r"^ {4,}\S|^\t* {8,}\S", "indented by spaces; C here uses tabs")
        if path.endswith((".py", ".build", ".md")):
            self.report_matches(path, text, r"^ *\t", "indented by a tab")
        if path not in WORDS_EXEMPT:
            for pattern, why in FORBIDDEN_WORDS:
                self.report_matches(path, text, pattern, lambda found, why=why: f"'{found.group(0)}': {why}")

    def check_c(self, path, text):
        lines = text.count("\n")
        is_header = path.endswith(".h")
        limit = HEADER_LINES_MAX if is_header else FILE_LINES_MAX
        if lines > limit:
            self.report(path, lines, f"{lines} lines; the limit is {limit}")
        if not text.lstrip().startswith("/*"):
            self.report(path, 1, "does not open with a comment that says what the file is for")
        if is_header and not re.search(r"^#pragma once$", text, re.M):
            self.report(path, 1, "#pragma once is missing")
        blanked = blank_comments(text)
        code = blank_directives(blanked)
        self.check_functions(path, code)
        self.check_calls(path, code)
        if path.startswith(("src/", "ctl/")):
            self.check_includes(path, text, blanked)

    def check_functions(self, path, code):
        for name, parameters, first, last, nesting in list_functions(code):
            lines = last - first + 1
            if lines > FUNCTION_LINES_MAX:
                self.report(path, first, f"{name}: {lines} lines; the limit is {FUNCTION_LINES_MAX}")
            is_dictated = (path, name) in PARAMETERS_ALLOWED or name.startswith("__wrap_")
            if parameters > PARAMETERS_MAX and not is_dictated:
                self.report(path, first, f"{name}: {parameters} parameters; the limit is {PARAMETERS_MAX}")
            if nesting > NESTING_MAX:
                self.report(path, first, f"{name}: nested {nesting} deep; the limit is {NESTING_MAX}")

    def check_calls(self, path, code):
        for name, instead in BANNED_CALLS.items():
            self.report_matches(path, code, rf"(?<![\w.>]){name}\s*\(", f"{name}() is banned: {instead}")
        if not path.startswith("src/"):
            return
        if layer_of(path) != "loop":
            self.report_matches(path, code, r"\bepoll_\w+\s*\(", "epoll belongs into src/loop")
            if path not in RING_USERS:
                self.report_matches(path, code, r"\bio_uring_\w+\s*\(", "io_uring belongs into src/loop")
        if not STDOUT_ALLOWED.match(path):
            self.report_matches(path, code, STDOUT_CALL, "only start, main and the reference printers write to stdout")
        if layer_of(path) in DATA_PATH_FOLDERS:
            self.check_allocations(path, code)

    def check_allocations(self, path, code):
        functions = list(list_functions(code))
        for number, line in enumerate(code.split("\n"), 1):
            names = [name for name, _, first, last, _ in functions if first <= number <= last]
            if re.search(ALLOCATIONS, line) and not any((path, name) in ALLOCATION_ALLOWED for name in names):
                self.report(path, number, "the data path takes memory from pools")

    def check_includes(self, path, text, blanked):
        mine = layer_of(path) if path.startswith("src/") else "ctl"
        if mine != "ctl" and mine not in LAYERS:
            self.report(path, 1, f"folder {mine} has no step in the layers of tests/tidy/tidy.py")
            return
        for number, (line, plain) in enumerate(zip(text.split("\n"), blanked.split("\n")), 1):
            found = re.match(r'\s*#\s*include\s+"([^"]+)"', line)
            if not found or not plain.lstrip().startswith("#"):
                continue
            included = found.group(1)
            if included.startswith("../") or ("/" not in included and mine != "ctl"):
                self.report(path, number, f'"{included}": name the folder, as in "base/text.h"')
                continue
            theirs = included.split("/")[0] if "/" in included else mine
            if not self.may_include(mine, theirs):
                self.report(path, number, f"{mine} may not include {theirs}/")

    @staticmethod
    def may_include(mine, theirs):
        if mine == theirs:
            return True
        if mine == "ctl":
            return theirs in CTL_FOLDERS
        if theirs not in LAYERS:
            return False
        if LAYERS[theirs] == LAYERS[mine]:
            return theirs in SHARED_FOLDERS
        return LAYERS[theirs] < LAYERS[mine]

    def check_listed(self):
        """Every C file is named in a meson.build of its folder or one above."""
        texts = {path: (self.root / path).read_text() for path in self.files if path.endswith("meson.build")}
        for path in self.files:
            if not path.endswith(".c") or not path.startswith(("src/", "ctl/", "bench/", "tests/")):
                continue
            name = os.path.basename(path)
            wanted = {name}
            if path.startswith("tests/fuzz/fuzz_"):
                wanted.add(name[len("fuzz_"):-len(".c")])
            top = path.split("/")[0]
            listed = any(
                re.search(rf"['/]{re.escape(word)}'", text)
                for place, text in texts.items() if place.startswith(top + "/")
                for word in wanted)
            if not listed:
                self.report(path, 1, "not listed in any meson.build: it is not built")

    def run(self):
        for path in self.files:
            if SKIPPED.search(path):
                continue
            raw = (self.root / path).read_bytes()
            self.check_text(path, raw)
            if path.endswith((".c", ".h")):
                self.check_c(path, raw.decode(errors="replace"))
        self.check_listed()
        return self.breaches


def main():
    root = sys.argv[1] if len(sys.argv) > 1 else Path(__file__).resolve().parents[2]
    tidy = Tidy(root)
    breaches = tidy.run()
    for breach in breaches:
        print(breach)
    if not breaches:
        print(f"tidy: {len(tidy.files)} files in order")
    return 1 if breaches else 0


if __name__ == "__main__":
    sys.exit(main())
