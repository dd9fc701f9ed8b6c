#!/usr/bin/env python3
"""Measures `--with` beside what people do by hand.

    with.py FOLDER BINARY [GOCOVERMERGE]

FOLDER is that of report.sh: Kubernetes' source, and a root with its row. Its unit tests are the same blocks with other
counts: as a text profile, and as the data of 64 processes. By hand: gocovmerge of both texts (where that is given), and `go
tool cover -func` in a checkout, whose last line is the total; or `go tool covdata merge` and `textfmt`, of the tests and 8
processes of the service. Prints the medians of 5 runs in turn.
"""
import hashlib
import os
import random
import re
import shutil
import statistics
import struct
import subprocess
import sys
import time

RUNS = 5
folder, binary = (os.path.abspath(path) for path in sys.argv[1:3])
gocovmerge = os.path.abspath(sys.argv[3]) if len(sys.argv) > 3 else None
work = os.path.join(folder, "with")
os.makedirs(work, exist_ok=True)


def measured(commands, **options):
    """Runs commands; returns their seconds, those of processors, and the largest memory in MB."""
    begun, processors, memory = time.perf_counter(), 0.0, 0
    for command in commands:
        child = subprocess.Popen(command, stderr=subprocess.DEVNULL, **{"stdout": subprocess.DEVNULL, **options})
        _, status, usage = os.wait4(child.pid, 0)
        assert status == 0, command
        processors += usage.ru_utime + usage.ru_stime
        memory = max(memory, usage.ru_maxrss // 1024)
    return time.perf_counter() - begun, processors, memory


def compare(title, ways):
    for way in ways.values():
        way()
    taken = {name: [] for name in ways}
    for _ in range(RUNS):
        for name, way in ways.items():
            taken[name].append(way())
    print(title)
    for name, runs in taken.items():
        wall, processors, memory = (statistics.median(run[column] for run in runs) for column in range(3))
        print(f"  {name:44} {wall:6.2f} s {processors:6.2f} s of processors {memory:4} MB")


def with_text():
    service, unit = os.path.join(folder, "kubernetes.cov"), os.path.join(work, "unit.cov")
    if not os.path.exists(unit):
        chance = random.Random(1)
        with open(service, encoding="utf-8") as profile, open(unit, "w", encoding="utf-8") as out:
            for line in profile:
                head, _, _ = line.rpartition(" ")
                out.write(f"{head} {int(chance.random() < 0.125)}\n" if ":" in head[5:] else line)
    root = ["--root", os.path.join(folder, "root")]
    merged = os.path.join(work, "merged.cov")

    def by_hand():
        merge = (0.0, 0.0, 0)
        if gocovmerge:
            with open(merged, "wb") as out:
                merge = measured([[gocovmerge, service, unit]], stdout=out)
        else:
            shutil.copy(service, merged)
        table = measured([["go", "tool", "cover", f"-func={merged}"]], cwd=os.path.join(folder, "kubernetes"))
        return merge[0] + table[0], merge[1] + table[1], max(merge[2], table[2])

    options = ["kubernetes", "--with", f"{unit}=unit", *root]
    compare("text profiles of Kubernetes", {
        "gocovmerge, go tool cover -func" if gocovmerge else "go tool cover -func alone": by_hand,
        "total --with": lambda: measured([[binary, "total", *options]]),
        "report --with --format func": lambda: measured([[binary, "report", "--format", "func", *options]]),
    })


def uleb(number):
    out = bytearray()
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def strings(texts):
    return uleb(len(texts)) + b"".join(uleb(len(text)) + text for text in (text.encode() for text in texts))


def package(path, files):
    """Returns the data of a package in a covmeta file, with ten blocks a function."""
    table, functions = {path.rsplit("/", 1)[-1]: 0, path: 1, "": 2}, []
    for file, blocks in files.items():
        for first in range(0, len(blocks), 10):
            part, name = blocks[first : first + 10], f"f{len(functions)}"
            indexes = [table.setdefault(text, len(table)) for text in (name, file)]
            numbers = [len(part), *indexes, *(number for block in part for number in block), 0]
            functions.append(b"".join(map(uleb, numbers)))
    texts = strings(table)
    at, offsets = 44 + 4 * len(functions) + len(texts), []
    for function in functions:
        offsets.append(at)
        at += len(function)
    head = struct.pack("<IIII16sIII", at, 0, 1, 2, bytes(16), 0, len(table), len(functions))
    return head + struct.pack(f"<{len(offsets)}I", *offsets) + texts + b"".join(functions)


def make_data(profile, names):
    """Makes folders with the covmeta file of a program that has the blocks of a profile, and with its counters."""
    packages = {}
    with open(profile, encoding="utf-8") as text:
        for line in text.readlines()[1:]:
            file, place, statements, _ = re.match(r"(.*):(\S+) (\d+) (\d+)$", line).groups()
            block = [int(number) for number in re.split("[.,]", place)]
            # Line, column, line, column, statements, as in covmeta files.
            packages.setdefault(file.rsplit("/", 1)[0], {}).setdefault(file, []).append([*block, int(statements)])
    data = [package(path, files) for path, files in sorted(packages.items())]
    texts, count = strings([]), len(data)
    at, offsets = 56 + 16 * count + len(texts), []
    for part in data:
        offsets.append(at)
        at += len(part)
    digest = hashlib.md5(b"".join(data)).digest()
    head = struct.pack("<4sIQQ16sIIBB6s", b"\0cvm", 1, at, count, digest, 56 + 16 * count, len(texts), 3, 1, bytes(6))
    lengths = [len(part) for part in data]
    meta = head + struct.pack(f"<{2 * count}Q", *offsets, *lengths) + texts + b"".join(data)
    for name, processes in names.items():
        folder = os.path.join(work, name)
        os.makedirs(f"{folder}.meta", exist_ok=True)
        with open(os.path.join(f"{folder}.meta", f"covmeta.{digest.hex()}"), "wb") as file:
            file.write(meta)
        maker = os.path.join(os.path.dirname(os.path.abspath(__file__)), "mkcounters.py")
        options = ["--processes", str(processes), "--one-in", "10", "--seed", str(processes)]
        subprocess.run([maker, f"{folder}.meta", folder, *options], check=True)


def with_binary():
    service, tests = (os.path.join(work, name) for name in ("service", "tests"))
    if not os.path.exists(tests):
        make_data(os.path.join(folder, "kubernetes.cov"), {"service": 8, "tests": 64})
    merged, text = os.path.join(work, "merged"), os.path.join(work, "merged.cov")

    def by_hand():
        shutil.rmtree(merged, ignore_errors=True)
        os.makedirs(merged)
        merge = ["go", "tool", "covdata", "merge", f"-i={service},{tests}", f"-o={merged}"]
        return measured([merge, ["go", "tool", "covdata", "textfmt", f"-i={merged}", f"-o={text}"]])

    options = ["kubernetes", "--with", f"{tests}=tests", "--root", os.path.join(folder, "root")]
    compare("data of 64 processes of Kubernetes", {
        "go tool covdata merge, textfmt": by_hand,
        "total --with": lambda: measured([[binary, "total", *options]]),
    })


with_text()
with_binary()
