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
complete -c goc-watchdog -n "__fish_goc_watchdog_needs_command" -l center -d 'URL of the goc center; may be given several times' -r
complete -c goc-watchdog -n "__fish_goc_watchdog_needs_command" -l color -d 'Use of colours; `NO_COLOR` has an effect, too' -r -f -a "auto\t'Colours on a terminal, unless `NO_COLOR` is set'
always\t'Colours always'
never\t'No colours'"
complete -c goc-watchdog -n "__fish_goc_watchdog_needs_command" -l trust-root -d 'As root, use a work directory that belongs to another user'
complete -c goc-watchdog -n "__fish_goc_watchdog_needs_command" -s q -l quiet -d 'Print only errors'
complete -c goc-watchdog -n "__fish_goc_watchdog_needs_command" -s v -l verbose -d 'Print more, such as the reason why each service was or was not pulled'
complete -c goc-watchdog -n "__fish_goc_watchdog_needs_command" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c goc-watchdog -n "__fish_goc_watchdog_needs_command" -s V -l version -d 'Print version'
complete -c goc-watchdog -n "__fish_goc_watchdog_needs_command" -f -a "pull" -d 'Pull, merge and store the coverage of running services'
complete -c goc-watchdog -n "__fish_goc_watchdog_needs_command" -f -a "prune" -d 'Remove dead addresses from the centers\' lists, and drop old profiles'
complete -c goc-watchdog -n "__fish_goc_watchdog_needs_command" -f -a "report" -d 'Report the coverage of a service: function by function, for people, or in a form for other tools'
complete -c goc-watchdog -n "__fish_goc_watchdog_needs_command" -f -a "list" -d 'List the services with their coverage, their state and the age of their data'
complete -c goc-watchdog -n "__fish_goc_watchdog_needs_command" -f -a "total" -d 'Print the coverage of a service as one number'
complete -c goc-watchdog -n "__fish_goc_watchdog_needs_command" -f -a "history" -d 'Show the coverage of a service over time, row by row'
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand pull" -l env -d 'Choose only among services of this environment; \'\' means none' -r
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand pull" -l region -d 'Choose only among services of this region; \'\' means none' -r
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand pull" -l branch -d 'Choose only among services of this branch; \'\' means none' -r
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand pull" -l commit -d 'Pull only the commit that begins with this' -r
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand pull" -l targets -d 'Use the processes that FILE lists, a Prometheus `file_sd` list or what `kubectl get pods -o json` prints; - is standard input; may be given several times' -r -F
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand pull" -l address -d 'Pull only this address and store its data under SERVICE, even if it is not listed there; with --to-inbox, save its data' -r
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand pull" -l to-inbox -d 'Save the profile of the process on this host in DIR, for a later pull; a hook for the end of a pod' -r -F
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand pull" -l service -d 'With --to-inbox: the registered name of the process [default: `GOC_SERVICE_NAME`, in this environment or in that of the process; else made of `POD_NAMESPACE`, `POD_APP` and what its agent tells]' -r
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand pull" -s o -l output -d 'With --raw: write to this file, which is replaced as a whole' -r -F
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand pull" -l adopt -d 'Adopt the build with this fingerprint: SERVICE shows its coverage from now on' -r
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand pull" -l mark -d 'Store a row of now under this name, even if nothing moved, for --since and --id of `report`: mark, test, mark, report. An app has each name once' -r
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand pull" -l change -d 'Kind of change that stores a new row' -r -f -a "covered\t'A block became covered'
counts\t'Any counter moved'"
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand pull" -l jitter -d 'Wait a random time up to this before the run, so that many machines do not pull at the same moment' -r
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand pull" -l wait -d 'Wait while another run holds the lock, up to this time, or without a limit if no time is given; without --wait the run ends with exit code 4' -r
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand pull" -l ping -d 'Ping a dead-man\'s switch: URL/start at the start, URL at the end, URL/CODE after another exit code than 0' -r
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand pull" -l concurrency -d 'Number of requests at the same time [default: 16]' -r
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand pull" -l timeout -d 'Time limit of a request with its whole answer [default: 2m]' -r
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand pull" -l connect-timeout -d 'Time limit for making a connection [default: 5s]' -r
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand pull" -l read-timeout -d 'Longest silence within an answer [default: 20s]' -r
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand pull" -l deadline -d 'Time limit of the whole run; services that it cuts off stay due [default with --to-inbox: 5s]' -r
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand pull" -l max-body -d 'Largest size of a decoded answer [default: 256MiB]' -r
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand pull" -l proxy -d 'Proxy for all requests; proxies of the environment are never used' -r
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand pull" -l format -d 'Form of the output' -r -f -a "text\t'Text for people'
json\t'JSON for scripts'"
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand pull" -l root -d 'Work directory: database, stored profiles, configuration' -r -F
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand pull" -l center -d 'URL of the goc center; may be given several times' -r
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand pull" -l color -d 'Use of colours; `NO_COLOR` has an effect, too' -r -f -a "auto\t'Colours on a terminal, unless `NO_COLOR` is set'
always\t'Colours always'
never\t'No colours'"
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand pull" -s f -l force -d 'Pull every service, due or not'
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand pull" -l raw -d 'Print the unchanged profile of one process; nothing is stored'
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand pull" -l strict -d 'With --to-inbox: end with exit code 1 if nothing was saved'
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand pull" -s n -l dry-run -d 'Show the services that would be pulled, with the reasons; nothing is pulled or stored'
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand pull" -l no-peek -d 'Do not peek at services that are not due'
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand pull" -l trust-root -d 'As root, use a work directory that belongs to another user'
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand pull" -s q -l quiet -d 'Print only errors'
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand pull" -s v -l verbose -d 'Print more, such as the reason why each service was or was not pulled'
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand pull" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand pull" -s V -l version -d 'Print version'
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand prune" -l targets -d 'Use the processes that FILE lists, a Prometheus `file_sd` list or what `kubectl get pods -o json` prints; - is standard input; may be given several times' -r -F
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand prune" -l confirm-runs -d 'Number of runs in which an address has to fail before it is dead, for every kind of failure' -r
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand prune" -l confirm-over -d 'Time over which an address has to fail before it is dead, for every kind of failure' -r
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand prune" -l keep -d 'Keep the newest N profiles of each service and commit at any age [default: 10]' -r
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand prune" -l keep-days -d 'Keep all profiles that are younger than this number of days [default: 30]' -r
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand prune" -l drop-keys-older-than -d 'Drop also all data of services that no center listed for this time, and data set aside that is so old' -r
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand prune" -l wait -d 'Wait while another run holds the lock, up to this time, or without a limit if no time is given; without --wait the run ends with exit code 4' -r
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand prune" -l ping -d 'Ping a dead-man\'s switch: URL/start at the start, URL at the end, URL/CODE after another exit code than 0' -r
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand prune" -l concurrency -d 'Number of addresses that are asked at the same time [default: 64]' -r
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand prune" -l timeout -d 'Time limit for connecting to an address, and for its silence [default: 4s]' -r
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand prune" -l deadline -d 'Time limit for the work at addresses and centers; addresses that it cuts off stay as they were' -r
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand prune" -l format -d 'Form of the output' -r -f -a "text\t'Text for people'
json\t'JSON for scripts'"
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand prune" -l root -d 'Work directory: database, stored profiles, configuration' -r -F
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand prune" -l center -d 'URL of the goc center; may be given several times' -r
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand prune" -l color -d 'Use of colours; `NO_COLOR` has an effect, too' -r -f -a "auto\t'Colours on a terminal, unless `NO_COLOR` is set'
always\t'Colours always'
never\t'No colours'"
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand prune" -s n -l dry-run -d 'Show the planned actions with their reasons; nothing is removed or stored'
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand prune" -s f -l force -d 'Remove dead addresses even if so many died at once that the fault is probably on this side'
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand prune" -l no-restore -d 'Do not register removed addresses again when they answer'
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand prune" -l fix-names -d 'Register addresses with a stale name under their right name only. If that fails, the exit code is 3, and each later run tries again'
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand prune" -l center-only -d 'Clean only the lists of the centers; the stored history does not change'
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand prune" -l retention-only -d 'Clean only the stored history; no center and no address is asked'
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand prune" -l trust-root -d 'As root, use a work directory that belongs to another user'
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand prune" -s q -l quiet -d 'Print only errors'
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand prune" -s v -l verbose -d 'Print more, such as the reason why each service was or was not pulled'
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand prune" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand prune" -s V -l version -d 'Print version'
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand report" -l env -d 'Choose only among services of this environment; \'\' means none' -r
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand report" -l region -d 'Choose only among services of this region; \'\' means none' -r
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand report" -l branch -d 'Choose only among services of this branch; \'\' means none' -r
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand report" -l format -d 'Form of the report, and the file to write it to; may be given several times [default: func]' -r -f -a "func\t'Byte for byte the table of `go tool cover -func`'
text\t'Packages and files for people, with the lines that are not covered'
json\t'Totals, packages, files, functions and uncovered ranges, for scripts'
lcov\t'Tracefile of lcov, which genhtml and editors read'
cobertura\t'XML that Jenkins, GitLab, Azure and diff-cover read'
codecov\t'JSON that Codecov reads'
profile\t'Go coverage profile, for editors, Sonar and Go\'s tools'
markdown\t'Summary for a pull request or a CI job'
badge\t'SVG of the percentage'
html\t'One self-contained page: files, functions, the source with its coverage, and the changed lines'
site\t'With --all: a folder of static pages of all stored data, with reports, badges and JSON'
diff\t'Lines that changed since --base, and whether they were executed, for people'
diff-json\t'Changed lines as JSON, for scripts'
diff-markdown\t'Changed lines as a comment for a pull request'
diff-github\t'Changed lines as annotations of a GitHub workflow'
diff-gitlab\t'Changed lines as a Code Quality report of GitLab'
diff-rdjson\t'Changed lines as diagnostics for reviewdog'"
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand report" -s o -l output -d 'File for the form without FILE, in place of stdout; with --format site, the folder' -r -F
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand report" -l id -d 'Report this row of the history instead of the latest: its number, or the name that pull --mark gave it' -r
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand report" -l commit -d 'Report the newest row of this commit; for a service whose name has no commit, the revision of its source' -r
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand report" -l include -d 'Report only files that match this glob by import path, path in the repository, or a folder above; may be given several times' -r
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand report" -l exclude -d 'Leave out files that match this glob, even included ones; may be given several times' -r
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand report" -l sort -d 'With --format text: order of the files' -r -f -a "name\t'Files in order of import path'
percent\t'Files with the lowest percentage first'
uncovered\t'Files with most uncovered statements first'"
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand report" -l limit -d 'With --format text: largest number of files, 0 for all [default: 100 on a terminal, else all]' -r
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand report" -l base -d 'With the forms of changes and html: the base of the changes. It is the merge base of this branch, tag or commit with the service\'s commit, or `previous` for the previous stored commit, or `parent` for the first parent [default: the merge base with the default branch; for a commit on that branch, the previous stored commit]' -r
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand report" -l diff-file -d 'With the forms of changes and html: read the changes from this unified diff, `-` for stdin' -r -F
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand report" -l against -d 'With the forms of changes and html: compare each line with another stored state of the app, in the categories of lcov\'s differential coverage. The state is the row with this number or this name of pull --mark, or the latest row of this service. With --max-drop: compare the total with that state, in every form' -r
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand report" -l carry -d 'Count also what was executed at other commits, in functions whose text is the same there: of each commit of the app that the clone has, the newest stored data, at most AGE old [default AGE: 30d]' -r
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand report" -l carry-from -d 'With --carry: the data that counts, that of the service\'s own environment and region, or that of any' -r -f -a "same\t'The environment and region of the service'
any\t'All environments and regions of the app'"
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand report" -l with -d 'Count also what another run of the same commit executed, such as unit tests: PATH is a profile of go test -coverprofile, or a folder of GOCOVERDIR. LABEL names it [default: its file name]. With --carry, REV may be another commit, at which that run was. May be given several times' -r -F
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand report" -l since -d 'Count as covered only what was executed since a stored row: its number, the name that pull --mark gave it, or the newest row that is at least so old (2h) or was stored by a time (2026-11-30 14:20, in UTC)' -r
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand report" -l unused -d 'List the functions that were not executed within this time, at any stored commit at which their text is the same, each with its last execution; as text, JSON, or a tab of the page. Data of the service\'s own environment and region counts; with --env all, data of all of them. For a group, that of each app counts' -r
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand report" -l fail-under -d 'Fail if the percentage of all statements is lower, or that of the changed lines in a report of changes. The exact value counts, not the rounded one' -r
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand report" -l max-age -d 'Fail if the last pull with an answer is longer ago' -r
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand report" -l min-replicas -d 'Fail if fewer replicas answered at the last pull' -r
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand report" -l max-drop -d 'Fail if the percentage of all statements is more than POINTS percentage points below that of the commit before on the branch, or below that of the row or service of --against' -r
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand report" -l fail-missed -d 'Fail if more changed lines were missed' -r
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand report" -l min-changed -d 'Apply --fail-under and --fail-missed only if at least N changed lines count' -r
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand report" -l fail-on -d 'Fail for this reason; may be given several times' -r -f -a "lost\t'With --against: lost coverage, which is code that was executed there, did not change, and is not executed here'
unmeasured\t'Changed code that is in no profile, such as that of a package that is not linked into the program'
stale-mark\t'With --ignore-marked: a mark whose code was executed, that gives no reason, or that takes out no statement'"
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand report" -l root -d 'Work directory: database, stored profiles, configuration' -r -F
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand report" -l center -d 'URL of the goc center; may be given several times' -r
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand report" -l color -d 'Use of colours; `NO_COLOR` has an effect, too' -r -f -a "auto\t'Colours on a terminal, unless `NO_COLOR` is set'
always\t'Colours always'
never\t'No colours'"
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand report" -l exclude-generated -d 'Leave out files with the comment `// Code generated ... DO NOT EDIT.`'
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand report" -l exclude-without-source -d 'Leave out files that the commit lacks, such as files that were written at build time, and symbolic links to no file of the commit. genhtml, which reads lcov, fails at such a file'
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand report" -l ignore-marked -d 'Leave out the code that comments `// coverage-ignore REASON` mark in the source: a function, a block, or the statements that begin on a line. It counts neither as covered nor at all. The forms func and profile have it still'
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand report" -l carry-in-forms -d 'With --carry: the forms for other tools (lcov, cobertura, codecov, profile) have what is carried, too, with a count of 1'
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand report" -l count-unmeasured -d 'Count also the packages that no stored profile of the service\'s commit contains, as not executed; report --unmeasured lists them. Files that build constraints leave out do not count'
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand report" -l by-mark -d 'List the functions with the marks of pull --mark between which they were executed, as text or JSON. With --base or --diff-file: only functions that changed, also by test runs at other commits, and which of these to repeat'
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand report" -l exclude-one-line -d 'With --unused: leave out functions that stand on one line'
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand report" -l unmeasured -d 'List the packages and functions of the service\'s modules that no stored profile of its commit contains, of any app, environment and region, as text or JSON: code that no collected program links'
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand report" -l only-changed -d 'Report only files that changed, in every form. A page of them is small enough for a pull request'
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand report" -l blame -d 'With --format html: name the authors of missed changed lines, as git blame tells them, and the owners of files by CODEOWNERS. Nothing is fetched for that'
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand report" -l all -d 'With --format site: all services. With --format diff: show all missed places, not only the first ones of each file'
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand report" -l offline -d 'Fetch nothing; use only the existing clones'
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand report" -l trust-root -d 'As root, use a work directory that belongs to another user'
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand report" -s q -l quiet -d 'Print only errors'
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand report" -s v -l verbose -d 'Print more, such as the reason why each service was or was not pulled'
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand report" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand report" -s V -l version -d 'Print version'
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand list" -l env -d 'Choose only among services of this environment; \'\' means none' -r
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand list" -l region -d 'Choose only among services of this region; \'\' means none' -r
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand list" -l branch -d 'Choose only among services of this branch; \'\' means none' -r
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand list" -l commit -d 'Show only services of the commit that begins with this' -r
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand list" -l state -d 'Show only services in this state; may be given several times' -r -f -a "unreachable\t'All replicas fail'
partial\t'Some replicas fail'
other_build\t'A replica serves another build than the one shown'
stale_name\t'A replica serves the build of another name, under which it is listed, too'
overdue\t'No pull got an answer for twice the longest wait of the schedule'
never_pulled\t'Listed, and no data is stored yet'
ok\t'Data is stored, and no replica fails'
offline\t'Nothing lists the service'"
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand list" -l sort -d 'Sort by this; the default is `state` in the table, and `name` in other forms' -r -f -a "state\t'Services that fail, then those that run, then those that are offline; the newest commit of a branch first'
name\t'Environment, region, app and commit'
total\t'Percentage, the lowest one first; services without data last'
changed\t'Time of the last change of the coverage, the newest one first'
seen\t'Time of the last listing, the newest one first'"
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand list" -l targets -d 'Use the processes that FILE lists, a Prometheus `file_sd` list or what `kubectl get pods -o json` prints; - is standard input; may be given several times' -r -F
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand list" -l explain -d 'Show all details of one service: its schedule with the reason, its addresses, builds and generations' -r
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand list" -l format -d 'Form of the output' -r -f -a "text\t'Table for people'
json\t'JSON for scripts'
prometheus\t'Metrics for the node exporter\'s textfile collector'"
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand list" -s o -l output -d 'Write to this file, which is replaced as a whole' -r -F
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand list" -l root -d 'Work directory: database, stored profiles, configuration' -r -F
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand list" -l center -d 'URL of the goc center; may be given several times' -r
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand list" -l color -d 'Use of colours; `NO_COLOR` has an effect, too' -r -f -a "auto\t'Colours on a terminal, unless `NO_COLOR` is set'
always\t'Colours always'
never\t'No colours'"
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand list" -l all -d 'Show earlier commits that are offline, too; JSON, `--commit` and `--state` always show them'
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand list" -l offline -d 'Ask no center and read no source of targets; show the stored data'
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand list" -l check -d 'Look over the set-up instead, one line for each part; nothing is changed'
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand list" -l sample-config -d 'Print a configuration with every key, all commented out, and nothing else'
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand list" -l trust-root -d 'As root, use a work directory that belongs to another user'
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand list" -s q -l quiet -d 'Print only errors'
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand list" -s v -l verbose -d 'Print more, such as the reason why each service was or was not pulled'
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand list" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand list" -s V -l version -d 'Print version'
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand total" -l env -d 'Choose only among services of this environment; \'\' means none' -r
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand total" -l region -d 'Choose only among services of this region; \'\' means none' -r
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand total" -l branch -d 'Choose only among services of this branch; \'\' means none' -r
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand total" -l commit -d 'Choose the commit that begins with this' -r
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand total" -l carry -d 'Count also what was executed at other commits, in functions whose text is the same there: of each commit of the app that the clone has, the newest stored data, at most AGE old [default AGE: 30d]' -r
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand total" -l carry-from -d 'With --carry: the data that counts, that of the service\'s own environment and region, or that of any' -r -f -a "same\t'The environment and region of the service'
any\t'All environments and regions of the app'"
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand total" -l with -d 'Count also what another run of the same commit executed, such as unit tests: PATH is a profile of go test -coverprofile, or a folder of GOCOVERDIR. LABEL names it [default: its file name]. With --carry, REV may be another commit, at which that run was. May be given several times' -r -F
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand total" -l since -d 'Count as covered only what was executed since a stored row: its number, the name that pull --mark gave it, or the newest row that is at least so old (2h) or was stored by a time (2026-11-30 14:20, in UTC)' -r
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand total" -l fail-on -d 'With --ignore-marked: fail for this reason' -r -f -a "stale-mark\t'A mark whose code was executed, that gives no reason, or that takes out no statement'"
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand total" -l fail-under -d 'Fail if the percentage of all statements is lower, or that of the changed lines in a report of changes. The exact value counts, not the rounded one' -r
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand total" -l max-age -d 'Fail if the last pull with an answer is longer ago' -r
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand total" -l min-replicas -d 'Fail if fewer replicas answered at the last pull' -r
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand total" -l max-drop -d 'Fail if the percentage of all statements is more than POINTS percentage points below that of the commit before on the branch, or below that of the row or service of --against' -r
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand total" -l against -d 'With --max-drop: compare with the row of this number or this name of pull --mark, or with the latest row of this service, of the same app. A group is compared with itself, at the environment, region and commit of such a row (by its number) or service' -r
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand total" -l format -d 'Form of the output' -r -f -a "text\t'Text for people'
json\t'JSON for scripts'"
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand total" -l root -d 'Work directory: database, stored profiles, configuration' -r -F
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand total" -l center -d 'URL of the goc center; may be given several times' -r
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand total" -l color -d 'Use of colours; `NO_COLOR` has an effect, too' -r -f -a "auto\t'Colours on a terminal, unless `NO_COLOR` is set'
always\t'Colours always'
never\t'No colours'"
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand total" -l count-unmeasured -d 'Count also the packages that no stored profile of the service\'s commit contains, as not executed; report --unmeasured lists them. Files that build constraints leave out do not count'
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand total" -l ignore-marked -d 'Leave out the code that comments `// coverage-ignore REASON` mark in the source: a function, a block, or the statements that begin on a line. It counts neither as covered nor at all. The forms func and profile have it still'
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand total" -l trust-root -d 'As root, use a work directory that belongs to another user'
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand total" -s q -l quiet -d 'Print only errors'
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand total" -s v -l verbose -d 'Print more, such as the reason why each service was or was not pulled'
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand total" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand total" -s V -l version -d 'Print version'
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand history" -l env -d 'Choose only among services of this environment; \'\' means none' -r
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand history" -l region -d 'Choose only among services of this region; \'\' means none' -r
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand history" -l branch -d 'Choose only among services of this branch; \'\' means none' -r
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand history" -l commit -d 'Show only rows of commits that begin with this' -r
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand history" -l carry -d 'Count also what was executed at other commits, in functions whose text is the same there: of each commit of the app that the clone has, the newest stored data, at most AGE old [default AGE: 30d]' -r
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand history" -l carry-from -d 'With --carry: the data that counts, that of the service\'s own environment and region, or that of any' -r -f -a "same\t'The environment and region of the service'
any\t'All environments and regions of the app'"
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand history" -l limit -d 'Show only the newest N rows' -r
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand history" -l format -d 'Form of the output' -r -f -a "text\t'Text for people'
json\t'JSON for scripts'"
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand history" -l root -d 'Work directory: database, stored profiles, configuration' -r -F
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand history" -l center -d 'URL of the goc center; may be given several times' -r
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand history" -l color -d 'Use of colours; `NO_COLOR` has an effect, too' -r -f -a "auto\t'Colours on a terminal, unless `NO_COLOR` is set'
always\t'Colours always'
never\t'No colours'"
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand history" -l trust-root -d 'As root, use a work directory that belongs to another user'
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand history" -s q -l quiet -d 'Print only errors'
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand history" -s v -l verbose -d 'Print more, such as the reason why each service was or was not pulled'
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand history" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c goc-watchdog -n "__fish_goc_watchdog_using_subcommand history" -s V -l version -d 'Print version'

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
