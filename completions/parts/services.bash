
# Offers the services that may stand at the cursor, from the database.
_goc_watchdog_with_services() {
    _goc_watchdog "$@"
    local service typed=${COMP_WORDS[COMP_CWORD]}
    local -a words=() services=()
    [[ $2 != -* ]] || return
    # The words are as typed. No other quotes than these are read, because a name is never evaluated.
    for service in "${COMP_WORDS[@]:0:COMP_CWORD+1}"; do
        case $service in
            \"*) service=${service#\"} service=${service%\"} ;;
            \'*) service=${service#\'} service=${service%\'} ;;
            *) service=${service//\\/} ;;
        esac
        words+=("$service")
    done
    while IFS= read -r service; do
        case $typed$'\n'$service in
            # Bash breaks a word at these signs, so that only its end would be replaced.
            *$'\n'*[:=]*) ;;
            # Within quotes these signs would have a meaning.
            \"*$'\n'*[\"\$\`\\!]* | \'*$'\n'*\'*) ;;
            \"* | \'*) services+=("$service") ;;
            *) printf -v service %q "$service" && services+=("$service") ;;
        esac
    done < <("${1/#\~\//$HOME/}" list --complete "${words[@]}" 2>/dev/null)
    [[ ${#services[@]} -eq 0 ]] || COMPREPLY=("${services[@]}")
}
