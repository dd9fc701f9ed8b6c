
# Offers the services that may stand at the cursor, from the database.
_goc-watchdog_services() {
    local -a services
    services=(${(f)"$("${(Q)goc_watchdog_line[1]}" list --complete "${(@Q)goc_watchdog_line}" 2>/dev/null)"})
    compadd -- "${services[@]}"
}

