
# Offers the services that may stand at the cursor, from the database.
_goc-watchdog_services() {
    local -a services
    local program=${(Q)goc_watchdog_line[1]}
    local -a typed=("${(@Q)goc_watchdog_line}")
    # A quote that is still open cannot be read as such.
    typed[-1]=${typed[-1]#[\"\']}
    services=(${(f)"$("${program/#\~\//$HOME/}" list --complete "${(@)typed}" 2>/dev/null)"})
    compadd -- "${services[@]}"
}

