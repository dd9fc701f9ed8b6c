#!/usr/bin/env bash
#
# Reports beside `go tool cover -func`, on real source from the Go module proxy:
#
#     benches/report.sh FOLDER
#
# Makes in FOLDER, where they are missing, git repositories and stored profiles of Kubernetes (large),
# Prometheus (medium) and the echo example (tiny), compares the tables to the byte, and measures whole
# commands in turn. Needs Go, git, curl and Python 3.

set -euo pipefail
unset CDPATH

[ $# -eq 1 ] || {
    printf 'usage: report.sh FOLDER\n' >&2
    exit 2
}
project=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
mkdir -p -- "$1"
cd -- "$1"
folder=$PWD
cargo build --quiet --release --manifest-path "$project/Cargo.toml"
watchdog=${CARGO_TARGET_DIR:-$project/target}/release/goc-watchdog
export GOC_WATCHDOG_ROOT=$folder/root
port=17779
export GOC_CENTER=http://127.0.0.1:$port

commit() {
    git -c init.defaultBranch=master init --quiet "$1"
    git -C "$1" add --all --force
    git -C "$1" -c user.name=bench -c user.email=bench@localhost -c gc.auto=0 \
        commit --quiet --message=source
    git -C "$1" repack -adq
}

# source_of APP MODULE@VERSION [VERSION]: a git repository of a module, with those of its workspace.
source_of() {
    [ ! -d "$1" ] || return 0
    local from
    from=$(go mod download -json "$2" | sed -n 's/^\t"Dir": "\(.*\)",$/\1/p')
    cp -r "$from" "$1"
    chmod -R u+w "$1"
    # What lies in the repository as modules of their own is no part of the module that is served.
    local nested
    for nested in $(sed -n 's|^\t\./staging/src/\(k8s.io/.*\)$|\1|p' "$1/go.work" 2>/dev/null); do
        from=$(go mod download -json "$nested@$3" | sed -n 's/^\t"Dir": "\(.*\)",$/\1/p')
        mkdir -p "$1/staging/src/k8s.io"
        cp -r "$from" "$1/staging/src/$nested"
        chmod -R u+w "$1/staging/src/$nested"
    done
    commit "$1"
}

# stored APP: pulls its profile as if a process served it.
stored() {
    local app=$1 name
    name=bench_x_${app}_master_$(git -C "$app" rev-parse --short=12 HEAD)
    if [ ! -d "root/$app/cov_data" ]; then
        rm -rf serve
        mkdir -p serve/v1/cover "root/$app"
        cp "$app.cov" serve/v1/cover/profile
        printf '{"%s":["%s"]}' "$name" "$GOC_CENTER" >serve/v1/cover/list
        python3 -m http.server --bind 127.0.0.1 --directory serve "$port" >/dev/null 2>&1 &
        local server=$!
        until curl --silent --fail --output /dev/null "$GOC_CENTER/v1/cover/list"; do :; done
        "$watchdog" pull --quiet "$name"
        kill "$server"
        wait "$server" 2>/dev/null || true
        git clone --quiet --bare "$app" "root/$app/repo"
    fi
    printf '%s\n' "$name"
}

source_of kubernetes k8s.io/kubernetes@v1.34.2 v0.34.2
[ -e kubernetes.cov ] || "$project/benches/mkprofile.py" kubernetes kubernetes.cov
source_of prometheus github.com/prometheus/prometheus@v0.307.3
[ -e prometheus.cov ] || "$project/benches/mkprofile.py" prometheus prometheus.cov
if [ ! -d echo ]; then
    cp -r "$project/examples/echo" echo
    commit echo
fi
[ -e echo.cov ] || "$project/benches/mkprofile.py" echo echo.cov

for app in kubernetes prometheus echo; do
    name=$(stored "$app")
    printf '\n=== %s: %s bytes, %s blocks, %s files\n' "$app" "$(stat -c %s "$app.cov")" \
        "$(($(wc -l <"$app.cov") - 1))" "$(sed 1d "$app.cov" | cut -d: -f1 | uniq | wc -l)"
    cov=$(ls "$folder/root/$app/cov_data/"*_1.cov)
    "$watchdog" report --offline "$name" >"$app.ours" 2>"$app.said" || cat "$app.said"
    if (cd "$app" && go tool cover -func="$cov") >"$app.theirs"; then
        cmp "$app.ours" "$app.theirs" && printf 'the tables are equal to the byte: %s lines\n' "$(wc -l <"$app.ours")"
    fi
    all=(--format func=all.txt --format json=all.json --format lcov=all.info --format cobertura=all.xml
        --format codecov=all.codecov --format markdown=all.md --format text=all.text --format badge=all.svg)
    python3 - "${RUNS:-9}" "report func" "$watchdog report --offline $name" \
        "report, all forms" "$watchdog report --offline $name ${all[*]}" \
        "go tool cover -func" "cd $app && exec go tool cover -func=$cov" <<'PYTHON'
import os, statistics, subprocess, sys, time

# One after the other in each round, so that what else the machine does slows all of them.
runs, named = int(sys.argv[1]), list(zip(sys.argv[2::2], sys.argv[3::2]))
seconds, peak = {name: [] for name, _ in named}, {}
for round in range(runs + 1):
    for name, command in named:
        begun = time.perf_counter()
        child = subprocess.Popen(f"exec {command}" if "&&" not in command else command, shell=True,
                                 stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        _, status, usage = os.wait4(child.pid, 0)
        assert status == 0, command
        if round > 0:
            seconds[name].append(time.perf_counter() - begun)
        peak[name] = usage.ru_maxrss // 1024
medians = {name: statistics.median(times) for name, times in seconds.items()}
for name, median in medians.items():
    print(f"{name:<22} {median * 1000:8.1f} ms   peak memory {peak[name]} MB")
func, forms, go = medians.values()
print(f"func is {go / func:.1f} times faster than Go's tool; all forms take {forms / func:.2f} times func")
PYTHON
done
