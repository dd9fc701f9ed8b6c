
# Offers the services that may stand at the cursor, from the database.
_goc_watchdog_with_services() {
    _goc_watchdog "$@"
    local services
    if [[ $2 != -* ]]; then
        # Each service is one word without special characters.
        services=($("${1/#\~\//$HOME/}" list --complete "${COMP_WORDS[@]:0:COMP_CWORD+1}" 2>/dev/null))
        [[ ${#services[@]} -eq 0 ]] || COMPREPLY=("${services[@]}")
    fi
}
