
using namespace System.Management.Automation
using namespace System.Management.Automation.Language

Register-ArgumentCompleter -Native -CommandName 'goc-watchdog' -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)

    $commandElements = $commandAst.CommandElements
    $command = @(
        'goc-watchdog'
        for ($i = 1; $i -lt $commandElements.Count; $i++) {
            $element = $commandElements[$i]
            if ($element -isnot [StringConstantExpressionAst] -or
                $element.StringConstantType -ne [StringConstantType]::BareWord -or
                $element.Value.StartsWith('-') -or
                $element.Value -eq $wordToComplete) {
                break
        }
        $element.Value
    }) -join ';'

    $completions = @(switch ($command) {
        'goc-watchdog' {
            [CompletionResult]::new('--root', '--root', [CompletionResultType]::ParameterName, 'Work directory: database, stored profiles, configuration')
            [CompletionResult]::new('--center', '--center', [CompletionResultType]::ParameterName, 'URL of the goc center; may be given several times')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Use of colours; `NO_COLOR` has an effect, too')
            [CompletionResult]::new('--trust-root', '--trust-root', [CompletionResultType]::ParameterName, 'As root, use a work directory that belongs to another user')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print only errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print only errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Print more, such as the reason why each service was or was not pulled')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Print more, such as the reason why each service was or was not pulled')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('pull', 'pull', [CompletionResultType]::ParameterValue, 'Pull, merge and store the coverage of running services')
            [CompletionResult]::new('prune', 'prune', [CompletionResultType]::ParameterValue, 'Remove dead addresses from the centers'' lists, and drop old profiles')
            [CompletionResult]::new('report', 'report', [CompletionResultType]::ParameterValue, 'Report the coverage of a service: function by function, for people, or in a form for other tools')
            [CompletionResult]::new('list', 'list', [CompletionResultType]::ParameterValue, 'List the services with their coverage, their state and the age of their data')
            [CompletionResult]::new('total', 'total', [CompletionResultType]::ParameterValue, 'Print the coverage of a service as one number')
            [CompletionResult]::new('history', 'history', [CompletionResultType]::ParameterValue, 'Show the coverage of a service over time, row by row')
            break
        }
        'goc-watchdog;pull' {
            [CompletionResult]::new('--targets', '--targets', [CompletionResultType]::ParameterName, 'Ask the processes that FILE lists, a Prometheus `file_sd` list or what `kubectl get pods -o json` prints; - is standard input; may be given several times')
            [CompletionResult]::new('--address', '--address', [CompletionResultType]::ParameterName, 'Pull only this address and store its data under SERVICE, even if it is not listed there; with --to-inbox, save its data')
            [CompletionResult]::new('--to-inbox', '--to-inbox', [CompletionResultType]::ParameterName, 'Save the profile of the process on this host in DIR, for a later pull; a hook for the end of a pod')
            [CompletionResult]::new('--service', '--service', [CompletionResultType]::ParameterName, 'With --to-inbox: the registered name of the process [default: `GOC_SERVICE_NAME`, in this environment or in that of the process; else made of `POD_NAMESPACE`, `POD_APP` and what its agent tells]')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'With --raw: write to this file, which is replaced as a whole')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'With --raw: write to this file, which is replaced as a whole')
            [CompletionResult]::new('--adopt', '--adopt', [CompletionResultType]::ParameterName, 'Adopt the build with this fingerprint: SERVICE shows its coverage from now on')
            [CompletionResult]::new('--change', '--change', [CompletionResultType]::ParameterName, 'Kind of change that stores a new row')
            [CompletionResult]::new('--jitter', '--jitter', [CompletionResultType]::ParameterName, 'Wait a random time up to this before the run, so that many machines do not pull at the same moment')
            [CompletionResult]::new('--wait', '--wait', [CompletionResultType]::ParameterName, 'Wait while another run holds the lock, up to this time, or without a limit if no time is given; without --wait the run ends with exit code 4')
            [CompletionResult]::new('--ping', '--ping', [CompletionResultType]::ParameterName, 'Ping a dead-man''s switch: URL/start at the start, URL at the end, URL/CODE after another exit code than 0')
            [CompletionResult]::new('--concurrency', '--concurrency', [CompletionResultType]::ParameterName, 'Number of requests at the same time [default: 16]')
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'Time limit of a request with its whole answer [default: 2m]')
            [CompletionResult]::new('--connect-timeout', '--connect-timeout', [CompletionResultType]::ParameterName, 'Time limit for making a connection [default: 5s]')
            [CompletionResult]::new('--read-timeout', '--read-timeout', [CompletionResultType]::ParameterName, 'Longest silence within an answer [default: 20s]')
            [CompletionResult]::new('--deadline', '--deadline', [CompletionResultType]::ParameterName, 'Time limit of the whole run; services that it cuts off stay due [default with --to-inbox: 5s]')
            [CompletionResult]::new('--max-body', '--max-body', [CompletionResultType]::ParameterName, 'Largest size of a decoded answer [default: 256MiB]')
            [CompletionResult]::new('--proxy', '--proxy', [CompletionResultType]::ParameterName, 'Proxy for all requests; proxies of the environment are never used')
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, 'Form of the output')
            [CompletionResult]::new('--root', '--root', [CompletionResultType]::ParameterName, 'Work directory: database, stored profiles, configuration')
            [CompletionResult]::new('--center', '--center', [CompletionResultType]::ParameterName, 'URL of the goc center; may be given several times')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Use of colours; `NO_COLOR` has an effect, too')
            [CompletionResult]::new('-f', '-f', [CompletionResultType]::ParameterName, 'Pull every service, due or not')
            [CompletionResult]::new('--force', '--force', [CompletionResultType]::ParameterName, 'Pull every service, due or not')
            [CompletionResult]::new('--raw', '--raw', [CompletionResultType]::ParameterName, 'Print the unchanged profile of one process; nothing is stored')
            [CompletionResult]::new('--strict', '--strict', [CompletionResultType]::ParameterName, 'With --to-inbox: end with exit code 1 if nothing was saved')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Show the services that would be pulled, with the reasons; nothing is pulled or stored')
            [CompletionResult]::new('--dry-run', '--dry-run', [CompletionResultType]::ParameterName, 'Show the services that would be pulled, with the reasons; nothing is pulled or stored')
            [CompletionResult]::new('--no-peek', '--no-peek', [CompletionResultType]::ParameterName, 'Do not peek at services that are not due')
            [CompletionResult]::new('--trust-root', '--trust-root', [CompletionResultType]::ParameterName, 'As root, use a work directory that belongs to another user')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print only errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print only errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Print more, such as the reason why each service was or was not pulled')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Print more, such as the reason why each service was or was not pulled')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'goc-watchdog;prune' {
            [CompletionResult]::new('--targets', '--targets', [CompletionResultType]::ParameterName, 'Ask the processes that FILE lists, a Prometheus `file_sd` list or what `kubectl get pods -o json` prints; - is standard input; may be given several times')
            [CompletionResult]::new('--confirm-runs', '--confirm-runs', [CompletionResultType]::ParameterName, 'Number of runs in which an address has to fail before it is dead, for every kind of failure')
            [CompletionResult]::new('--confirm-over', '--confirm-over', [CompletionResultType]::ParameterName, 'Time over which an address has to fail before it is dead, for every kind of failure')
            [CompletionResult]::new('--keep', '--keep', [CompletionResultType]::ParameterName, 'Keep the newest N profiles of each service and commit at any age [default: 10]')
            [CompletionResult]::new('--keep-days', '--keep-days', [CompletionResultType]::ParameterName, 'Keep all profiles that are younger than this number of days [default: 30]')
            [CompletionResult]::new('--drop-keys-older-than', '--drop-keys-older-than', [CompletionResultType]::ParameterName, 'Drop also all data of services that no center listed for this time, and data set aside that is so old')
            [CompletionResult]::new('--wait', '--wait', [CompletionResultType]::ParameterName, 'Wait while another run holds the lock, up to this time, or without a limit if no time is given; without --wait the run ends with exit code 4')
            [CompletionResult]::new('--ping', '--ping', [CompletionResultType]::ParameterName, 'Ping a dead-man''s switch: URL/start at the start, URL at the end, URL/CODE after another exit code than 0')
            [CompletionResult]::new('--concurrency', '--concurrency', [CompletionResultType]::ParameterName, 'Number of addresses that are asked at the same time [default: 64]')
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'Time limit for connecting to an address, and for its silence [default: 4s]')
            [CompletionResult]::new('--deadline', '--deadline', [CompletionResultType]::ParameterName, 'Time limit for the work at addresses and centers; addresses that it cuts off stay as they were')
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, 'Form of the output')
            [CompletionResult]::new('--root', '--root', [CompletionResultType]::ParameterName, 'Work directory: database, stored profiles, configuration')
            [CompletionResult]::new('--center', '--center', [CompletionResultType]::ParameterName, 'URL of the goc center; may be given several times')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Use of colours; `NO_COLOR` has an effect, too')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Show the planned actions with their reasons; nothing is removed or stored')
            [CompletionResult]::new('--dry-run', '--dry-run', [CompletionResultType]::ParameterName, 'Show the planned actions with their reasons; nothing is removed or stored')
            [CompletionResult]::new('-f', '-f', [CompletionResultType]::ParameterName, 'Remove dead addresses even if so many died at once that the fault is probably on this side')
            [CompletionResult]::new('--force', '--force', [CompletionResultType]::ParameterName, 'Remove dead addresses even if so many died at once that the fault is probably on this side')
            [CompletionResult]::new('--no-restore', '--no-restore', [CompletionResultType]::ParameterName, 'Do not register removed addresses again when they answer')
            [CompletionResult]::new('--fix-names', '--fix-names', [CompletionResultType]::ParameterName, 'Register addresses with a stale name under their right name only. If that fails, the exit code is 3, and each later run tries again')
            [CompletionResult]::new('--center-only', '--center-only', [CompletionResultType]::ParameterName, 'Clean only the lists of the centers; the stored history does not change')
            [CompletionResult]::new('--retention-only', '--retention-only', [CompletionResultType]::ParameterName, 'Clean only the stored history; no center and no address is asked')
            [CompletionResult]::new('--trust-root', '--trust-root', [CompletionResultType]::ParameterName, 'As root, use a work directory that belongs to another user')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print only errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print only errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Print more, such as the reason why each service was or was not pulled')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Print more, such as the reason why each service was or was not pulled')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'goc-watchdog;report' {
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, 'Form of the report, and the file to write it to; may be given several times [default: func]')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'File for the form without FILE, in place of stdout; with --format site, the folder')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'File for the form without FILE, in place of stdout; with --format site, the folder')
            [CompletionResult]::new('--id', '--id', [CompletionResultType]::ParameterName, 'Report this row of the history instead of the latest')
            [CompletionResult]::new('--commit', '--commit', [CompletionResultType]::ParameterName, 'Report the newest row of this commit; for a service whose name has no commit, the revision of its source')
            [CompletionResult]::new('--include', '--include', [CompletionResultType]::ParameterName, 'Report only files that match this glob by import path, path in the repository, or a folder above; may be given several times')
            [CompletionResult]::new('--exclude', '--exclude', [CompletionResultType]::ParameterName, 'Leave out files that match this glob, even included ones; may be given several times')
            [CompletionResult]::new('--sort', '--sort', [CompletionResultType]::ParameterName, 'With --format text: order of the files')
            [CompletionResult]::new('--limit', '--limit', [CompletionResultType]::ParameterName, 'With --format text: largest number of files, 0 for all [default: 100 on a terminal, else all]')
            [CompletionResult]::new('--base', '--base', [CompletionResultType]::ParameterName, 'With the forms of changes and html: the base of the changes. It is the merge base of this branch, tag or commit with the service''s commit, or `previous` for the previous stored commit, or `parent` for the first parent [default: the merge base with the default branch; for a commit on that branch, the previous stored commit]')
            [CompletionResult]::new('--diff-file', '--diff-file', [CompletionResultType]::ParameterName, 'With the forms of changes and html: read the changes from this unified diff, `-` for stdin')
            [CompletionResult]::new('--against', '--against', [CompletionResultType]::ParameterName, 'With the forms of changes and html: compare each line with another stored state of the app, in the categories of lcov''s differential coverage. The state is the row with this number, or the latest row of this service')
            [CompletionResult]::new('--fail-on', '--fail-on', [CompletionResultType]::ParameterName, 'With --against: fail if unchanged code was executed in the other state and is not in this one')
            [CompletionResult]::new('--fail-under', '--fail-under', [CompletionResultType]::ParameterName, 'Fail if the percentage of all statements is lower; the exact value counts, not the rounded one')
            [CompletionResult]::new('--max-age', '--max-age', [CompletionResultType]::ParameterName, 'Fail if the last pull with an answer is longer ago')
            [CompletionResult]::new('--min-replicas', '--min-replicas', [CompletionResultType]::ParameterName, 'Fail if fewer replicas answered at the last pull')
            [CompletionResult]::new('--root', '--root', [CompletionResultType]::ParameterName, 'Work directory: database, stored profiles, configuration')
            [CompletionResult]::new('--center', '--center', [CompletionResultType]::ParameterName, 'URL of the goc center; may be given several times')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Use of colours; `NO_COLOR` has an effect, too')
            [CompletionResult]::new('--exclude-generated', '--exclude-generated', [CompletionResultType]::ParameterName, 'Leave out files with the comment `// Code generated ... DO NOT EDIT.`')
            [CompletionResult]::new('--exclude-without-source', '--exclude-without-source', [CompletionResultType]::ParameterName, 'Leave out files that the commit lacks, such as files that were written at build time, and symbolic links to no file of the commit. genhtml, which reads lcov, fails at such a file')
            [CompletionResult]::new('--only-changed', '--only-changed', [CompletionResultType]::ParameterName, 'Report only files that changed, in every form. A page of them is small enough for a pull request')
            [CompletionResult]::new('--all', '--all', [CompletionResultType]::ParameterName, 'With --format site: all services. With --format diff: show all missed places, not only the first ones of each file')
            [CompletionResult]::new('--offline', '--offline', [CompletionResultType]::ParameterName, 'Fetch nothing; use only the existing clones')
            [CompletionResult]::new('--trust-root', '--trust-root', [CompletionResultType]::ParameterName, 'As root, use a work directory that belongs to another user')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print only errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print only errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Print more, such as the reason why each service was or was not pulled')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Print more, such as the reason why each service was or was not pulled')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'goc-watchdog;list' {
            [CompletionResult]::new('--targets', '--targets', [CompletionResultType]::ParameterName, 'Ask the processes that FILE lists, a Prometheus `file_sd` list or what `kubectl get pods -o json` prints; - is standard input; may be given several times')
            [CompletionResult]::new('--explain', '--explain', [CompletionResultType]::ParameterName, 'Show all details of one service: its schedule with the reason, its addresses, builds and generations')
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, 'Form of the output')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'Write to this file, which is replaced as a whole')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'Write to this file, which is replaced as a whole')
            [CompletionResult]::new('--root', '--root', [CompletionResultType]::ParameterName, 'Work directory: database, stored profiles, configuration')
            [CompletionResult]::new('--center', '--center', [CompletionResultType]::ParameterName, 'URL of the goc center; may be given several times')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Use of colours; `NO_COLOR` has an effect, too')
            [CompletionResult]::new('--offline', '--offline', [CompletionResultType]::ParameterName, 'Ask no center and read no source of targets; show the stored data')
            [CompletionResult]::new('--trust-root', '--trust-root', [CompletionResultType]::ParameterName, 'As root, use a work directory that belongs to another user')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print only errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print only errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Print more, such as the reason why each service was or was not pulled')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Print more, such as the reason why each service was or was not pulled')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'goc-watchdog;total' {
            [CompletionResult]::new('--fail-under', '--fail-under', [CompletionResultType]::ParameterName, 'Fail if the percentage of all statements is lower; the exact value counts, not the rounded one')
            [CompletionResult]::new('--max-age', '--max-age', [CompletionResultType]::ParameterName, 'Fail if the last pull with an answer is longer ago')
            [CompletionResult]::new('--min-replicas', '--min-replicas', [CompletionResultType]::ParameterName, 'Fail if fewer replicas answered at the last pull')
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, 'Form of the output')
            [CompletionResult]::new('--root', '--root', [CompletionResultType]::ParameterName, 'Work directory: database, stored profiles, configuration')
            [CompletionResult]::new('--center', '--center', [CompletionResultType]::ParameterName, 'URL of the goc center; may be given several times')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Use of colours; `NO_COLOR` has an effect, too')
            [CompletionResult]::new('--trust-root', '--trust-root', [CompletionResultType]::ParameterName, 'As root, use a work directory that belongs to another user')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print only errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print only errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Print more, such as the reason why each service was or was not pulled')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Print more, such as the reason why each service was or was not pulled')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'goc-watchdog;history' {
            [CompletionResult]::new('--commit', '--commit', [CompletionResultType]::ParameterName, 'Show only rows of commits that begin with this')
            [CompletionResult]::new('--limit', '--limit', [CompletionResultType]::ParameterName, 'Show only the newest N rows')
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, 'Form of the output')
            [CompletionResult]::new('--root', '--root', [CompletionResultType]::ParameterName, 'Work directory: database, stored profiles, configuration')
            [CompletionResult]::new('--center', '--center', [CompletionResultType]::ParameterName, 'URL of the goc center; may be given several times')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Use of colours; `NO_COLOR` has an effect, too')
            [CompletionResult]::new('--trust-root', '--trust-root', [CompletionResultType]::ParameterName, 'As root, use a work directory that belongs to another user')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print only errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print only errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Print more, such as the reason why each service was or was not pulled')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Print more, such as the reason why each service was or was not pulled')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
    })

    $completions.Where{ $_.CompletionText -like "$wordToComplete*" } |
        Sort-Object -Property ListItemText
}
