# The frame of the two rounds, echo/run.sh and gocover/run.sh, which read it in with bash: messages, the cleanup of the
# scratch folder, waiting, the tools, requests to replicas, and runs of goc-watchdog.

say() { printf '%s\n' "$*"; }
die() {
    printf 'run.sh: %s\n' "$*" >&2
    exit 1
}
# Says what went wrong, and shows the end of a log that the cleanup is about to remove.
die_with_log() {
    tail -n 20 -- "$1" | sed 's/^/    /' >&2
    die "$2"
}
# A heading; numbered, so that a person who reads along knows where it stands.
step=0
heading() {
    step=$((step + 1))
    printf '\n== %d. %s\n' "$step" "$*"
}

here=$(cd -- "$(dirname -- "$0")" && pwd)
project=$(cd -- "$here/../.." && pwd)

# ---- scratch and cleanup -----------------------------------------------------------------------

# make_scratch NAME: sets "scratch" to a new folder, which is removed at the end.
make_scratch() {
    scratch=$(mktemp -d "${TMPDIR:-/tmp}/$1.XXXXXX")
    scratch=$(cd -- "$scratch" && pwd)
    trap cleanup EXIT
    trap 'exit 129' HUP
    trap 'exit 130' INT
    trap 'exit 143' TERM
}

# Every child leads a process group of its own (see setsid below), so that what Go, goc and cargo start goes down with
# them. "jobs" knows a child from the moment it is forked; a list kept by hand would miss the one that is being started
# when the signal comes.
cleanup() {
    status=$?
    trap '' INT TERM HUP
    exec 3>&2 2>/dev/null # bash remarks on each death, at a moment of its own choice
    for pid in $(jobs -rp); do
        # Between fork and setsid there is no such group yet, but no grandchild either.
        kill -KILL -- "-$pid" || kill -KILL "$pid" || :
    done
    wait || :
    if [ -n "${KEEP-}" ]; then
        printf 'run.sh: kept %s\n' "$scratch" >&3
    else
        # Once more for a grandchild that was still writing when the signal reached it.
        rm -rf -- "$scratch" || { sleep 1 && rm -rf -- "$scratch"; } ||
            printf 'run.sh: could not remove %s\n' "$scratch" >&3
    fi
    exit "$status"
}

# await_in FOLDER COMMAND...: runs what may take long. Bash puts a trap off until the command in the foreground has
# ended, so the command is in the background and waited for.
await_in() {
    (cd -- "$1" && shift && exec setsid "$@") </dev/null &
    wait "$!"
}

# wait_for SECONDS WHAT COMMAND...: asks COMMAND again and again until it agrees.
wait_for() {
    local deadline=$((SECONDS + $1)) what=$2
    shift 2
    until "$@"; do
        [ "$SECONDS" -lt "$deadline" ] || die "$what: not within the time it was given"
        sleep 0.1
    done
}

# Neither ~/.curlrc nor a proxy has a say about 127.0.0.1.
fetch() { curl -q -sS --noproxy '*' --max-time 10 "$@"; }

# ---- tools -------------------------------------------------------------------------------------

# need_tools TOOL...
need_tools() {
    local tool
    for tool; do
        command -v "$tool" >/dev/null || die "no \"$tool\" in PATH"
    done
}

absolute() {
    case $1 in
        /*) printf '%s\n' "$1" ;;
        *) printf '%s\n' "$PWD/$1" ;;
    esac
}

find_goc_watchdog() {
    local target
    if [ -n "${GOC_WATCHDOG-}" ]; then
        watchdog=$(command -v -- "$GOC_WATCHDOG") || die "GOC_WATCHDOG is \"$GOC_WATCHDOG\": no such program"
    else
        command -v cargo >/dev/null || die 'no "cargo" in PATH; install Rust or set GOC_WATCHDOG'
        target=$(absolute "${CARGO_TARGET_DIR:-$project/target}")
        say 'cargo build --release'
        await_in "$project" cargo build --release --locked --target-dir "$target" ||
            die 'goc-watchdog could not be built, see above'
        watchdog=$target/release/goc-watchdog
    fi
    watchdog=$(absolute "$watchdog")
    watchdog_version=$("$watchdog" --version 2>/dev/null) || die "goc-watchdog does not run: $watchdog --version"
}

# A service account may have no home to keep Go's caches in. They go into the scratch then, and the modules writable, as
# rm could not remove them otherwise.
give_go_its_caches() {
    local cache
    cache=$(go env GOCACHE 2>/dev/null) || cache=
    if [ -z "$cache" ] || ! mkdir -p -- "$cache" 2>/dev/null || [ ! -w "$cache" ]; then
        export GOCACHE=$scratch/go-build
    fi
    cache=$(go env GOMODCACHE)
    if ! mkdir -p -- "$cache" 2>/dev/null || [ ! -w "$cache" ]; then
        export GOMODCACHE=$scratch/go-mod GOFLAGS="${GOFLAGS-} -modcacherw"
    fi
}

# ---- the round ---------------------------------------------------------------------------------

# request REPLICA STATUS METHOD PATH [CURL OPTION...]: one request, whose status is to be STATUS.
request() {
    local replica=$1 expected=$2 method=$3 path=$4 status
    shift 4
    status=$(fetch -o /dev/null -w '%{http_code}' -X "$method" "$@" "${replica_url[$replica]}$path") ||
        die "replica $replica does not answer $method $path"
    say "replica $replica: $method $path -> $status"
    [ "$status" = "$expected" ] || die "replica $replica answers $method $path with $status, not $expected"
}

# goc_watchdog STATUS ARG...: shows the command, runs it, and insists on its exit status.
goc_watchdog() {
    local expected=$1 status=0
    shift
    printf '\n$ goc-watchdog %s\n' "$*"
    "$watchdog" "$@" || status=$?
    [ "$status" -eq 0 ] || say "(exit status $status)"
    [ "$status" -eq "$expected" ] || die "\"goc-watchdog $*\" ended with $status, not $expected"
}
