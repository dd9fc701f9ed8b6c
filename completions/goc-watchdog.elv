
use builtin;
use str;

set edit:completion:arg-completer[goc-watchdog] = {|@words|
    fn spaces {|n|
        builtin:repeat $n ' ' | str:join ''
    }
    fn cand {|text desc|
        edit:complex-candidate $text &display=$text' '(spaces (- 14 (wcswidth $text)))$desc
    }
    var command = 'goc-watchdog'
    for word $words[1..-1] {
        if (str:has-prefix $word '-') {
            break
        }
        set command = $command';'$word
    }
    var completions = [
        &'goc-watchdog'= {
            cand --root 'Work directory: database, stored profiles, configuration'
            cand --center 'Goc center to ask; may be given several times'
            cand --color 'When to use colours; `NO_COLOR` is heeded'
            cand -q 'Say nothing but errors'
            cand --quiet 'Say nothing but errors'
            cand -v 'Say more, such as why each service was or was not pulled'
            cand --verbose 'Say more, such as why each service was or was not pulled'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
            cand -V 'Print version'
            cand --version 'Print version'
            cand pull 'Pull, merge and store the coverage of running services'
            cand report 'Report what of a service is covered: function by function, for people, or in a form that other tools read'
            cand list 'List services: where they run, how much is covered, and how that is known'
            cand total 'Print how much of a service is covered, as one number'
            cand history 'Show how the coverage of a service went, row by row'
        }
        &'goc-watchdog;pull'= {
            cand --address 'Pull this address and store what it serves under SERVICE, listed there or not'
            cand -o 'With --raw: write to this file, whole or not at all'
            cand --output 'With --raw: write to this file, whole or not at all'
            cand --adopt 'Let the build with this fingerprint take the place of the one that SERVICE shows'
            cand --change 'What counts as a change'
            cand --jitter 'Wait a random time up to this first, so that many machines do not pull at the same moment'
            cand --concurrency 'How many requests run at the same time [default: 16]'
            cand --timeout 'For one request with its whole answer [default: 2m]'
            cand --connect-timeout 'For a connection to be made [default: 5s]'
            cand --read-timeout 'Longest silence within an answer [default: 20s]'
            cand --deadline 'For the whole run; what it cuts off stays due'
            cand --max-body 'Largest answer, decoded [default: 256MiB]'
            cand --proxy 'Proxy for all requests; those of the environment are never used'
            cand --format 'Form of the output'
            cand --root 'Work directory: database, stored profiles, configuration'
            cand --center 'Goc center to ask; may be given several times'
            cand --color 'When to use colours; `NO_COLOR` is heeded'
            cand -f 'Pull every service, due or not'
            cand --force 'Pull every service, due or not'
            cand --raw 'Print one process''s profile as it is; nothing is stored'
            cand -n 'Show what would be pulled, and why; nothing is pulled or stored'
            cand --dry-run 'Show what would be pulled, and why; nothing is pulled or stored'
            cand --no-peek 'Do not ask services that are not due whether their coverage moved'
            cand -q 'Say nothing but errors'
            cand --quiet 'Say nothing but errors'
            cand -v 'Say more, such as why each service was or was not pulled'
            cand --verbose 'Say more, such as why each service was or was not pulled'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
            cand -V 'Print version'
            cand --version 'Print version'
        }
        &'goc-watchdog;report'= {
            cand --format 'Form of the report, and the file that it goes to; several times for several of them [default: func]'
            cand -o 'Write the form without a file of its own to this one instead of stdout'
            cand --output 'Write the form without a file of its own to this one instead of stdout'
            cand --id 'Report this row of the history instead of the latest'
            cand --commit 'Report the newest row of this commit; of a service whose name tells none, where its source is'
            cand --include 'Only files that this glob fits, by import path, path in the repository, or a folder above; may be repeated'
            cand --exclude 'No files that this glob fits, included or not; may be repeated'
            cand --sort 'With --format text: what comes first'
            cand --limit 'With --format text: at most so many files, 0 for all [default: 100 on a terminal, else all]'
            cand --base 'With the forms of changes: count them from this branch, tag or commit, or from its merge base with this one''s; `previous` is the commit that was stored before, `parent` the first parent [default: the merge base with the default branch, or what came before on that]'
            cand --diff-file 'With the forms of changes: take them from this unified diff, `-` for stdin'
            cand --fail-under 'Fail below this percentage of all statements; exact, not rounded'
            cand --max-age 'Fail when the last pull that got an answer is longer ago'
            cand --min-replicas 'Fail when fewer replicas answered at the last pull'
            cand --root 'Work directory: database, stored profiles, configuration'
            cand --center 'Goc center to ask; may be given several times'
            cand --color 'When to use colours; `NO_COLOR` is heeded'
            cand --exclude-generated 'No files that say `// Code generated ... DO NOT EDIT.`'
            cand --all 'With --format diff: show all places that were missed, not the first ones of each file'
            cand --offline 'Fetch nothing; work from what is here'
            cand -q 'Say nothing but errors'
            cand --quiet 'Say nothing but errors'
            cand -v 'Say more, such as why each service was or was not pulled'
            cand --verbose 'Say more, such as why each service was or was not pulled'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
            cand -V 'Print version'
            cand --version 'Print version'
        }
        &'goc-watchdog;list'= {
            cand --explain 'Show all that is known of one service: its schedule and why, its addresses, builds, generations'
            cand --format 'Form of the output'
            cand --root 'Work directory: database, stored profiles, configuration'
            cand --center 'Goc center to ask; may be given several times'
            cand --color 'When to use colours; `NO_COLOR` is heeded'
            cand --offline 'Ask no center; show what is stored'
            cand -q 'Say nothing but errors'
            cand --quiet 'Say nothing but errors'
            cand -v 'Say more, such as why each service was or was not pulled'
            cand --verbose 'Say more, such as why each service was or was not pulled'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
            cand -V 'Print version'
            cand --version 'Print version'
        }
        &'goc-watchdog;total'= {
            cand --fail-under 'Fail below this percentage of all statements; exact, not rounded'
            cand --max-age 'Fail when the last pull that got an answer is longer ago'
            cand --min-replicas 'Fail when fewer replicas answered at the last pull'
            cand --format 'Form of the output'
            cand --root 'Work directory: database, stored profiles, configuration'
            cand --center 'Goc center to ask; may be given several times'
            cand --color 'When to use colours; `NO_COLOR` is heeded'
            cand -q 'Say nothing but errors'
            cand --quiet 'Say nothing but errors'
            cand -v 'Say more, such as why each service was or was not pulled'
            cand --verbose 'Say more, such as why each service was or was not pulled'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
            cand -V 'Print version'
            cand --version 'Print version'
        }
        &'goc-watchdog;history'= {
            cand --commit 'Only rows of this commit, or of those that begin with it'
            cand --limit 'Only the newest N rows'
            cand --format 'Form of the output'
            cand --root 'Work directory: database, stored profiles, configuration'
            cand --center 'Goc center to ask; may be given several times'
            cand --color 'When to use colours; `NO_COLOR` is heeded'
            cand -q 'Say nothing but errors'
            cand --quiet 'Say nothing but errors'
            cand -v 'Say more, such as why each service was or was not pulled'
            cand --verbose 'Say more, such as why each service was or was not pulled'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
            cand -V 'Print version'
            cand --version 'Print version'
        }
    ]
    $completions[$command]
}
