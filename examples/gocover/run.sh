#!/usr/bin/env bash
#
# The whole round with Go's own instrumentation: builds the echo service with "go build -cover" and the agent, runs two
# replicas, collects their coverage with goc-watchdog from a list of targets, kills one replica with -9, ends the other
# with SIGTERM, runs a rebuilt service, and proves after each step that what is stored equals what "go tool covdata"
# makes of the same data:
#
#     examples/gocover/run.sh
#
#     GOC_WATCHDOG=FILE   the goc-watchdog to use; default: "cargo build --release" of this project
#     KEEP=1              keep the scratch folder: profiles, database, logs, binaries
#
# Needs Go 1.23 or later, git, curl and setsid; neither goc nor a center. Everything happens in a scratch folder under
# TMPDIR and on 127.0.0.1; ends 0 when the proof holds, else 1.

set -euo pipefail
unset CDPATH # "cd" would print where it went
# shellcheck source=examples/round.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../round.sh"
export LC_ALL=C # "sort" compares bytes

env=staging region=th app=apa_goc_echoserver branch=master

[ $# -eq 0 ] || {
    printf 'usage: run.sh   (settings come from the environment: GOC_WATCHDOG, KEEP)\n' >&2
    exit 2
}
need_tools go git curl setsid base64
make_scratch gocover

heading 'The tools'
give_go_its_caches
find_goc_watchdog
say "$(go version)"
say "$watchdog_version ($watchdog)"
unset GOC_CENTER # only targets are asked
export GOWORK=off GOFLAGS='' GOPROXY=off # the caller's settings are no business of the example's
export GOC_WATCHDOG_ROOT=$scratch/root
targets=$scratch/targets.json
mkdir -p -- "$GOC_WATCHDOG_ROOT/inbox"

# ---- the service -------------------------------------------------------------------------------

# Nothing of the caller's git gets into the source's: no repository that a hook points to, no signing, no templates.
for variable in $(git rev-parse --local-env-vars); do unset "$variable"; done
export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1
git_source() { git -C "$scratch/source" -c user.name=echo -c user.email=echo@example.com -c gc.auto=0 "$@"; }

# The echo service, and the agent as its README has it.
make_source() {
    local source=$scratch/source
    cp -R -- "$project/examples/echo/." "$source"
    mkdir -- "$source/coverage-agent"
    cp -- "$project/examples/agent/go.mod" "$project/examples/agent/agent.go" "$source/coverage-agent"
    printf '//go:build coverage\n\npackage main\n\nimport _ "example.com/goc-watchdog/agent"\n' >"$source/coverage.go"
    go -C "$source" mod edit -require=example.com/goc-watchdog/agent@v0.0.0 \
        -replace=example.com/goc-watchdog/agent=./coverage-agent
    git -c init.defaultBranch="$branch" init -q "$source"
}

# Commits the source, whose commit the service's name ends with, and builds it.
build_service() {
    local log=$scratch/build.log
    git_source add -A
    git_source commit -q -m "$1"
    commit=$(git_source rev-parse HEAD)
    service=${env}_${region}_${app}_${branch}_${commit:0:10}
    binary=$scratch/echoserver-${commit:0:10}
    set -- go build -cover -covermode=atomic -tags coverage -buildvcs=true -o "$binary" .
    say "$*"
    await_in "$scratch/source" "$@" >"$log" 2>&1 || die_with_log "$log" 'the build failed'
}

# Starts replica $1. Go leaves its last counts in its folder of the inbox when main returns.
replica_pid=() replica_url=() agent_port=()
first_port=$((20000 + RANDOM % 12000)) # below those that kernels give out by themselves
start_replica() {
    local log=$scratch/replica-$1.log folder=$GOC_WATCHDOG_ROOT/inbox/$service/pod-$1
    mkdir -p -- "$folder"
    : >"$log"
    GOCOVERDIR=$folder COVERAGE_HOST=127.0.0.1 COVERAGE_PORT=$first_port \
        setsid "$binary" -addr 127.0.0.1:0 </dev/null >"$log" 2>&1 &
    replica_pid[$1]=$!
    wait_for 20 "replica $1 listens" replica_listens "$1"
}

# Sets where replica $1 and the agent in it answer, which both tell. The agent takes the next free port.
replica_listens() {
    local log=$scratch/replica-$1.log
    kill -0 "${replica_pid[$1]}" 2>/dev/null || die_with_log "$log" "replica $1 ended at once"
    replica_url[$1]=$(sed -n 's/^echo: listening on //p' "$log")
    agent_port[$1]=$(sed -n 's/^coverage agent: listening on .*://p' "$log")
    [ -n "${replica_url[$1]}" ] && [ -n "${agent_port[$1]}" ]
}

# list_targets REPLICA...: writes the list that goc-watchdog reads, in Prometheus' form.
list_targets() {
    local number comma=
    {
        printf '['
        for number; do
            printf '%s\n  {"targets": ["127.0.0.1:%d"], "labels": {"service": "%s", "pod": "pod-%d"}}' \
                "$comma" "${agent_port[$number]}" "$service" "$number"
            comma=,
        done
        printf '\n]\n'
    } >"$targets"
}

# ---- the proof ---------------------------------------------------------------------------------

# save_coverage REPLICA: what the agent serves now, in a folder of files as Go names them.
save_coverage() {
    local folder=$scratch/data-$1 answer=$scratch/answer.json part name
    rm -rf -- "$folder" && mkdir -- "$folder"
    fetch -f -o "$answer" "http://127.0.0.1:${agent_port[$1]}/coverage" || die "the agent of replica $1 does not answer"
    for part in meta counters; do
        name=$(sed -n "s/.*\"${part}_filename\":\"\([^\"]*\)\".*/\1/p" "$answer")
        sed -n "s/.*\"${part}_data\":\"\([^\"]*\)\".*/\1/p" "$answer" | base64 -d >"$folder/$name"
    done
}

# Sets "newest" to the profile that was stored last.
find_newest() {
    local file number highest=0
    newest=
    for file in "$GOC_WATCHDOG_ROOT/$app/cov_data/${app}"_*.cov; do
        number=${file##*_} number=${number%.cov}
        if [ "$number" -gt "$highest" ]; then highest=$number newest=$file; fi
    done
    [ -n "$newest" ] || die 'no profile is stored'
}

# prove REPLICA...: compares the newest stored profile with what Go makes of the saved data of these replicas. Go sorts
# by package, goc-watchdog by file.
prove() {
    local number folders=
    for number; do folders=$folders${folders:+,}$scratch/data-$number; done
    find_newest
    go tool covdata textfmt -i="$folders" -o="$scratch/covdata.txt"
    sort -- "$scratch/covdata.txt" >"$scratch/covdata.sorted"
    if ! sort -- "$newest" | diff -- "$scratch/covdata.sorted" - >"$scratch/diff"; then
        die_with_log "$scratch/diff" "FAIL: ${newest##*/} is not what \"go tool covdata\" says of replica $*"
    fi
    say "PASS: ${newest##*/} equals \"go tool covdata textfmt\" of replica $*, $(wc -l <"$newest") lines"
}

# The table of "report" equals the one of "go tool cover", which needs the source of that commit.
prove_report() {
    find_newest
    (cd -- "$scratch/source" && go tool cover -func="$newest") >"$scratch/func.txt"
    "$watchdog" report --format func "$service" >"$scratch/report.txt"
    diff -- "$scratch/func.txt" "$scratch/report.txt" || die 'FAIL: the report is not that of "go tool cover -func"'
    say "PASS: report equals \"go tool cover -func\", $(tail -n 1 "$scratch/report.txt" | tr -s '\t' ' ')"
}

# ---- the round ---------------------------------------------------------------------------------

heading 'A build with -cover, and two replicas'
make_source
build_service 'The echo example'
first_service=$service
git clone -q --bare -- "$scratch/source" "$GOC_WATCHDOG_ROOT/$app/repo" # for the report
start_replica 1
start_replica 2
list_targets 1 2
say "$service: ${replica_url[1]}, ${replica_url[2]}"
cat -- "$targets"

heading 'Requests, different ones to each, and a first pull'
request 1 200 GET /
request 1 200 GET /ping
request 1 200 POST '/mirror?name=ada' -H 'Accept: application/json' --data-raw 'Hi'
request 2 200 GET /
request 2 200 POST '/mirror?name=bob' --data-raw 'to be or not to be'
goc_watchdog 0 pull --targets "$targets"
save_coverage 1
save_coverage 2
goc_watchdog 0 list --targets "$targets"
goc_watchdog 0 total "$service"
prove 1 2
prove_report

heading 'One replica is killed with -9, the other works on'
{ kill -KILL "${replica_pid[1]}" && wait "${replica_pid[1]}"; } 2>/dev/null || :
request 2 200 POST /mirror --data-raw 'Otto'
request 2 405 POST /ping
say 'exit status 3 is to be expected now: partly done'
goc_watchdog 3 pull --force --targets "$targets"
save_coverage 2
goc_watchdog 0 total "$service"
prove 1 2

heading 'The other ends by SIGTERM, and leaves its last counts in the inbox'
request 2 404 GET /nowhere
{ kill -TERM "${replica_pid[2]}" && wait "${replica_pid[2]}"; } 2>/dev/null || :
rm -rf -- "$scratch/data-2"
cp -R -- "$GOC_WATCHDOG_ROOT/inbox/$service/pod-2" "$scratch/data-2"
list_targets
goc_watchdog 0 pull --targets "$targets"
goc_watchdog 0 total "$service"
prove 1 2
prove_report

heading 'A rebuilt service is a service of its own'
total=$("$watchdog" total "$first_service")
sed -i 's/echo service, up since/echo service, at work since/' "$scratch/source/handlers/handlers.go"
printf '\n// Add adds.\nfunc Add(a, b int) int {\n\treturn a + b\n}\n' >>"$scratch/source/textutil/textutil.go"
build_service 'A change'
start_replica 3
list_targets 3
request 3 200 GET /
goc_watchdog 0 pull --targets "$targets"
save_coverage 3
goc_watchdog 0 list --targets "$targets"
goc_watchdog 0 history "$first_service"
prove 3
[ "$("$watchdog" total "$first_service")" = "$total" ] ||
    die 'FAIL: the total of the first build changed'
say "PASS: the first build is as it was: $total %"
