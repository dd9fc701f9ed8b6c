//! Line by line diffs of two texts, with the same result as `git diff --unified=0`.
//!
//! Two diffs of the same texts can both be correct and still mark different lines, and people compare a result with the
//! lines that git shows. Crates with git's algorithm differ from git in the steps before and after it. This module
//! makes each choice as git does.
//!
//! ```
//! use goc_watchdog::code::linediff::{Hunk, hunks};
//!
//! let before = b"func f() {\n\tx()\n}\n";
//! let after = b"func f() {\n\tx()\n}\n\nfunc g() {\n\ty()\n}\n";
//! // As git writes it: @@ -3,0 +4,4 @@
//! assert_eq!(hunks(before, after), [Hunk { old_start: 3, old_count: 0, new_start: 4, new_count: 4 }]);
//! ```
//!
//! # The promise
//!
//! For any two texts, [`hunks`] returns the hunks of
//! `git diff --unified=0 --text --no-ext-diff --no-textconv OLD NEW` with git's default settings: the algorithm
//! `myers` without `--minimal`, the indent heuristic, and no option that passes over whitespace. Each hunk has the
//! numbers of its `@@` line. A test of this project compares the hunks of about 1,000 generated pairs with those of
//! the installed git; the pairs are made to reach the heuristics below.
//!
//! # The algorithm
//!
//! Four steps, each named with its source in git:
//!
//! 1. Equal ends of both texts are cut off, in blocks of 1,024 bytes (`trim_common_tail` in `xdiff-interface.c`).
//!    The cut is seen in the result, since step 2 counts lines in the rest alone.
//! 2. Equal lines at the beginning and at the end are set aside. Of the rest, a line that the other text lacks is
//!    marked at once, as is a line that the other text has often and that stands among such lines
//!    (`xdl_trim_ends`, `xdl_cleanup_records` and `xdl_clean_mmatch` in `xdiff/xprepare.c`).
//! 3. The remaining lines go through the linear space variant of the algorithm of E. Myers, "An O(ND) Difference
//!    Algorithm and Its Variations", 1986. After 256 steps or more a good division is taken for the shortest
//!    (`xdl_split` and `xdl_recs_cmp` in `xdiff/xdiffi.c`).
//! 4. A run of marked lines that could stand at several places is moved beside a change of the other text, or else
//!    to where its indentation reads best (`xdl_change_compact` in `xdiff/xdiffi.c`). The weights come from
//!    M. Haggerty's measurements (<https://github.com/mhagger/diff-slider-tools>).
//!
//! # Limits
//!
//! - With context lines git skips step 1, and can mark other lines in rare cases.
//! - Texts are bytes. No text counts as binary, and none as too large; git decides both before it compares.
//! - A text has at most `u32::MAX` lines; a longer one panics.
//! - Renames, attributes, filters and line ends of a work tree are git's business, not that of a diff of two texts.
//! - The result is not always the shortest diff, and need not be the same when the texts are exchanged.
//!
//! Step 3 searches a division for 256 steps, or for roughly as many as the square root of the number of lines, so
//! texts without much in common do not take quadratic time. No function calls itself, so no text exhausts the stack.
//! Memory is a few numbers for each line.
//!
//! The module depends on the crates `foldhash` and `memchr`, and on nothing else of this crate.

mod myers;
mod slide;

use foldhash::{HashMap, HashMapExt as _};
use memchr::memchr_iter;

/// Lines of one text that replace lines of another.
///
/// The numbers are those of a hunk's `@@ -old_start,old_count +new_start,new_count @@`, where context lines are
/// left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hunk {
    /// The first removed line, or the line after which lines were added; from 1.
    pub old_start: u32,
    /// Number of removed lines.
    pub old_count: u32,
    /// The first added line, or the line after which lines were removed; from 1.
    pub new_start: u32,
    /// Number of added lines.
    pub new_count: u32,
}

/// Returns the hunks that turn `before` into `after`, in order, as in `git diff --unified=0`.
///
/// A line ends after its `\n`. Bytes after the last `\n` are a line, too, and differ from the same bytes with one.
#[must_use]
pub fn hunks(before: &[u8], after: &[u8]) -> Vec<Hunk> {
    let (before, after) = without_common_end(before, after);
    let (before, after) = (lines(before), lines(after));
    let (mut went, mut came) = marked(&before, &after);
    slide::slide_runs(&before, &mut went, &came);
    slide::slide_runs(&after, &mut came, &went);
    hunks_of_marks(&went, &came)
}

/// Cuts off the common end of both texts, in whole blocks as git does. The cut matters, because occurrences of a line
/// are counted only in the rest.
fn without_common_end<'t>(before: &'t [u8], after: &'t [u8]) -> (&'t [u8], &'t [u8]) {
    const BLOCK: usize = 1024;
    let blocks = before.rchunks_exact(BLOCK).zip(after.rchunks_exact(BLOCK));
    let common = blocks.take_while(|(one, other)| one == other).count() * BLOCK;
    let end = &before[before.len() - common..];
    // The line at the cut stays complete.
    let kept = end.iter().position(|&byte| byte == b'\n').map_or(common, |at| at + 1);
    let cut = common - kept;
    (&before[..before.len() - cut], &after[..after.len() - cut])
}

fn lines(text: &[u8]) -> Vec<&[u8]> {
    let mut begin = 0;
    let mut lines = Vec::with_capacity(text.len() / 24);
    for end in memchr_iter(b'\n', text) {
        lines.push(&text[begin..=end]);
        begin = end + 1;
    }
    if begin < text.len() {
        lines.push(&text[begin..]);
    }
    lines
}

/// Marks the removed lines of `before`, and the added lines of `after`.
fn marked(before: &[&[u8]], after: &[&[u8]]) -> (Vec<bool>, Vec<bool>) {
    let pairs = before.iter().zip(after);
    let head = pairs.take_while(|(one, other)| one == other).count();
    let pairs = before[head..].iter().rev().zip(after[head..].iter().rev());
    let tail = pairs.take_while(|(one, other)| one == other).count();
    let (inner_before, inner_after) = (head..before.len() - tail, head..after.len() - tail);
    let (mut went, mut came) = (vec![false; before.len()], vec![false; after.len()]);
    went[inner_before.clone()].fill(true);
    came[inner_after.clone()].fill(true);
    if inner_before.is_empty() || inner_after.is_empty() {
        return (went, came);
    }

    let mut classes = LineClasses::with_capacity(inner_before.len() + inner_after.len());
    let ids_before = classes.ids(&before[inner_before.clone()], |count| &mut count.before);
    let ids_after = classes.ids(&after[inner_after], |count| &mut count.after);
    classes.count_in_both(&before[..head]);
    classes.count_in_both(&before[inner_before.end..]);
    let counts = &classes.counts;
    let kept_before = kept(&ids_before, |id| counts[id as usize].after, before.len());
    let kept_after = kept(&ids_after, |id| counts[id as usize].before, after.len());

    let ids_of = |kept: &[usize], ids: &[u32]| kept.iter().map(|&at| ids[at]).collect::<Vec<_>>();
    let (stays_before, stays_after) =
        myers::unchanged(&ids_of(&kept_before, &ids_before), &ids_of(&kept_after, &ids_after));
    for (marks, kept, stays) in [(&mut went, kept_before, stays_before), (&mut came, kept_after, stays_after)]
    {
        for (at, stays) in kept.into_iter().zip(stays) {
            marks[head + at] = !stays;
        }
    }
    (went, came)
}

/// Number of times that a line is in each text.
#[derive(Clone, Copy, Default)]
struct LineCount {
    before: u32,
    after: u32,
}

/// The numbers of lines. Equal lines have the same number.
struct LineClasses<'t> {
    ids: HashMap<&'t [u8], u32>,
    counts: Vec<LineCount>,
}

impl<'t> LineClasses<'t> {
    fn with_capacity(lines: usize) -> Self {
        Self { ids: HashMap::with_capacity(lines), counts: Vec::with_capacity(lines) }
    }

    /// Returns the number of each line, and counts it.
    fn ids(&mut self, lines: &[&'t [u8]], counted: impl Fn(&mut LineCount) -> &mut u32) -> Vec<u32> {
        let counts = &mut self.counts;
        let id = |line: &&'t [u8]| {
            let id = *self.ids.entry(line).or_insert_with(|| {
                counts.push(LineCount::default());
                u32::try_from(counts.len() - 1).expect("a text has fewer lines")
            });
            *counted(&mut counts[id as usize]) += 1;
            id
        };
        lines.iter().map(id).collect()
    }

    /// Counts those of these lines that have numbers already.
    fn count_in_both(&mut self, lines: &[&'t [u8]]) {
        for id in lines.iter().filter_map(|line| self.ids.get(line)) {
            let LineCount { before, after } = &mut self.counts[*id as usize];
            *before += 1;
            *after += 1;
        }
    }
}

/// The number of equal lines in the other text.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Occurrence {
    /// No line.
    None,
    /// Few lines.
    Few,
    /// So many lines that none of them is evidence, such as a brace.
    Many,
}

/// Returns the indices of the lines to compare. Lines that the other text lacks are left out, and so are lines that it
/// has often if they are among lines that it lacks.
fn kept(ids: &[u32], in_other: impl Fn(u32) -> u32, total_lines: usize) -> Vec<usize> {
    const MOST: u32 = 1024;
    let many = rough_root(total_lines).min(MOST);
    let matches: Vec<Occurrence> = ids
        .iter()
        .map(|&id| match in_other(id) {
            0 => Occurrence::None,
            number if number >= many => Occurrence::Many,
            _ => Occurrence::Few,
        })
        .collect();
    let is_kept = |at: &usize| match matches[*at] {
        Occurrence::None => false,
        Occurrence::Few => true,
        Occurrence::Many => !misleads(&matches, *at),
    };
    (0..ids.len()).filter(is_kept).collect()
}

/// Tells whether a line that the other text has often is surrounded by lines that it lacks.
fn misleads(matches: &[Occurrence], at: usize) -> bool {
    const WINDOW: usize = 100;
    const WEIGHT_OF_MANY: usize = 4;
    let run = |side: &mut dyn Iterator<Item = &Occurrence>| {
        let near = side.take(WINDOW).take_while(|near| **near != Occurrence::Few);
        near.fold((0, 0), |(none, many), near| match near {
            Occurrence::None => (none + 1, many),
            _ => (none, many + 1),
        })
    };
    let (none_above, many_above) = run(&mut matches[..at].iter().rev());
    let (none_below, many_below) = run(&mut matches[at + 1..].iter());
    // The line itself counts once for each side.
    let many = many_above + many_below + 2;
    none_above > 0 && none_below > 0 && many * WEIGHT_OF_MANY < many + none_above + none_below
}

/// Returns roughly the square root of a number: the power of two with half as many binary digits, rounded up.
fn rough_root(number: usize) -> u32 {
    1 << (usize::BITS - number.leading_zeros()).div_ceil(2)
}

fn hunks_of_marks(went: &[bool], came: &[bool]) -> Vec<Hunk> {
    let number = |index: usize| u32::try_from(index).expect("a text has fewer lines");
    let run = |marks: &[bool], from: usize| marks[from..].iter().take_while(|&&mark| mark).count();
    // A run of no lines has the number of the line before it, as in git's headers.
    let start = |from: usize, count: usize| number(from + usize::from(count > 0));
    let (mut old, mut new) = (0, 0);
    let mut hunks = Vec::new();
    while old < went.len() || new < came.len() {
        let (old_count, new_count) = (run(went, old), run(came, new));
        if old_count + new_count == 0 {
            old += 1;
            new += 1;
            continue;
        }
        hunks.push(Hunk {
            old_start: start(old, old_count),
            old_count: number(old_count),
            new_start: start(new, new_count),
            new_count: number(new_count),
        });
        old += old_count;
        new += new_count;
    }
    hunks
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Returns hunks in the form of the headers of `git diff`: `old_start,old_count new_start,new_count`.
    fn headers(before: &str, after: &str) -> Vec<String> {
        let header = |hunk: &Hunk| {
            let Hunk { old_start, old_count, new_start, new_count } = hunk;
            format!("{old_start},{old_count} {new_start},{new_count}")
        };
        hunks(before.as_bytes(), after.as_bytes()).iter().map(header).collect()
    }

    #[test]
    fn lines_that_went_and_came_are_numbered_as_in_a_diff() {
        assert_eq!(headers("", ""), [""; 0]);
        assert_eq!(headers("a\nb\n", "a\nb\n"), [""; 0]);
        assert_eq!(headers("", "a\nb\n"), ["0,0 1,2"]);
        assert_eq!(headers("a\nb\n", ""), ["1,2 0,0"]);
        assert_eq!(headers("a\nb\nc\n", "a\nx\ny\nc\nd\n"), ["2,1 2,2", "3,0 5,1"]);
        assert_eq!(headers("a\nb\nc\n", "b\nc\n"), ["1,1 0,0"]);
        assert_eq!(headers("a\nb\nc\n", "a\n"), ["2,2 1,0"]);
    }

    #[test]
    fn a_line_without_an_end_is_another_line() {
        assert_eq!(headers("a\nb", "a\nb\n"), ["2,1 2,1"]);
        assert_eq!(headers("a\nb\n", "a\nb\n\n"), ["2,0 3,1"]);
    }

    #[test]
    fn what_could_be_marked_at_several_places_is_marked_where_it_reads_best() {
        let (f, g) = ("func f() {\n\tx()\n}\n", "func g() {\n\tx()\n}\n");
        // Lines 5 to 8: all of g and the blank line after it, not the last line of f, a blank and a part of g.
        assert_eq!(headers(&format!("{f}\n{f}"), &format!("{f}\n{g}\n{f}")), ["4,0 5,4"]);
        // The run is at the lowest place if no place is better.
        assert_eq!(headers("a\na\n", "a\na\na\n"), ["2,0 3,1"]);
        // The run is beside a change of the other text.
        assert_eq!(headers("a\na\nb\n", "a\na\na\nc\n"), ["3,1 3,2"]);
    }

    fn text() -> impl Strategy<Value = String> {
        prop::collection::vec("[ab]?|\t?[{}]", 0..30).prop_map(|lines| lines.join("\n"))
    }

    proptest! {
        #[test]
        fn putting_in_what_came_for_what_went_makes_one_text_the_other(before in text(), after in text()) {
            let (old, new) = (lines(before.as_bytes()), lines(after.as_bytes()));
            let mut made: Vec<&[u8]> = Vec::new();
            let mut taken = 0;
            for Hunk { old_start, old_count, new_start, new_count } in hunks(before.as_bytes(), after.as_bytes()) {
                let first = |start: u32, count: u32| start as usize - usize::from(count > 0);
                let (from, came) = (first(old_start, old_count), first(new_start, new_count));
                made.extend(&old[taken..from]);
                prop_assert_eq!(made.len(), came);
                made.extend(&new[came..came + new_count as usize]);
                taken = from + old_count as usize;
            }
            made.extend(&old[taken..]);
            prop_assert_eq!(made, new);
        }
    }
}
