
# Offers the services that may stand at the cursor, from the database.
_goc-watchdog_services() {
    local -a services
    local program=${(Q)goc_watchdog_line[1]}
    services=(${(f)"$("${program/#\~\//$HOME/}" list --complete "${(@Q)goc_watchdog_line}" 2>/dev/null)"})
    compadd -- "${services[@]}"
}

