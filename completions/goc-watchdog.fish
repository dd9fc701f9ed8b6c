# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_goc_watchdog_global_optspecs
    string join \n root= trust-root center= q/quiet v/verbose color= h/help V/version
end

function __fish_goc_watchdog_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_goc_watchdog_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_goc_watchdog_using_subcommand
    set -l cmd (__fish_goc_watchdog_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c goc-watchdog -n "__fish_goc_watchdog_needs_command" -l root -d 'Work directory: database, stored profiles, configuration' -r -F
complete -c goc-watchdog -n "__fish_goc_watchdog_needs_command" -l center -d 'Goc center to ask; may be given several times' -r
complete -c goc-watchdog -n "__fish_goc_watchdog_needs_command" -l color -d 'When to use colours; `NO_COLOR` is heeded' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c goc-watchdog -n "__fish_goc_watchdog_needs_command" -l trust-root -d 'As root, use a work directory that belongs to another user'
complete -c goc-watchdog -n "__fish_goc_watchdog_needs_command" -s q -l quiet -d 'Say nothing but errors'
complete -c goc-watchdog -n "__fish_goc_watchdog_needs_command" -s v -l verbose -d 'Say more, such as why each service was or was not pulled'
complete -c goc-watchdog -n "__fish_goc_watchdog_needs_command" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c goc-watchdog -n "__fish_goc_watchdog_needs_command" -s V -l version -d 'Print version'
complete -c goc-watchdog -n "__fish_goc_watchdog_needs_command" -f -a "pull" -d 'Pull, merge and store the coverage of running services'
complete -c goc-watchdog -n "__fish_goc_watchdog_needs_command" -f -a "prune" -d 'Take dead addresses out of the centers\' lists, and drop old profiles'
complete -c goc-watchdog -n "__fish_goc_watchdog_needs_command" -f -a "report" -d 'Report what of a service is covered: function by function, for people, or in a form that other tools read'
complete -c goc-watchdog -n "__fish_goc_watchdog_needs_command" -f -a "list" -d 'List services: where they run, how much is covered, and how that is known'
complete -c goc-watchdog -n "__fish_goc_watchdog_needs_command" -f -a "total" -d 'Print how much of a service is covered, as one number'
complete -c goc-watchdog -n "__fish_goc_watchdog_needs_command" -f -a "history" -d 'Show how the coverage of a service went, row by row'
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand pull" -l address -d 'Pull this address and store what it serves under SERVICE, listed there or not; with --to-inbox, save it' -r
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand pull" -l to-inbox -d 'Save the profile of the process on this host in DIR, for a later pull to take in; what a pod runs before it ends' -r -F
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand pull" -l service -d 'With --to-inbox: the name that the process is registered under [default: `GOC_SERVICE_NAME`, here or in the environment of the process]' -r
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand pull" -s o -l output -d 'With --raw: write to this file, whole or not at all' -r -F
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand pull" -l adopt -d 'Let the build with this fingerprint take the place of the one that SERVICE shows' -r
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand pull" -l change -d 'Kind of change that stores a new row' -r -f -a "covered\t'A block became covered'
counts\t'Any counter moved'"
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand pull" -l jitter -d 'Wait a random time up to this first, so that many machines do not pull at the same moment' -r
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand pull" -l wait -d 'Wait while another run holds the lock, up to this long, or without end where no time is given; without --wait the run ends with exit code 4' -r
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand pull" -l ping -d 'Tell a dead-man\'s switch at URL: URL/start at the start, URL when done, URL/CODE for another exit code' -r
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand pull" -l concurrency -d 'Number of requests at the same time [default: 16]' -r
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand pull" -l timeout -d 'Time limit of a request with its whole answer [default: 2m]' -r
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand pull" -l connect-timeout -d 'Time limit for making a connection [default: 5s]' -r
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand pull" -l read-timeout -d 'Longest silence within an answer [default: 20s]' -r
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand pull" -l deadline -d 'Time limit of the whole run; services that it cuts off stay due [default with --to-inbox: 5s]' -r
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand pull" -l max-body -d 'Largest answer, decoded [default: 256MiB]' -r
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand pull" -l proxy -d 'Proxy for all requests; those of the environment are never used' -r
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand pull" -l format -d 'Form of the output' -r -f -a "text\t'For people'
json\t'For scripts; the fields are described in the command\'s man page'"
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand pull" -l root -d 'Work directory: database, stored profiles, configuration' -r -F
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand pull" -l center -d 'Goc center to ask; may be given several times' -r
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand pull" -l color -d 'When to use colours; `NO_COLOR` is heeded' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand pull" -s f -l force -d 'Pull every service, due or not'
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand pull" -l raw -d 'Print one process\'s profile as it is; nothing is stored'
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand pull" -l strict -d 'With --to-inbox: end with 1 where nothing was saved'
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand pull" -s n -l dry-run -d 'Show what would be pulled, and why; nothing is pulled or stored'
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand pull" -l no-peek -d 'Do not ask services that are not due whether their coverage moved'
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand pull" -l trust-root -d 'As root, use a work directory that belongs to another user'
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand pull" -s q -l quiet -d 'Say nothing but errors'
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand pull" -s v -l verbose -d 'Say more, such as why each service was or was not pulled'
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand pull" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand pull" -s V -l version -d 'Print version'
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand prune" -l confirm-runs -d 'Number of runs in which an address has to fail before it is dead, however it fails' -r
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand prune" -l confirm-over -d 'Time over which an address has to fail before it is dead, however it fails' -r
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand prune" -l keep -d 'Keep the newest N profiles of each service and commit, whatever their age [default: 10]' -r
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand prune" -l keep-days -d 'Keep all profiles that are younger than this [default: 30]' -r
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand prune" -l drop-keys-older-than -d 'Drop also all data of services that nobody listed for so long, and data set aside that is so old' -r
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand prune" -l wait -d 'Wait while another run holds the lock, up to this long, or without end where no time is given; without --wait the run ends with exit code 4' -r
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand prune" -l ping -d 'Tell a dead-man\'s switch at URL: URL/start at the start, URL when done, URL/CODE for another exit code' -r
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand prune" -l concurrency -d 'Number of addresses that are asked at the same time [default: 64]' -r
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand prune" -l timeout -d 'Time limit for making a connection to an address, and for a silence of it [default: 4s]' -r
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand prune" -l deadline -d 'Time limit for the work at addresses and centers; addresses that it cuts off stay as they were' -r
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand prune" -l format -d 'Form of the output' -r -f -a "text\t'For people'
json\t'For scripts; the fields are described in the command\'s man page'"
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand prune" -l root -d 'Work directory: database, stored profiles, configuration' -r -F
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand prune" -l center -d 'Goc center to ask; may be given several times' -r
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand prune" -l color -d 'When to use colours; `NO_COLOR` is heeded' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand prune" -s n -l dry-run -d 'Show what would be done, and why; nothing is removed or remembered'
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand prune" -s f -l force -d 'Remove dead addresses even where so many died at once that the fault is likely on this side'
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand prune" -l no-restore -d 'Do not register removed addresses again that answer now'
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand prune" -l fix-names -d 'Register addresses that also stand under a name that is not theirs any more under the right one alone; a run that cannot ends with 3, and each later one tries again'
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand prune" -l center-only -d 'Clean the lists of the centers alone; the stored history stays as it is'
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand prune" -l retention-only -d 'Clean the stored history alone; no center and no address is asked'
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand prune" -l trust-root -d 'As root, use a work directory that belongs to another user'
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand prune" -s q -l quiet -d 'Say nothing but errors'
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand prune" -s v -l verbose -d 'Say more, such as why each service was or was not pulled'
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand prune" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand prune" -s V -l version -d 'Print version'
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand report" -l format -d 'Form of the report, and the file that it goes to; several times for several of them [default: func]' -r -f -a "func\t'Byte for byte the table of `go tool cover -func`'
text\t'Packages and files for people, with the lines that are not covered'
json\t'Totals, packages, files, functions and uncovered ranges, for scripts'
lcov\t'Tracefile of lcov, which genhtml and editors read'
cobertura\t'XML that Jenkins, GitLab, Azure and diff-cover read'
codecov\t'JSON that Codecov reads'
markdown\t'Summary for a pull request or a CI job'
badge\t'SVG of the percentage'
html\t'One self-contained page: files, functions, the source with its coverage, and the changed lines'
site\t'With --all: a folder of static pages of all stored data, with reports, badges and JSON'
diff\t'Lines that changed since --base, and whether they were executed, for people'
diff-json\t'Changed lines as JSON, for scripts'
diff-markdown\t'Changed lines as a comment for a pull request'
diff-github\t'Changed lines as annotations of a GitHub workflow'"
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand report" -s o -l output -d 'Write the form without a file of its own to this one instead of stdout; with --format site the folder' -r -F
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand report" -l id -d 'Report this row of the history instead of the latest' -r
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand report" -l commit -d 'Report the newest row of this commit; for a service whose name has no commit, the revision of its source' -r
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand report" -l include -d 'Report only files that this glob fits, by import path, path in the repository, or a folder above; may be repeated' -r
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand report" -l exclude -d 'Leave out files that this glob fits, included or not; may be repeated' -r
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand report" -l sort -d 'With --format text: order of the files' -r -f -a "name\t'By import path'
percent\t'The lowest percentage first'
uncovered\t'The most statements that were not executed first'"
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand report" -l limit -d 'With --format text: at most so many files, 0 for all [default: 100 on a terminal, else all]' -r
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand report" -l base -d 'With the forms of changes and html: count them from this branch, tag or commit, or from its merge base with this one\'s; `previous` is the commit that was stored before, `parent` the first parent [default: the merge base with the default branch; for a commit on that branch, the commit stored before]' -r
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand report" -l diff-file -d 'With the forms of changes and html: take them from this unified diff, `-` for stdin' -r -F
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand report" -l against -d 'With the forms of changes and html: hold each line against another stored state of the app, the row with this number or the latest of this service, in the categories of lcov\'s differential coverage' -r
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand report" -l fail-on -d 'With --against: fail when unchanged code was executed there, and is not here' -r -f -a "lost\t'Lost coverage: code that was executed, did not change, and is not executed now'"
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand report" -l fail-under -d 'Fail below this percentage of all statements; exact, not rounded' -r
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand report" -l max-age -d 'Fail when the last pull that got an answer is longer ago' -r
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand report" -l min-replicas -d 'Fail when fewer replicas answered at the last pull' -r
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand report" -l root -d 'Work directory: database, stored profiles, configuration' -r -F
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand report" -l center -d 'Goc center to ask; may be given several times' -r
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand report" -l color -d 'When to use colours; `NO_COLOR` is heeded' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand report" -l exclude-generated -d 'Leave out files that say `// Code generated ... DO NOT EDIT.`'
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand report" -l exclude-without-source -d 'Leave out files that the commit lacks, such as those written at build time and links that lead to none of its files; genhtml, which reads lcov, stops at such a file'
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand report" -l only-changed -d 'Only files that changed, in every form: a page of them is small enough for a pull request'
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand report" -l all -d 'With --format site: of all services. With --format diff: show all places that were missed, not the first ones of each file'
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand report" -l offline -d 'Fetch nothing; use the clones that are here'
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand report" -l trust-root -d 'As root, use a work directory that belongs to another user'
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand report" -s q -l quiet -d 'Say nothing but errors'
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand report" -s v -l verbose -d 'Say more, such as why each service was or was not pulled'
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand report" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand report" -s V -l version -d 'Print version'
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand list" -l explain -d 'Show all that is known of one service: its schedule and why, its addresses, builds, generations' -r
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand list" -l format -d 'Form of the output' -r -f -a "text\t'For people'
json\t'For scripts; the fields are described in the man page'
prometheus\t'For the node exporter\'s textfile collector; the metrics are described in the man page'"
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand list" -s o -l output -d 'Write to this file, whole or not at all' -r -F
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand list" -l root -d 'Work directory: database, stored profiles, configuration' -r -F
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand list" -l center -d 'Goc center to ask; may be given several times' -r
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand list" -l color -d 'When to use colours; `NO_COLOR` is heeded' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand list" -l offline -d 'Ask no center; show what is stored'
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand list" -l trust-root -d 'As root, use a work directory that belongs to another user'
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand list" -s q -l quiet -d 'Say nothing but errors'
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand list" -s v -l verbose -d 'Say more, such as why each service was or was not pulled'
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand list" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand list" -s V -l version -d 'Print version'
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand total" -l fail-under -d 'Fail below this percentage of all statements; exact, not rounded' -r
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand total" -l max-age -d 'Fail when the last pull that got an answer is longer ago' -r
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand total" -l min-replicas -d 'Fail when fewer replicas answered at the last pull' -r
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand total" -l format -d 'Form of the output' -r -f -a "text\t'For people'
json\t'For scripts; the fields are described in the command\'s man page'"
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand total" -l root -d 'Work directory: database, stored profiles, configuration' -r -F
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand total" -l center -d 'Goc center to ask; may be given several times' -r
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand total" -l color -d 'When to use colours; `NO_COLOR` is heeded' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand total" -l trust-root -d 'As root, use a work directory that belongs to another user'
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand total" -s q -l quiet -d 'Say nothing but errors'
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand total" -s v -l verbose -d 'Say more, such as why each service was or was not pulled'
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand total" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand total" -s V -l version -d 'Print version'
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand history" -l commit -d 'Only rows of this commit, or of those that begin with it' -r
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand history" -l limit -d 'Only the newest N rows' -r
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand history" -l format -d 'Form of the output' -r -f -a "text\t'For people'
json\t'For scripts; the fields are described in the command\'s man page'"
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand history" -l root -d 'Work directory: database, stored profiles, configuration' -r -F
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand history" -l center -d 'Goc center to ask; may be given several times' -r
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand history" -l color -d 'When to use colours; `NO_COLOR` is heeded' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand history" -l trust-root -d 'As root, use a work directory that belongs to another user'
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand history" -s q -l quiet -d 'Say nothing but errors'
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand history" -s v -l verbose -d 'Say more, such as why each service was or was not pulled'
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand history" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand history" -s V -l version -d 'Print version'
