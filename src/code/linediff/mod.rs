//! Which lines of a text stand in for others: the same that `git diff --unified=0` marks.
//!
//! Two diffs of the same texts can both be right and mark other lines, and people hold a report against what git
//! shows. So each choice here is the one that git makes by default (its `xdiff`): what both texts end with is
//! set aside, lines that would only mislead are taken out, the rest goes through the algorithm of E. Myers
//! ("An O(ND) Difference Algorithm and Its Variations", 1986), and what changed is moved to where it reads best.

mod myers;
mod slide;

use foldhash::{HashMap, HashMapExt as _};
use memchr::memchr_iter;

use crate::code::patch::Hunk;

/// Returns what has to be done to `before` to make it `after`, as `git diff --unified=0` has it.
///
/// A line ends after its `\n`; what follows the last one is a line, too, and not the same as one that ends. Texts of
/// more than `u32::MAX` lines are not expected.
#[must_use]
pub fn hunks(before: &[u8], after: &[u8]) -> Vec<Hunk> {
    let (before, after) = without_common_end(before, after);
    let (before, after) = (lines(before), lines(after));
    let (mut went, mut came) = changed(&before, &after);
    slide::settle(&before, &mut went, &came);
    slide::settle(&after, &mut came, &went);
    collected(&went, &came)
}

/// Cuts off what both texts end with, in whole blocks from the end as git does: how often a line is in a text is
/// counted in what is left.
fn without_common_end<'t>(before: &'t [u8], after: &'t [u8]) -> (&'t [u8], &'t [u8]) {
    const BLOCK: usize = 1024;
    let blocks = before.rchunks_exact(BLOCK).zip(after.rchunks_exact(BLOCK));
    let common = blocks.take_while(|(one, other)| one == other).count() * BLOCK;
    let end = &before[before.len() - common..];
    // The line that the cut would go through is left whole.
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

/// Returns for each line whether it went, and whether it came.
fn changed(before: &[&[u8]], after: &[&[u8]]) -> (Vec<bool>, Vec<bool>) {
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

    let mut classes = Classes::with_capacity(inner_before.len() + inner_after.len());
    let ids_before = classes.of(&before[inner_before.clone()], |count| &mut count.before);
    let ids_after = classes.of(&after[inner_after], |count| &mut count.after);
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

/// How often a line is in each text.
#[derive(Clone, Copy, Default)]
struct Count {
    before: u32,
    after: u32,
}

/// Numbers for lines, so that the same have the same.
struct Classes<'t> {
    ids: HashMap<&'t [u8], u32>,
    counts: Vec<Count>,
}

impl<'t> Classes<'t> {
    fn with_capacity(lines: usize) -> Self {
        Self { ids: HashMap::with_capacity(lines), counts: Vec::with_capacity(lines) }
    }

    fn of(&mut self, lines: &[&'t [u8]], counted: impl Fn(&mut Count) -> &mut u32) -> Vec<u32> {
        let counts = &mut self.counts;
        let id = |line: &&'t [u8]| {
            let id = *self.ids.entry(line).or_insert_with(|| {
                counts.push(Count::default());
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
            let Count { before, after } = &mut self.counts[*id as usize];
            *before += 1;
            *after += 1;
        }
    }
}

/// What a line is to the other text.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Match {
    /// It is nowhere there.
    None,
    /// It is in a few places.
    Few,
    /// It is in so many places that it tells nothing, such as a brace.
    Many,
}

/// Returns the places of the lines that are compared: not those that the other text does not have, nor those that it
/// has often, where they stand among lines that it does not have.
fn kept(ids: &[u32], in_other: impl Fn(u32) -> u32, total_lines: usize) -> Vec<usize> {
    const MOST: u32 = 1024;
    let many = root(total_lines).min(MOST);
    let matches: Vec<Match> = ids
        .iter()
        .map(|&id| match in_other(id) {
            0 => Match::None,
            number if number >= many => Match::Many,
            _ => Match::Few,
        })
        .collect();
    let is_kept = |at: &usize| match matches[*at] {
        Match::None => false,
        Match::Few => true,
        Match::Many => !misleads(&matches, *at),
    };
    (0..ids.len()).filter(is_kept).collect()
}

/// Tells whether a line that the other text has often is surrounded by lines that it does not have.
fn misleads(matches: &[Match], at: usize) -> bool {
    const WINDOW: usize = 100;
    const WEIGHT_OF_MANY: usize = 4;
    let run = |side: &mut dyn Iterator<Item = &Match>| {
        let near = side.take(WINDOW).take_while(|near| **near != Match::Few);
        near.fold((0, 0), |(none, many), near| match near {
            Match::None => (none + 1, many),
            _ => (none, many + 1),
        })
    };
    let (none_above, many_above) = run(&mut matches[..at].iter().rev());
    let (none_below, many_below) = run(&mut matches[at + 1..].iter());
    // The line itself counts once for each side.
    let many = many_above + many_below + 2;
    none_above > 0 && none_below > 0 && many * WEIGHT_OF_MANY < many + none_above + none_below
}

/// Returns about the square root of a number: the power of two that has half as many binary digits, rounded up.
fn root(number: usize) -> u32 {
    1 << (usize::BITS - number.leading_zeros()).div_ceil(2)
}

fn collected(went: &[bool], came: &[bool]) -> Vec<Hunk> {
    let number = |index: usize| u32::try_from(index).expect("a text has fewer lines");
    let run = |marks: &[bool], from: usize| marks[from..].iter().take_while(|&&mark| mark).count();
    // A run of no lines is named by the line before it.
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

    /// As `git diff` has them in its headers: `old_start,old_count new_start,new_count`.
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
        // At the lowest place where nothing tells.
        assert_eq!(headers("a\na\n", "a\na\na\n"), ["2,0 3,1"]);
        // Beside what changed in the other text.
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
