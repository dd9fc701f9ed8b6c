#!/usr/bin/env python3
"""Measures `total --carry` of a Kubernetes-size service with ten stored commits, beside a plain report.

    carry.py FOLDER BINARY

FOLDER is that of report.sh, which makes Kubernetes' source and profile. Each commit adds a line to 300 files, so that all of
their functions move; each executed another eighth of the blocks. Prints the medians of 5 runs in turn.
"""
import http.server
import json
import os
import random
import re
import statistics
import subprocess
import sys
import threading
import time

COMMITS, FILES, SHARE, RUNS = 10, 300, 0.125, 5
BLOCK = re.compile(r"(\d+)\.(\d+),(\d+)\.(\d+) (\d+) \d+")

folder, binary = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
work = os.path.join(folder, "carry")
source, root = os.path.join(work, "source"), os.path.join(work, "root")
served = {}


class Server(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = served[self.server]
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        try:
            self.wfile.write(body)
        except OSError:
            pass  # An answer of which a digest was enough.

    def log_message(self, *_):
        pass


def start():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server, f"http://127.0.0.1:{server.server_port}"


def git(*arguments):
    identity = ["-c", "user.name=bench", "-c", "user.email=bench@localhost", "-c", "gc.auto=0"]
    return subprocess.run(
        ["git", "-C", source, *identity, *arguments], check=True, capture_output=True, text=True
    ).stdout.strip()


def path_of(name):
    """Returns the path of a file in Kubernetes' repository."""
    own = "k8s.io/kubernetes/"
    return name[len(own) :] if name.startswith(own) else f"staging/src/{name}"


def make():
    os.makedirs(work)
    subprocess.run(["git", "clone", "--quiet", os.path.join(folder, "kubernetes"), source], check=True)
    with open(os.path.join(folder, "kubernetes.cov"), encoding="utf-8") as profile:
        mode, *lines = profile.read().splitlines()
    blocks = [line.rsplit(":", 1) for line in lines]
    moved = dict.fromkeys((name for name, _ in blocks), 0)
    chance = random.Random(1)
    (process, process_url), (center, center_url) = start(), start()
    for commit in range(COMMITS):
        for name in chance.sample(sorted(moved), FILES if commit > 0 else 0):
            path = os.path.join(source, path_of(name))
            with open(path, encoding="utf-8", newline="") as file:
                text = file.read()
            if "//line" not in text:
                with open(path, "w", encoding="utf-8", newline="") as file:
                    file.write(f"// {commit}\n{text}")
                moved[name] += 1
        git("commit", "--quiet", "--all", "--allow-empty", f"--message=commit {commit}")
        text = [mode]
        for name, block in blocks:
            line, column, end, end_column, statements = BLOCK.match(block).groups()
            down, count = moved[name], int(chance.random() < SHARE)
            text.append(f"{name}:{int(line) + down}.{column},{int(end) + down}.{end_column} {statements} {count}")
        service = f"bench_x_kubernetes_master_{git('rev-parse', '--short=12', 'HEAD')}"
        served[process] = ("\n".join(text) + "\n").encode()
        served[center] = json.dumps({service: [process_url]}).encode()
        subprocess.run([binary, "--root", root, "--center", center_url, "pull", "--quiet", service], check=True)
    clone = os.path.join(root, "kubernetes", "repo")
    subprocess.run(["git", "clone", "--quiet", "--bare", source, clone], check=True)
    subprocess.run(["git", "-C", clone, "repack", "-adq"], check=True)


def run(*arguments):
    """Returns the seconds, the processor time and the peak memory in MB of a command."""
    begun = time.perf_counter()
    child = subprocess.Popen(
        [binary, "--root", root, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    _, status, usage = os.wait4(child.pid, 0)
    assert status == 0, arguments
    return time.perf_counter() - begun, usage.ru_utime + usage.ru_stime, usage.ru_maxrss // 1024


if not os.path.isdir(work):
    make()
    # A child counts the memory of this process until it runs the program.
    os.execv(sys.executable, [sys.executable, *sys.argv])
commands = {
    "report func": ["report", "kubernetes", "--offline"],
    "total --carry": ["total", "kubernetes", "--carry"],
}
times = {name: [] for name in commands}
for turn in range(RUNS + 1):
    for name, command in commands.items():
        measured = run(*command)
        if turn > 0:
            times[name].append(measured)
first = None
for name, measured in times.items():
    seconds, processors, memory = (statistics.median(column) for column in zip(*measured))
    first = first or (seconds, processors)
    ratios = f"{seconds / first[0]:.1f} {processors / first[1]:.1f}"
    print(f"{name:<14} {seconds:5.2f} s  processors {processors:5.2f} s  {memory} MB  ratios {ratios}")
