#!/usr/bin/env python3
"""Makes N profiles of one service of the size of Kubernetes: 354,658 blocks in 5,100 files, 25 MB each.

    mkpods.py FOLDER [N]        N: default 64

The blocks are the same in each, the counters are not, and files stand in another order, as the agents of
N replicas print them. The same arguments give the same bytes.
"""
import os
import random
import sys

folder, pods = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 64
os.makedirs(folder, exist_ok=True)

shape = random.Random(1)
packages = [
    f"k8s.io/kubernetes/pkg/{part}/{kind}{number}"
    for part in ("kubelet", "controller", "scheduler", "apis")
    for kind in ("volume", "core", "network", "storage")
    for number in range(40)
]
files = []
for number in range(5100):
    lines, row = [], 10
    for _ in range(shape.randint(30, 109)):
        height = shape.randint(1, 6)
        start, end = shape.randint(2, 60), shape.randint(2, 20)
        lines.append(
            f"{packages[number % len(packages)]}/file{number}.go:"
            f"{row}.{start},{row + height}.{end} {shape.randint(1, 6)} "
        )
        row += height + shape.randint(0, 3)
    files.append(lines)

for pod in range(pods):
    chance = random.Random(1000 + pod)
    # Slightly more than half of the blocks were hit, most of them a few times.
    counts = [
        "0\n" if chance.random() > 0.55 else f"{int(10 ** (chance.random() * 5))}\n" for _ in range(4096)
    ]
    order = files[:]
    chance.shuffle(order)
    with open(os.path.join(folder, f"pod-{pod:03}.cov"), "w", buffering=1 << 20) as out:
        out.write("mode: count\n")
        for lines in order:
            out.write("".join(map(str.__add__, lines, chance.choices(counts, k=len(lines)))))
