#!/usr/bin/env python3
"""Makes counter files as processes of `go build -cover` leave them, for the covmeta file in a folder.

    mkcounters.py FOLDER OUT [--processes N] [--one-in N] [--seed N]

Links the covmeta file of FOLDER into OUT, and writes beside it a covcounters file for each of N processes
(default 64). All of them executed the same functions: each one, or one in N. Of an executed function the first
block was hit, and 7 in 10 of the others, most of them a few times. The same arguments give the same bytes.
"""
import argparse
import math
import os
import random
import struct


def uleb(number):
    out = bytearray()
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def blocks_of_functions(meta):
    """Returns the number of blocks of each function, by package."""
    (packages,) = struct.unpack_from("<Q", meta, 16)
    offsets = struct.unpack_from(f"<{packages}Q", meta, 56)
    blocks = []
    for offset in offsets:
        (functions,) = struct.unpack_from("<I", meta, offset + 40)
        of_package = []
        for function in struct.unpack_from(f"<{functions}I", meta, offset + 44):
            at, number, shift = offset + function, 0, 0
            while True:
                byte = meta[at]
                number |= (byte & 0x7F) << shift
                at, shift = at + 1, shift + 7
                if byte < 0x80:
                    break
            of_package.append(number)
        blocks.append(of_package)
    return blocks


def counter_file(meta_hash, pid, functions, records):
    """Returns a counter file with one segment, as a program writes it."""
    arguments = [("argc", "2"), ("argv0", "/usr/local/bin/service"), ("argv1", f"--replica={pid}")]
    arguments += [("GOOS", "linux"), ("GOARCH", "amd64")]
    strings = ["", *(text for pair in arguments for text in pair)]
    table = uleb(len(strings)) + b"".join(uleb(len(text)) + text.encode() for text in strings)
    said = uleb(len(arguments)) + b"".join(uleb(index) for index in range(1, len(strings)))
    said += bytes(-(len(table) + len(said)) % 4)
    head = b"\0cwm" + struct.pack("<I", 1) + meta_hash + bytes([2]) + bytes(7)
    segment = struct.pack("<QII", functions, len(table), len(said))
    return head + segment + table + said + records + b"\0cwm" + struct.pack("<III", 0, 1, 0)


arguments = argparse.ArgumentParser()
arguments.add_argument("folder")
arguments.add_argument("out")
arguments.add_argument("--processes", type=int, default=64)
arguments.add_argument("--one-in", type=int, default=1)
arguments.add_argument("--seed", type=int, default=1)
arguments = arguments.parse_args()

(name,) = (name for name in os.listdir(arguments.folder) if name.startswith("covmeta."))
with open(os.path.join(arguments.folder, name), "rb") as file:
    meta = file.read()
os.makedirs(arguments.out, exist_ok=True)
if not os.path.exists(os.path.join(arguments.out, name)):
    os.link(os.path.join(arguments.folder, name), os.path.join(arguments.out, name))
meta_hash = meta[24:40]
functions = [
    (blocks, uleb(blocks) + uleb(package) + uleb(function))
    for package, of_package in enumerate(blocks_of_functions(meta))
    for function, blocks in enumerate(of_package)
]
chance = random.Random(arguments.seed)
executed = [function for function in functions if chance.randrange(arguments.one_in) == 0]
hits = [uleb(int(math.exp(chance.random() * 11.5))) for _ in range(4096)]
counts = hits + [b"\0"] * (len(hits) * 3 // 7)
for process in range(arguments.processes):
    chance = random.Random(1000 * arguments.seed + process)
    records = []
    for blocks, head in executed:
        records.append(head)
        if blocks > 0:
            records.append(hits[(process * 31 + blocks) % len(hits)])
            records += chance.choices(counts, k=blocks - 1)
    pid, written_at = 1000 + process, 1_795_924_000_000_000_000 + process
    text = counter_file(meta_hash, pid, len(executed), b"".join(records))
    with open(os.path.join(arguments.out, f"covcounters.{meta_hash.hex()}.{pid}.{written_at}"), "wb") as file:
        file.write(text)
print(
    f"{arguments.processes} processes, {len(executed)} of {len(functions)} functions executed, "
    f"{sum(blocks for blocks, _ in functions)} blocks"
)
