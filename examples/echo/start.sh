#!/bin/sh
#
# Starts the instrumented echo service under the name that goc-watchdog reads:
#
#     ${ENV}_${REGION}_${APPTYPE}_${GIT_BRANCH}_${GIT_COMMIT}
#     staging_th_apa_goc_echoserver_master_845820727e
#
# All five come from the environment; arguments go to the service. ECHO_BIN is the binary,
# default: echoserver beside this script. Plain sh, so that it runs in the smallest image.

set -eu

die() { printf 'start.sh: %s\n' "$*" >&2; exit 2; }

# The commit is what the binary was *built* from, so the build hands it in (docker build
# --build-arg, CI variables). Asking git here would name whatever is checked out by now, and
# the coverage would be laid over the wrong source.
for name in ENV REGION APPTYPE GIT_BRANCH GIT_COMMIT; do
    eval "value=\${$name-}"
    [ -n "$value" ] || die "$name is not set"
done

# The name goes unescaped into the URL with which goc registers: a space ends the process, "&"
# and "#" cut the name short. And "_" separates the fields, so only APPTYPE may hold it.
for name in ENV REGION; do
    eval "value=\$$name"
    case $value in *[!A-Za-z0-9.-]*) die "$name is \"$value\": use letters, digits, \".\" and \"-\" only" ;; esac
done
case $APPTYPE in *[!A-Za-z0-9._-]*) die "APPTYPE is \"$APPTYPE\": use letters, digits, \".\", \"-\" and \"_\" only" ;; esac
case $GIT_COMMIT in *[!0-9a-f]*) die "GIT_COMMIT is \"$GIT_COMMIT\": use 7 to 64 hex digits" ;; esac
if [ ${#GIT_COMMIT} -lt 7 ] || [ ${#GIT_COMMIT} -gt 64 ]; then
    die "GIT_COMMIT has ${#GIT_COMMIT} digits: use 7 to 64 hex digits"
fi

# A branch is named by people, so it is cleaned and not refused: feature/JIRA-7_mirror becomes
# JIRA-7-mirror.
branch=$(printf '%s' "${GIT_BRANCH##*/}" | tr -c 'A-Za-z0-9.-' '-')
[ -n "$branch" ] || die "GIT_BRANCH is \"$GIT_BRANCH\": nothing follows the last \"/\""

GOC_SERVICE_NAME=${ENV}_${REGION}_${APPTYPE}_${branch}_${GIT_COMMIT}
export GOC_SERVICE_NAME

# exec, so that the service has this process's id: a signal, and Kubernetes' SIGTERM above all,
# has to reach goc's agent, which then takes itself off the center's list.
exec "${ECHO_BIN:-$(dirname -- "$0")/echoserver}" "$@"
