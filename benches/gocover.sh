#!/usr/bin/env bash
#
# Coverage data of `go build -cover` beside Go's own tool:
#
#     benches/gocover.sh FOLDER
#
# Builds in FOLDER, where it is missing, a program with most of Prometheus and what it imports (more than 350,000 blocks),
# and makes the data of 64 processes of it: once all functions were executed, once one in ten. Then measures in turn: the
# data decoded, merged and formatted in memory; `go tool covdata textfmt` on the same folder; a pull that takes the folder
# in from an inbox. Compares the profiles line by line. Needs Go and Python 3, and the Go module proxy for the first run.

set -euo pipefail
unset CDPATH
export LC_ALL=C # "sort" compares bytes

[ $# -eq 1 ] || {
    printf 'usage: gocover.sh FOLDER\n' >&2
    exit 2
}
project=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
mkdir -p -- "$1"
cd -- "$1"
cargo build --quiet --release --manifest-path "$project/Cargo.toml"
watchdog=${CARGO_TARGET_DIR:-$project/target}/release/goc-watchdog
bench=$(cargo bench --quiet --no-run --message-format=json --manifest-path "$project/Cargo.toml" --bench gocover |
    sed -n 's/.*"executable":"\([^"]*\/gocover-[^"]*\)".*/\1/p')

if [ ! -d meta ]; then
    mkdir -p program made
    (
        cd program
        printf 'module example.com/large\n\ngo 1.25\n' >go.mod
        printf 'package main\n\nimport (\n%s\n%s\n)\n\nfunc main() {}\n' \
            '	_ "github.com/prometheus/prometheus/discovery/kubernetes"' \
            '	_ "github.com/prometheus/prometheus/web"' >main.go
        export GOFLAGS=-mod=mod GOTOOLCHAIN=auto
        go get github.com/prometheus/prometheus@v0.307.3
        go build -cover -covermode=atomic -coverpkg=all -o large .
    )
    GOCOVERDIR=made program/large
    rm made/covcounters.*
    mv made meta
fi
[ -d all ] || "$project/benches/mkcounters.py" meta all
[ -d tenth ] || "$project/benches/mkcounters.py" meta tenth --one-in 10
printf '[]' >targets.json

python3 - "${RUNS:-7}" "$watchdog" "$bench" <<'PYTHON'
import os, shutil, statistics, subprocess, sys, time

runs, watchdog, bench = int(sys.argv[1]), sys.argv[2], sys.argv[3]


def run(command, output=subprocess.DEVNULL):
    """Returns seconds and peak memory of a command."""
    begun = time.perf_counter()
    child = subprocess.Popen(command, stdout=output, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    assert status == 0, command
    return time.perf_counter() - begun, usage.ru_maxrss / 1024


def merged(folder):
    with open(f"{folder}.merged.cov", "wb") as out:
        return run([bench, folder], out)


def stored(folder):
    root = f"{folder}.root"
    shutil.rmtree(root, ignore_errors=True)
    inbox = os.path.join(root, "inbox", "large")
    os.makedirs(inbox)
    # A pull removes the files that it took in.
    for name in os.listdir(folder):
        os.link(os.path.join(folder, name), os.path.join(inbox, name))
    return run([watchdog, "pull", "--quiet", "--root", root, "--targets", "targets.json"])


def textfmt(folder):
    return run(["go", "tool", "covdata", "textfmt", f"-i={folder}", f"-o={folder}.go.cov"])


steps = {"in memory": merged, "stored": stored, "go tool covdata textfmt": textfmt}
for folder in ("all", "tenth"):
    taken = {name: [] for name in steps}
    for _ in range(runs):
        for name, step in steps.items():
            taken[name].append(step(folder))
    theirs = statistics.median(seconds for seconds, _ in taken["go tool covdata textfmt"])
    print({"all": "all functions executed", "tenth": "one function in ten executed"}[folder])
    for name, times in taken.items():
        median, peak = statistics.median(seconds for seconds, _ in times), max(peak for _, peak in times)
        print(f"  {name:<24} {median:.3f} s  {theirs / median:5.2f} times faster  peak memory {peak:.0f} MiB")
PYTHON
for folder in all tenth; do
    for ours in "$folder.merged.cov" "$folder.root/large/cov_data/large_1.cov"; do
        cmp <(sort "$ours") <(sort "$folder.go.cov") && printf '%s: the lines are those of Go\n' "$ours"
    done
done
