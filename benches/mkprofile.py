#!/usr/bin/env python3
"""Makes a coverage profile of the Go source in a folder, without running anything of it.

    mkprofile.py FOLDER OUT [--seed N]

Blocks and statements are those of Go's own `go tool cover`, which annotates each file. The counts are made
up, the same for the same seed: half of the blocks were hit. Tests, `vendor`, `testdata`, and folders that
begin with a dot or an underscore are left out.
"""
import argparse
import math
import os
import random
import re
import subprocess
from concurrent.futures import ThreadPoolExecutor

# The last declaration of an annotated file: positions, then the numbers of statements.
POSITION = re.compile(rb"^\t\t(\d+), (\d+), (0x[0-9a-f]+), // \[\d+\]$", re.M)
STATEMENTS = re.compile(rb"^\t\t(\d+), // \d+$", re.M)

arguments = argparse.ArgumentParser()
arguments.add_argument("folder")
arguments.add_argument("out")
arguments.add_argument("--seed", type=int, default=1)
arguments = arguments.parse_args()
root = os.path.abspath(arguments.folder)
tools = subprocess.run(["go", "env", "GOTOOLDIR"], capture_output=True, text=True, check=True).stdout.strip()
cover = os.path.join(tools, "cover")
if not os.path.exists(cover):
    # Newer Go builds its tools on first use.
    cover = subprocess.run(["go", "tool", "-n", "cover"], capture_output=True, text=True, check=True).stdout.strip()


def import_path(folder):
    """Returns the import path of the package in a folder, from the innermost module around it."""
    at = folder
    while not os.path.exists(os.path.join(at, "go.mod")):
        at = os.path.dirname(at)
    with open(os.path.join(at, "go.mod"), encoding="utf-8") as text:
        module = re.search(r'^module\s+"?([^\s"]+)', text.read(), re.M).group(1)
    return os.path.normpath(os.path.join(module, os.path.relpath(folder, at)))


def go_files():
    for folder, below, names in os.walk(root):
        below[:] = sorted(name for name in below if name not in ("vendor", "testdata") and name[0] not in "._")
        for name in sorted(names):
            if name.endswith(".go") and not name.endswith("_test.go") and name[0] not in "._":
                yield f"{import_path(folder)}/{name}", os.path.join(folder, name)


def blocks(file):
    _, path = file
    annotated = subprocess.run([cover, "-mode=count", "-var=Blocks", path], capture_output=True).stdout
    start = annotated.rfind(b"\nvar Blocks = struct {")
    if start < 0:
        return []
    numbers = annotated.index(b"NumStmt: [", start)
    found = []
    for position, statements in zip(
        POSITION.finditer(annotated, start, numbers), STATEMENTS.finditer(annotated, numbers)
    ):
        columns = int(position[3], 16)
        found.append(
            f"{int(position[1])}.{columns & 0xFFFF},{int(position[2])}.{columns >> 16} {int(statements[1])} "
        )
    return found


files = sorted(go_files())
chance = random.Random(arguments.seed)
with ThreadPoolExecutor(os.cpu_count()) as pool, open(arguments.out, "w", encoding="utf-8") as out:
    out.write("mode: atomic\n")
    for (name, _), found in zip(files, pool.map(blocks, files)):
        for block in found:
            count = int(math.exp(chance.random() * 11.5)) if chance.random() < 0.5 else 0
            out.write(f"{name}:{block}{count}\n")
