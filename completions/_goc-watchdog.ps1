
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
            [CompletionResult]::new('--center', '--center', [CompletionResultType]::ParameterName, 'Goc center to ask; may be given several times')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours; `NO_COLOR` is heeded')
            [CompletionResult]::new('--trust-root', '--trust-root', [CompletionResultType]::ParameterName, 'As root, use a work directory that belongs to another user')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say nothing but errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say nothing but errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say more, such as why each service was or was not pulled')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say more, such as why each service was or was not pulled')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('pull', 'pull', [CompletionResultType]::ParameterValue, 'Pull, merge and store the coverage of running services')
            [CompletionResult]::new('prune', 'prune', [CompletionResultType]::ParameterValue, 'Take dead addresses out of the centers'' lists, and drop old profiles')
            [CompletionResult]::new('report', 'report', [CompletionResultType]::ParameterValue, 'Report what of a service is covered: function by function, for people, or in a form that other tools read')
            [CompletionResult]::new('list', 'list', [CompletionResultType]::ParameterValue, 'List services: where they run, how much is covered, and how that is known')
            [CompletionResult]::new('total', 'total', [CompletionResultType]::ParameterValue, 'Print how much of a service is covered, as one number')
            [CompletionResult]::new('history', 'history', [CompletionResultType]::ParameterValue, 'Show how the coverage of a service went, row by row')
            break
        }
        'goc-watchdog;pull' {
            [CompletionResult]::new('--address', '--address', [CompletionResultType]::ParameterName, 'Pull this address and store what it serves under SERVICE, listed there or not; with --to-inbox, save it')
            [CompletionResult]::new('--to-inbox', '--to-inbox', [CompletionResultType]::ParameterName, 'Save the profile of the process on this host in DIR, for a later pull to take in; what a pod runs before it ends')
            [CompletionResult]::new('--service', '--service', [CompletionResultType]::ParameterName, 'With --to-inbox: the name that the process is registered under [default: `GOC_SERVICE_NAME`, here or in the environment of the process]')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'With --raw: write to this file, whole or not at all')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'With --raw: write to this file, whole or not at all')
            [CompletionResult]::new('--adopt', '--adopt', [CompletionResultType]::ParameterName, 'Let the build with this fingerprint take the place of the one that SERVICE shows')
            [CompletionResult]::new('--change', '--change', [CompletionResultType]::ParameterName, 'Kind of change that stores a new row')
            [CompletionResult]::new('--jitter', '--jitter', [CompletionResultType]::ParameterName, 'Wait a random time up to this first, so that many machines do not pull at the same moment')
            [CompletionResult]::new('--wait', '--wait', [CompletionResultType]::ParameterName, 'Wait while another run holds the lock, up to this long, or without end where no time is given; without --wait the run ends with exit code 4')
            [CompletionResult]::new('--ping', '--ping', [CompletionResultType]::ParameterName, 'Tell a dead-man''s switch at URL: URL/start at the start, URL when done, URL/CODE for another exit code')
            [CompletionResult]::new('--concurrency', '--concurrency', [CompletionResultType]::ParameterName, 'Number of requests at the same time [default: 16]')
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'Time limit of a request with its whole answer [default: 2m]')
            [CompletionResult]::new('--connect-timeout', '--connect-timeout', [CompletionResultType]::ParameterName, 'Time limit for making a connection [default: 5s]')
            [CompletionResult]::new('--read-timeout', '--read-timeout', [CompletionResultType]::ParameterName, 'Longest silence within an answer [default: 20s]')
            [CompletionResult]::new('--deadline', '--deadline', [CompletionResultType]::ParameterName, 'Time limit of the whole run; services that it cuts off stay due [default with --to-inbox: 5s]')
            [CompletionResult]::new('--max-body', '--max-body', [CompletionResultType]::ParameterName, 'Largest answer, decoded [default: 256MiB]')
            [CompletionResult]::new('--proxy', '--proxy', [CompletionResultType]::ParameterName, 'Proxy for all requests; those of the environment are never used')
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, 'Form of the output')
            [CompletionResult]::new('--root', '--root', [CompletionResultType]::ParameterName, 'Work directory: database, stored profiles, configuration')
            [CompletionResult]::new('--center', '--center', [CompletionResultType]::ParameterName, 'Goc center to ask; may be given several times')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours; `NO_COLOR` is heeded')
            [CompletionResult]::new('-f', '-f', [CompletionResultType]::ParameterName, 'Pull every service, due or not')
            [CompletionResult]::new('--force', '--force', [CompletionResultType]::ParameterName, 'Pull every service, due or not')
            [CompletionResult]::new('--raw', '--raw', [CompletionResultType]::ParameterName, 'Print one process''s profile as it is; nothing is stored')
            [CompletionResult]::new('--strict', '--strict', [CompletionResultType]::ParameterName, 'With --to-inbox: end with 1 where nothing was saved')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Show what would be pulled, and why; nothing is pulled or stored')
            [CompletionResult]::new('--dry-run', '--dry-run', [CompletionResultType]::ParameterName, 'Show what would be pulled, and why; nothing is pulled or stored')
            [CompletionResult]::new('--no-peek', '--no-peek', [CompletionResultType]::ParameterName, 'Do not ask services that are not due whether their coverage moved')
            [CompletionResult]::new('--trust-root', '--trust-root', [CompletionResultType]::ParameterName, 'As root, use a work directory that belongs to another user')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say nothing but errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say nothing but errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say more, such as why each service was or was not pulled')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say more, such as why each service was or was not pulled')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'goc-watchdog;prune' {
            [CompletionResult]::new('--confirm-runs', '--confirm-runs', [CompletionResultType]::ParameterName, 'Number of runs in which an address has to fail before it is dead, however it fails')
            [CompletionResult]::new('--confirm-over', '--confirm-over', [CompletionResultType]::ParameterName, 'Time over which an address has to fail before it is dead, however it fails')
            [CompletionResult]::new('--keep', '--keep', [CompletionResultType]::ParameterName, 'Keep the newest N profiles of each service and commit, whatever their age [default: 10]')
            [CompletionResult]::new('--keep-days', '--keep-days', [CompletionResultType]::ParameterName, 'Keep all profiles that are younger than this [default: 30]')
            [CompletionResult]::new('--drop-keys-older-than', '--drop-keys-older-than', [CompletionResultType]::ParameterName, 'Drop also all data of services that nobody listed for so long, and data set aside that is so old')
            [CompletionResult]::new('--wait', '--wait', [CompletionResultType]::ParameterName, 'Wait while another run holds the lock, up to this long, or without end where no time is given; without --wait the run ends with exit code 4')
            [CompletionResult]::new('--ping', '--ping', [CompletionResultType]::ParameterName, 'Tell a dead-man''s switch at URL: URL/start at the start, URL when done, URL/CODE for another exit code')
            [CompletionResult]::new('--concurrency', '--concurrency', [CompletionResultType]::ParameterName, 'Number of addresses that are asked at the same time [default: 64]')
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'Time limit for making a connection to an address, and for a silence of it [default: 4s]')
            [CompletionResult]::new('--deadline', '--deadline', [CompletionResultType]::ParameterName, 'Time limit for the work at addresses and centers; addresses that it cuts off stay as they were')
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, 'Form of the output')
            [CompletionResult]::new('--root', '--root', [CompletionResultType]::ParameterName, 'Work directory: database, stored profiles, configuration')
            [CompletionResult]::new('--center', '--center', [CompletionResultType]::ParameterName, 'Goc center to ask; may be given several times')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours; `NO_COLOR` is heeded')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Show what would be done, and why; nothing is removed or remembered')
            [CompletionResult]::new('--dry-run', '--dry-run', [CompletionResultType]::ParameterName, 'Show what would be done, and why; nothing is removed or remembered')
            [CompletionResult]::new('-f', '-f', [CompletionResultType]::ParameterName, 'Remove dead addresses even where so many died at once that the fault is likely on this side')
            [CompletionResult]::new('--force', '--force', [CompletionResultType]::ParameterName, 'Remove dead addresses even where so many died at once that the fault is likely on this side')
            [CompletionResult]::new('--no-restore', '--no-restore', [CompletionResultType]::ParameterName, 'Do not register removed addresses again that answer now')
            [CompletionResult]::new('--fix-names', '--fix-names', [CompletionResultType]::ParameterName, 'Register addresses that also stand under a name that is not theirs any more under the right one alone; a run that cannot ends with 3, and each later one tries again')
            [CompletionResult]::new('--center-only', '--center-only', [CompletionResultType]::ParameterName, 'Clean the lists of the centers alone; the stored history stays as it is')
            [CompletionResult]::new('--retention-only', '--retention-only', [CompletionResultType]::ParameterName, 'Clean the stored history alone; no center and no address is asked')
            [CompletionResult]::new('--trust-root', '--trust-root', [CompletionResultType]::ParameterName, 'As root, use a work directory that belongs to another user')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say nothing but errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say nothing but errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say more, such as why each service was or was not pulled')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say more, such as why each service was or was not pulled')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'goc-watchdog;report' {
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, 'Form of the report, and the file that it goes to; several times for several of them [default: func]')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'Write the form without a file of its own to this one instead of stdout; with --format site the folder')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'Write the form without a file of its own to this one instead of stdout; with --format site the folder')
            [CompletionResult]::new('--id', '--id', [CompletionResultType]::ParameterName, 'Report this row of the history instead of the latest')
            [CompletionResult]::new('--commit', '--commit', [CompletionResultType]::ParameterName, 'Report the newest row of this commit; for a service whose name has no commit, the revision of its source')
            [CompletionResult]::new('--include', '--include', [CompletionResultType]::ParameterName, 'Report only files that this glob fits, by import path, path in the repository, or a folder above; may be repeated')
            [CompletionResult]::new('--exclude', '--exclude', [CompletionResultType]::ParameterName, 'Leave out files that this glob fits, included or not; may be repeated')
            [CompletionResult]::new('--sort', '--sort', [CompletionResultType]::ParameterName, 'With --format text: order of the files')
            [CompletionResult]::new('--limit', '--limit', [CompletionResultType]::ParameterName, 'With --format text: at most so many files, 0 for all [default: 100 on a terminal, else all]')
            [CompletionResult]::new('--base', '--base', [CompletionResultType]::ParameterName, 'With the forms of changes and html: count them from this branch, tag or commit, or from its merge base with this one''s; `previous` is the commit that was stored before, `parent` the first parent [default: the merge base with the default branch; for a commit on that branch, the commit stored before]')
            [CompletionResult]::new('--diff-file', '--diff-file', [CompletionResultType]::ParameterName, 'With the forms of changes and html: take them from this unified diff, `-` for stdin')
            [CompletionResult]::new('--against', '--against', [CompletionResultType]::ParameterName, 'With the forms of changes and html: hold each line against another stored state of the app, the row with this number or the latest of this service, in the categories of lcov''s differential coverage')
            [CompletionResult]::new('--fail-on', '--fail-on', [CompletionResultType]::ParameterName, 'With --against: fail when unchanged code was executed there, and is not here')
            [CompletionResult]::new('--fail-under', '--fail-under', [CompletionResultType]::ParameterName, 'Fail below this percentage of all statements; exact, not rounded')
            [CompletionResult]::new('--max-age', '--max-age', [CompletionResultType]::ParameterName, 'Fail when the last pull that got an answer is longer ago')
            [CompletionResult]::new('--min-replicas', '--min-replicas', [CompletionResultType]::ParameterName, 'Fail when fewer replicas answered at the last pull')
            [CompletionResult]::new('--root', '--root', [CompletionResultType]::ParameterName, 'Work directory: database, stored profiles, configuration')
            [CompletionResult]::new('--center', '--center', [CompletionResultType]::ParameterName, 'Goc center to ask; may be given several times')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours; `NO_COLOR` is heeded')
            [CompletionResult]::new('--exclude-generated', '--exclude-generated', [CompletionResultType]::ParameterName, 'Leave out files that say `// Code generated ... DO NOT EDIT.`')
            [CompletionResult]::new('--exclude-without-source', '--exclude-without-source', [CompletionResultType]::ParameterName, 'Leave out files that the commit lacks, such as those written at build time and links that lead to none of its files; genhtml, which reads lcov, stops at such a file')
            [CompletionResult]::new('--only-changed', '--only-changed', [CompletionResultType]::ParameterName, 'Only files that changed, in every form: a page of them is small enough for a pull request')
            [CompletionResult]::new('--all', '--all', [CompletionResultType]::ParameterName, 'With --format site: of all services. With --format diff: show all places that were missed, not the first ones of each file')
            [CompletionResult]::new('--offline', '--offline', [CompletionResultType]::ParameterName, 'Fetch nothing; use the clones that are here')
            [CompletionResult]::new('--trust-root', '--trust-root', [CompletionResultType]::ParameterName, 'As root, use a work directory that belongs to another user')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say nothing but errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say nothing but errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say more, such as why each service was or was not pulled')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say more, such as why each service was or was not pulled')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'goc-watchdog;list' {
            [CompletionResult]::new('--explain', '--explain', [CompletionResultType]::ParameterName, 'Show all that is known of one service: its schedule and why, its addresses, builds, generations')
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, 'Form of the output')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'Write to this file, whole or not at all')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'Write to this file, whole or not at all')
            [CompletionResult]::new('--root', '--root', [CompletionResultType]::ParameterName, 'Work directory: database, stored profiles, configuration')
            [CompletionResult]::new('--center', '--center', [CompletionResultType]::ParameterName, 'Goc center to ask; may be given several times')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours; `NO_COLOR` is heeded')
            [CompletionResult]::new('--offline', '--offline', [CompletionResultType]::ParameterName, 'Ask no center; show what is stored')
            [CompletionResult]::new('--trust-root', '--trust-root', [CompletionResultType]::ParameterName, 'As root, use a work directory that belongs to another user')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say nothing but errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say nothing but errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say more, such as why each service was or was not pulled')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say more, such as why each service was or was not pulled')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'goc-watchdog;total' {
            [CompletionResult]::new('--fail-under', '--fail-under', [CompletionResultType]::ParameterName, 'Fail below this percentage of all statements; exact, not rounded')
            [CompletionResult]::new('--max-age', '--max-age', [CompletionResultType]::ParameterName, 'Fail when the last pull that got an answer is longer ago')
            [CompletionResult]::new('--min-replicas', '--min-replicas', [CompletionResultType]::ParameterName, 'Fail when fewer replicas answered at the last pull')
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, 'Form of the output')
            [CompletionResult]::new('--root', '--root', [CompletionResultType]::ParameterName, 'Work directory: database, stored profiles, configuration')
            [CompletionResult]::new('--center', '--center', [CompletionResultType]::ParameterName, 'Goc center to ask; may be given several times')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours; `NO_COLOR` is heeded')
            [CompletionResult]::new('--trust-root', '--trust-root', [CompletionResultType]::ParameterName, 'As root, use a work directory that belongs to another user')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say nothing but errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say nothing but errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say more, such as why each service was or was not pulled')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say more, such as why each service was or was not pulled')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'goc-watchdog;history' {
            [CompletionResult]::new('--commit', '--commit', [CompletionResultType]::ParameterName, 'Only rows of this commit, or of those that begin with it')
            [CompletionResult]::new('--limit', '--limit', [CompletionResultType]::ParameterName, 'Only the newest N rows')
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, 'Form of the output')
            [CompletionResult]::new('--root', '--root', [CompletionResultType]::ParameterName, 'Work directory: database, stored profiles, configuration')
            [CompletionResult]::new('--center', '--center', [CompletionResultType]::ParameterName, 'Goc center to ask; may be given several times')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours; `NO_COLOR` is heeded')
            [CompletionResult]::new('--trust-root', '--trust-root', [CompletionResultType]::ParameterName, 'As root, use a work directory that belongs to another user')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say nothing but errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say nothing but errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say more, such as why each service was or was not pulled')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say more, such as why each service was or was not pulled')
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
