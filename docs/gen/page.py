#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compares a page of the manual with what its program prints, or writes it.

usage: page.py [--write] PAGE PROGRAM [ARGUMENT...]
"""

import difflib
import subprocess
import sys


def main():
    arguments = sys.argv[1:]
    write = arguments[0] == "--write"
    page, *command = arguments[1:] if write else arguments
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    if write:
        with open(page, "w", encoding="utf-8") as file:
            file.write(printed)
        return 0
    with open(page, encoding="utf-8") as file:
        current = file.read()
    if current == printed:
        return 0
    sys.stdout.writelines(difflib.unified_diff(
        current.splitlines(keepends=True), printed.splitlines(keepends=True), page, "printed"))
    print("%s is stale; write it anew with: python3 docs/gen/page.py --write %s %s" %
          (page, page, " ".join(command)))
    return 1


if __name__ == "__main__":
    sys.exit(main())
