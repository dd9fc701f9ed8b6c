#!/usr/bin/env bash
#
# The whole round with the real thing: builds the echo service with goc, runs two replicas under a
# real center, collects their coverage with goc-watchdog, kills one replica with -9, collects
# again, and proves that nothing was lost:
#
#     examples/echo/run.sh
#
#     GOC=FILE            the goc to use; default: the one in PATH or in "$(go env GOPATH)/bin",
#                         else one that .ci/install-goc builds for this run only
#     GOC_WATCHDOG=FILE   the goc-watchdog to use; default: "cargo build --release" of this project
#     KEEP=1              keep the scratch folder: profiles, database, logs, binaries
#
# Needs Go, git, curl and setsid. Everything happens in a scratch folder under TMPDIR and on
# 127.0.0.1; ends 0 when the proof holds, else 1.

set -euo pipefail
unset CDPATH # "cd" would print where it went
# shellcheck source=examples/round.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../round.sh"

env=staging region=th app=apa_goc_echoserver branch=master

[ $# -eq 0 ] || {
    printf 'usage: run.sh   (settings come from the environment: GOC, GOC_WATCHDOG, KEEP)\n' >&2
    exit 2
}
need_tools go git curl setsid

tmp=$(cd -- "${TMPDIR:-/tmp}" && pwd)
# goc hands the path of its output to a shell without quotes.
[ "$(printf '%q' "$tmp")" = "$tmp" ] || die "goc cannot build under \"$tmp\": set TMPDIR to a folder without spaces and the like"
make_scratch goc-echo

# ---- what is needed ----------------------------------------------------------------------------

find_goc() {
    local gopath
    gopath=$(go env GOPATH)
    if [ -n "${GOC-}" ]; then
        goc=$(command -v -- "$GOC") || die "GOC is \"$GOC\": no such program"
    elif goc=$(command -v goc); then
        :
    elif [ -x "${gopath%%:*}/bin/goc" ]; then
        goc=${gopath%%:*}/bin/goc
    else
        say 'no goc here; building one for this run (set GOC to a goc of yours to save the time)'
        await_in "$project" .ci/install-goc "$scratch/bin" || die 'goc could not be built, see above'
        goc=$scratch/bin/goc
    fi
    goc=$(absolute "$goc")
    goc_version=$("$goc" version 2>/dev/null) || die "goc does not run: $goc version"
}

heading 'The tools'
give_go_its_caches
find_goc
find_goc_watchdog
say "$(go version)"
say "goc $goc_version ($goc)"
say "$watchdog_version ($watchdog)"

mkdir -p "$scratch/tmp" "$scratch/center" "$scratch/replica-1" "$scratch/replica-2"
export TMPDIR=$scratch/tmp # goc builds in a copy of the module, which it leaves behind when killed
export GOWORK=off          # a go.work around the caller is no business of the example's

# ---- the service -------------------------------------------------------------------------------

# goc keeps its list (_svrs_address.txt) and its log in the current folder, so the center gets a
# folder of its own. It takes a port by number only; the port may be lost to somebody else
# between the look and the start, hence the loop. The numbers lie below those that kernels give
# out by themselves, to the replicas for one.
start_center() {
    local log=$scratch/center/server.log attempt port deadline pid
    for attempt in 1 2 3 4 5 6 7 8 9 10; do
        port=$((20000 + RANDOM % 12000))
        center=http://127.0.0.1:$port
        if (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then continue; fi

        (cd -- "$scratch/center" && exec setsid "$goc" server --port "127.0.0.1:$port") </dev/null >"$log" 2>&1 &
        pid=$!
        deadline=$((SECONDS + 20))
        while kill -0 "$pid" 2>/dev/null && [ "$SECONDS" -lt "$deadline" ]; do
            if fetch -f -o /dev/null "$center/v1/cover/list" 2>/dev/null; then return; fi
            sleep 0.1
        done
        say "attempt $attempt: no center at $center"
    done
    die_with_log "$log" 'the center did not start'
}

# A real commit, as that is what the service's name ends with. Nothing of the caller's git gets
# into it: no repository that a hook points to, no signing, no templates.
commit_source() {
    local source=$scratch/source variable
    cp -R -- "$here/." "$source"
    for variable in $(git rev-parse --local-env-vars); do unset "$variable"; done
    export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1
    git -c init.defaultBranch="$branch" init -q "$source"
    git -C "$source" add -A
    git -C "$source" -c user.name=echo -c user.email=echo@example.com -c gc.auto=0 commit -q -m 'The echo example'
    commit=$(git -C "$source" rev-parse HEAD)
    commit=${commit:0:10}
}

build_service() {
    local log=$scratch/build.log
    say "goc build --center=$center -o echoserver ."
    await_in "$scratch/source" "$goc" build --center="$center" -o echoserver . >"$log" 2>&1 ||
        die_with_log "$log" 'goc build failed'
    [ -x "$scratch/source/echoserver" ] || die_with_log "$log" 'goc build left no binary'
}

# Each replica runs from a path of its own: goc's agent keeps its port in
# <argv0>_profile_listen_addr and asks for it again at the next start, so two processes of one
# path would want one port. (In Kubernetes each has a file system of its own.)
start_replica() {
    local folder=$scratch/replica-$1
    cp -- "$scratch/source/echoserver" "$folder/"
    ENV=$env REGION=$region APPTYPE=$app GIT_BRANCH=$branch GIT_COMMIT=$commit ECHO_BIN=$folder/echoserver \
        setsid "$scratch/source/start.sh" -addr 127.0.0.1:0 </dev/null >"$folder/log" 2>&1 &
    replica_pid[$1]=$!
    wait_for 20 "replica $1 listens" replica_listens "$1"
}

# Sets where replica $1 answers: itself, and the agent that goc built into it.
replica_listens() {
    local folder=$scratch/replica-$1
    kill -0 "${replica_pid[$1]}" 2>/dev/null || die_with_log "$folder/log" "replica $1 ended at once"
    replica_url[$1]=$(sed -n 's/^echo: listening on //p' "$folder/log")
    [ -n "${replica_url[$1]}" ] && [ "$(count_registered)" -ge "$1" ]
}

count_registered() {
    fetch -f "$center/v1/cover/list" | grep -o '"http://' | wc -l
}

heading 'A center, a build, two replicas'
start_center
say "center: $center"
commit_source
service=${env}_${region}_${app}_${branch}_${commit}
build_service
replica_pid=() replica_url=()
start_replica 1
start_replica 2
say "$service: ${replica_url[1]}, ${replica_url[2]}"

# ---- the round ---------------------------------------------------------------------------------

export GOC_CENTER=$center GOC_WATCHDOG_ROOT=$scratch/root

heading 'Requests, different ones to each, and a first pull'
request 1 200 GET /
request 1 200 GET /ping
request 1 200 POST '/mirror?name=ada' -H 'Accept: application/json' --data-raw 'Hi'
request 2 200 GET /
request 2 200 POST '/mirror?name=bob' --data-raw 'to be or not to be'
goc_watchdog 0 pull
goc_watchdog 0 list
goc_watchdog 0 total "$service"

heading 'One replica is killed with -9, the other works on'
{ kill -KILL "${replica_pid[1]}" && wait "${replica_pid[1]}"; } 2>/dev/null || :
say 'replica 1: killed; the center does not know'
request 2 200 POST /mirror --data-raw 'Otto'
request 2 405 POST /ping
request 2 404 GET /nowhere
say 'exit status 3 is to be expected now: partly done'
goc_watchdog 3 pull --force
goc_watchdog 0 total "$service"
goc_watchdog 0 list
goc_watchdog 0 history "$service"

# ---- the proof ---------------------------------------------------------------------------------

heading 'The proof'
shopt -s nullglob
files=("$GOC_WATCHDOG_ROOT/$app/cov_data/${app}"_*.cov)
[ "${#files[@]}" -ge 2 ] || die "${#files[@]} stored profiles, not one for each pull"
numbers=("${files[@]##*_}")
newest=$(printf '%s\n' "${numbers[@]%.cov}" | sort -n | tail -n 1)
oldest=$(printf '%s\n' "${numbers[@]%.cov}" | sort -n | head -n 1)
profiles=$GOC_WATCHDOG_ROOT/$app/cov_data/$app

# The coverage of the second replica alone: a tool that stored the sum of living processes would show this.
agent=$(tr -d '[:space:]' <"$scratch/replica-2/echoserver_profile_listen_addr")
fetch -f -o "$scratch/survivor.cov" "http://127.0.0.1:${agent##*:}/v1/cover/profile" || die 'replica 2 has no profile'

# The command's own figure is compared too, to the statement.
TOTAL=$("$watchdog" total --format json "$service")
export TOTAL
say "compares ${app}_$oldest.cov with ${app}_$newest.cov, and both with replica 2 alone"
awk '
    FNR == 1 { file++; next } # the line "mode: ..."
    {
        block = $1 " " $2 # file and extent, statements
        all[file] += $2
        if ($3 > 0) { covered[file, block]; statements[file] += $2; blocks[file]++ }
        if (file == 1 && $3 > 0) first[block]
    }
    function percent(n) { return 100 * statements[n] / all[n] }
    function printed(field) { # a number in the JSON of "total"
        if (!match(ENVIRON["TOTAL"], "\"" field "\":[0-9]+")) return "nothing"
        return substr(ENVIRON["TOTAL"], RSTART + length(field) + 3, RLENGTH - length(field) - 3)
    }
    END {
        if (file != 3 || !all[1] || !all[2] || !all[3]) { print "FAIL: a profile is empty"; exit 1 }
        for (block in first) {
            if (!((2, block) in covered)) { print "lost: " block; lost++ }
            else if (!((3, block) in covered)) kept++
        }
        if (lost) { printf "FAIL: %d blocks were covered and are not any more\n", lost; exit 1 }
        if (percent(2) < percent(1)) { printf "FAIL: the total fell from %.1f%% to %.1f%%\n", percent(1), percent(2); exit 1 }
        if (printed("covered") "/" printed("total") != statements[2] "/" all[2]) {
            print "FAIL: \"total\" says " printed("covered") "/" printed("total") ", its file " statements[2] "/" all[2]
            exit 1
        }
        if (!kept) { print "FAIL: replica 1 ran nothing of its own, so nothing is proven"; exit 1 }
        if (blocks[2] <= blocks[1]) { print "FAIL: the later requests to replica 2 are missing"; exit 1 }
        printf "PASS: covered %d of %d statements (%.1f%%) before the kill, %d (%.1f%%) after; " \
            "of %d blocks none is lost, and %d of them only the killed replica had run\n",
            statements[1], all[1], percent(1), statements[2], percent(2), blocks[1], kept
    }
' "${profiles}_$oldest.cov" "${profiles}_$newest.cov" "$scratch/survivor.cov"
