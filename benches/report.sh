#!/usr/bin/env bash
#
# Reports beside `go tool cover` and diff-cover, on real source from the Go module proxy:
#
#     benches/report.sh FOLDER
#
# Makes in FOLDER, where they are missing, git repositories and stored profiles of Kubernetes (large),
# Prometheus (medium) and the echo example (tiny), compares the tables to the byte, and measures whole
# commands in turn. Measures reports of changes beside diff-cover where that is installed. Needs Go, git, curl
# and Python 3.

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
process_port=17780
export GOC_CENTER=http://127.0.0.1:$port

commit() {
    git -C "$1" -c core.autocrlf=false -c core.safecrlf=false add --all --force
    git -C "$1" -c user.name=bench -c user.email=bench@localhost -c gc.auto=0 \
        commit --quiet --message=source
}

# copy MODULE@VERSION FOLDER: the files of a module.
copy() {
    local from
    from=$(go mod download -json "$1" | sed -n 's/^\t"Dir": "\(.*\)",$/\1/p')
    [ -n "$from" ] || {
        printf 'report.sh: %s cannot be had\n' "$1" >&2
        exit 1
    }
    mkdir -p "$2"
    cp -r --no-preserve=mode "$from/." "$2"
}

# files_of FOLDER MODULE VERSION [VERSION]: the files of a module, and of those of its workspace.
files_of() {
    copy "$2@$3" "$1"
    # Nested modules of the repository are not part of the module in the proxy.
    local nested
    while read -r nested; do
        copy "$nested@$4" "$1/staging/src/$nested"
    done < <(sed -n 's|^\t\./staging/src/\(k8s.io/.*\)$|\1|p' "$1/go.work" 2>/dev/null)
}

# source_of APP MODULE VERSION BASE [VERSION]: a git repository of a module at two versions, with those of its
# workspace at one; the branch "base" is the earlier.
source_of() {
    [ ! -d "$1" ] || return 0
    mkdir "$1"
    git -c init.defaultBranch=master init --quiet "$1"
    files_of "$1" "$2" "$4" "${5:-}"
    commit "$1"
    git -C "$1" branch base
    find "$1" -mindepth 1 -maxdepth 1 -not -name .git -exec rm -rf {} +
    files_of "$1" "$2" "$3" "${5:-}"
    commit "$1"
    git -C "$1" repack -adq
}

# stored APP: pulls its profile as if a process served it.
stored() {
    local app=$1 name
    name=bench_x_${app}_master_$(git -C "$app" rev-parse --short=12 HEAD)
    if [ ! -d "root/$app/cov_data" ]; then
        rm -rf serve
        mkdir -p serve/v1/cover "root/$app"
        cp "$app.cov" serve/v1/cover/profile
        # A port of its own for the process: a pull refuses an address that is the center's.
        printf '{"%s":["http://127.0.0.1:%s"]}' "$name" "$process_port" >serve/v1/cover/list
        python3 -m http.server --bind 127.0.0.1 --directory serve "$port" >/dev/null 2>&1 &
        local center=$!
        python3 -m http.server --bind 127.0.0.1 --directory serve "$process_port" >/dev/null 2>&1 &
        local process=$!
        local url
        for url in "$GOC_CENTER" "http://127.0.0.1:$process_port"; do
            until curl --silent --fail --output /dev/null "$url/v1/cover/list"; do :; done
        done
        "$watchdog" pull --quiet "$name"
        kill "$center" "$process"
        wait "$center" "$process" 2>/dev/null || true
        git clone --quiet --bare "$app" "root/$app/repo"
    fi
    printf '%s\n' "$name"
}

source_of kubernetes k8s.io/kubernetes v1.34.2 v1.34.0 v0.34.2
[ -e kubernetes.cov ] || "$project/benches/mkprofile.py" kubernetes kubernetes.cov
source_of prometheus github.com/prometheus/prometheus v0.307.3 v0.306.0
[ -e prometheus.cov ] || "$project/benches/mkprofile.py" prometheus prometheus.cov
if [ ! -d echo ]; then
    cp -r "$project/examples/echo" echo
    git -c init.defaultBranch=master init --quiet echo
    commit echo
    git -C echo branch base
fi
[ -e echo.cov ] || "$project/benches/mkprofile.py" echo echo.cov

# in_turn NAME COMMAND...: medians of whole commands, one after the other in each round, so that other load of the
# machine slows all of them. The others are compared with the first.
in_turn() {
    python3 - "${RUNS:-9}" "$@" <<'PYTHON'
import os, statistics, subprocess, sys, time

runs, named = int(sys.argv[1]), list(zip(sys.argv[2::2], sys.argv[3::2]))
seconds, peak = {name: [] for name, _ in named}, {}
for round in range(runs + 1):
    for name, command in named:
        begun = time.perf_counter()
        child = subprocess.Popen(
            command if "exec " in command else f"exec {command}",
            shell=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        _, status, usage = os.wait4(child.pid, 0)
        assert status == 0, command
        if round > 0:
            seconds[name].append(time.perf_counter() - begun)
        peak[name] = usage.ru_maxrss // 1024
medians = {name: statistics.median(times) for name, times in seconds.items()}
first = next(iter(medians.values()))
for name, median in medians.items():
    print(f"{name:<22} {median * 1000:8.1f} ms  {median / first:6.2f}  peak memory {peak[name]} MB")
PYTHON
}

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
    in_turn "report func" "$watchdog report --offline $name" \
        "report, all forms" "$watchdog report --offline $name ${all[*]}" \
        "go tool cover -func" "cd $app && exec go tool cover -func=$cov"
    in_turn "report html" "$watchdog report --offline --quiet $name --format html=$app.html" \
        "go tool cover -html" "cd $app && exec go tool cover -html=$cov -o ../$app.go.html"
    ours=$(stat -c %s "$app.html") theirs=$(stat -c %s "$app.go.html")
    printf 'the page: %s bytes, of Go %s: %s %%\n' "$ours" "$theirs" "$((100 * ours / theirs))"
    [ "$app" != echo ] || continue
    command -v diff-cover >/dev/null || continue
    "$watchdog" report --offline --quiet "$name" --format cobertura="$folder/$app.xml"
    in_turn "report diff" "$watchdog report --offline $name --base base" \
        "git diff" "git -C $app diff --unified=0 base HEAD -- *.go" \
        "diff-cover" "cd $app && exec diff-cover $folder/$app.xml --compare-branch=base"
    in_turn "report changed html" "$watchdog report --offline --quiet $name --base base --only-changed --format html=$app.changed.html" \
        "report diff html" "$watchdog report --offline --quiet $name --base base --format html=$app.diff.html" \
        "diff-cover html" "cd $app && exec diff-cover $folder/$app.xml --compare-branch=base --format html:../$app.dc.html"
done
