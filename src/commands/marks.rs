//! The option `--ignore-marked`, and the messages about marks in the source.

use clap::Args;

use crate::commands::{Context, warn};
use crate::coverage::Coverage;
use crate::gate::{Verdict, name_in_coverage};
use crate::names::in_message;
use crate::phrases::count;
use crate::report::marked::{ListedMark, ignored_words, stale};

/// Number of stale marks that are listed without `--verbose`.
const NAMED_MARKS: usize = 5;

/// The option that leaves marked code out.
#[derive(Args, Debug)]
pub(crate) struct MarkArgs {
    /// Leave out the code that comments `// coverage-ignore REASON` mark in the source: a function, a block, or the
    /// statements that begin on a line. It counts neither as covered nor at all. The forms func and profile have it still.
    #[arg(long, conflicts_with_all = ["with", "since"])]
    pub(crate) ignore_marked: bool,
}

impl MarkArgs {
    /// Returns the option as it is given, after a space; empty without it.
    pub(crate) fn shown(&self) -> &'static str {
        if self.ignore_marked { " --ignore-marked" } else { "" }
    }
}

/// Says in each verdict about coverage that marked code does not count.
pub(crate) fn name_marks(verdicts: &mut [Verdict]) {
    name_in_coverage(verdicts, ", without marked code");
}

/// Prints what marks take out of a service or group, and the stale marks.
pub(crate) fn tell<'r>(
    name: &str,
    ignored: Coverage,
    left: Coverage,
    marks: impl Iterator<Item = ListedMark<'r>>,
    context: &Context,
) {
    let marks: Vec<ListedMark<'r>> = marks.collect();
    let words = ignored_words(ignored.total, ignored.total + left.total, marks.len());
    context.tell(format_args!("{}: {words}", in_message(name)));
    let stale: Vec<String> = stale(marks.iter().copied()).collect();
    if stale.is_empty() || context.is_quiet {
        return;
    }
    let shown = if context.is_verbose { stale.len() } else { NAMED_MARKS };
    let mut lines = vec![format!("{}:", count(stale.len(), "stale marks"))];
    lines.extend(stale.iter().take(shown).map(|mark| format!("  {}", in_message(mark))));
    if stale.len() > shown {
        lines.push(format!("  and {} more (--verbose)", stale.len() - shown));
    }
    warn(lines.join("\n"));
}
