
# Prints the services that may stand at the cursor, from the database.
function __fish_goc_watchdog_services
    set -l word (commandline -ct)
    # A quote that is still open cannot be read as such.
    set -l plain (string unescape -- "$word"; or string replace --regex '^["\']' '' -- "$word")
    set -l line (commandline -opc) "$plain"
    set -l program (string replace --regex '^~(?=/)' $HOME -- $line[1])
    command --search --quiet $program; and command $program list --complete $line 2>/dev/null
end

complete -c goc-watchdog -n "not __fish_goc_watchdog_needs_command" -f -a "(__fish_goc_watchdog_services)"
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand list" -l explain -r -f -a "(__fish_goc_watchdog_services)"
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand report total" -l against -r -f -a "(__fish_goc_watchdog_services)"
