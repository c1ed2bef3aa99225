#!/usr/bin/python3
"""Prints the table of system call names, by number, as a C header.

    syscall_names.py COMPILER…

The numbers are those of the machine that the compiler compiles for.
"""

import re
import subprocess
import sys


def read_macros(compiler):
    """All macros that <asm/unistd.h> defines, name to text."""
    done = subprocess.run([*compiler, "-E", "-dM", "-include", "asm/unistd.h", "-x", "c", "/dev/null"],
                          check=True, capture_output=True, text=True)
    return dict(re.findall(r"^#define (\w+) (.+)$", done.stdout, re.M))


def resolve(macros, text):
    """The number that a macro stands for, through other macros; None when it is none."""
    for _ in range(4):
        if text.isdigit():
            return int(text)
        text = macros.get(text, "")
    return None


def main():
    macros = read_macros(sys.argv[1:])
    names = {}
    for macro, text in macros.items():
        found = re.fullmatch(r"__NR_([a-z_]\w*)", macro)
        number = resolve(macros, text) if found else None
        if number is not None and found.group(1) not in ("syscalls", "arch_specific_syscall"):
            names.setdefault(number, found.group(1))
    print("/* Names of system calls by number, made by syscall_names.py. */")
    print("#pragma once\n")
    print("static const char *const syscall_names[] = {")
    for number in sorted(names):
        print(f'\t[{number}] = "{names[number]}",')
    print("};")


if __name__ == "__main__":
    main()
