//! The authors of lines, as git tells them.

use std::cmp::Reverse;
use std::collections::HashMap;

use chrono::{DateTime, Utc};

/// Lines of one commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AuthoredLines {
    pub(crate) first: u32,
    pub(crate) last: u32,
    pub(crate) author: String,
    /// The time at which the author wrote them.
    pub(crate) at: DateTime<Utc>,
}

/// The authors of some lines of files, as far as they are known.
#[derive(Clone, Debug, Default)]
pub(crate) struct Blame {
    /// The lines of each file by its path in the repository.
    pub(crate) files: HashMap<String, Vec<AuthoredLines>>,
}

/// The part of an author in some lines.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Authorship<'b> {
    /// `None` where nobody is known.
    pub(crate) author: Option<&'b str>,
    /// Number of the author's lines.
    pub(crate) lines: u32,
    /// The last time at which the author wrote one of them.
    pub(crate) at: Option<DateTime<Utc>>,
}

impl Blame {
    /// Returns the authors of some lines of a file, which ascend; those of most lines first.
    #[must_use]
    pub(crate) fn authors_of(&self, path: &str, of: &[u32]) -> Vec<Authorship<'_>> {
        let mut authors: Vec<Authorship<'_>> = Vec::new();
        let count = |lines: &[u32]| u32::try_from(lines.len()).unwrap_or(u32::MAX);
        let mut unknown = count(of);
        for lines in self.files.get(path).into_iter().flatten() {
            let from = of.partition_point(|line| *line < lines.first);
            let to = of.partition_point(|line| *line <= lines.last);
            let number = of.get(from..to).map_or(0, count);
            if number == 0 {
                continue;
            }
            unknown = unknown.saturating_sub(number);
            match authors.iter_mut().find(|known| known.author == Some(&lines.author)) {
                Some(known) => {
                    known.lines += number;
                    known.at = known.at.max(Some(lines.at));
                }
                None => authors.push(Authorship {
                    author: Some(&lines.author),
                    lines: number,
                    at: Some(lines.at),
                }),
            }
        }
        if unknown > 0 {
            authors.push(Authorship { author: None, lines: unknown, at: None });
        }
        // Lines of nobody stand last.
        let rank = |it: &Authorship<'_>| (it.author.is_none(), Reverse(it.lines));
        authors.sort_by(|a, b| rank(a).cmp(&rank(b)).then_with(|| a.author.cmp(&b.author)));
        authors
    }
}

/// The facts about a commit, which git tells once.
#[derive(Clone, Debug, Default)]
struct BlamedCommit {
    author: String,
    at: DateTime<Utc>,
    /// Its parents are not in the repository, or it has none.
    is_boundary: bool,
}

/// Reads what `git blame --incremental` prints: for each run of lines `<hash> <line there> <line here> <number>`, then
/// facts about the commit, which come only once, then the file name. In a shallow history the lines of a boundary may be
/// of any earlier commit, so they are left out.
pub(crate) fn authored_lines(printed: &str, is_shallow: bool) -> Vec<AuthoredLines> {
    let mut commits: HashMap<&str, BlamedCommit> = HashMap::new();
    let mut runs = Vec::new();
    let mut current = "";
    for line in printed.lines() {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        if let Some((first, number)) = lines_of_run(rest).filter(|_| is_hash(word)) {
            current = word;
            commits.entry(current).or_default();
            runs.push((current, first, number));
            continue;
        }
        let Some(commit) = commits.get_mut(current) else { continue };
        match word {
            "author" => rest.clone_into(&mut commit.author),
            "author-time" => {
                let at = rest.parse().ok().and_then(|at| DateTime::from_timestamp(at, 0));
                commit.at = at.unwrap_or_default();
            }
            "boundary" => commit.is_boundary = true,
            _ => {}
        }
    }
    let lines = runs.into_iter().filter_map(|(hash, first, number)| {
        let BlamedCommit { author, at, is_boundary } = &commits[hash];
        let last = first.checked_add(number.checked_sub(1)?)?;
        (!(is_shallow && *is_boundary)).then(|| AuthoredLines {
            first,
            last,
            author: author.clone(),
            at: *at,
        })
    });
    lines.collect()
}

/// Reads `<line there> <line here> <number>`; returns the last two.
fn lines_of_run(text: &str) -> Option<(u32, u32)> {
    let mut numbers = text.split(' ').skip(1).map(str::parse);
    let (Some(Ok(first)), Some(Ok(number)), None) = (numbers.next(), numbers.next(), numbers.next()) else {
        return None;
    };
    Some((first, number))
}

fn is_hash(word: &str) -> bool {
    matches!(word.len(), 40 | 64) && word.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANN: &str = "1111111111111111111111111111111111111111";
    const BOB: &str = "2222222222222222222222222222222222222222";

    fn printed() -> String {
        format!(
            "{BOB} 3 7 2\nauthor Bob B.\nauthor-mail <b@example.com>\nauthor-time 1700000000\nauthor-tz +0100\n\
             summary 4 5 6 words of no run\nboundary\nfilename a/x.go\n\
             {ANN} 1 1 1\nauthor Ann\nauthor-time 1600000000\nfilename a/x.go\n\
             {BOB} 9 12 1\nfilename a/x.go\n"
        )
    }

    #[test]
    fn runs_of_a_commit_share_what_git_tells_once() {
        let lines = authored_lines(&printed(), false);
        let shown: Vec<_> = lines
            .iter()
            .map(|lines| format!("{}-{} {} {}", lines.first, lines.last, lines.author, lines.at.timestamp()))
            .collect();
        assert_eq!(shown, ["7-8 Bob B. 1700000000", "1-1 Ann 1600000000", "12-12 Bob B. 1700000000"]);
    }

    #[test]
    fn lines_at_the_end_of_a_shallow_history_have_no_author() {
        let lines = authored_lines(&printed(), true);
        assert_eq!(lines.iter().map(|lines| &*lines.author).collect::<Vec<_>>(), ["Ann"]);
    }

    #[test]
    fn authors_of_a_place_are_counted_and_the_rest_is_of_nobody() {
        let blame =
            Blame { files: HashMap::from([("a/x.go".to_owned(), authored_lines(&printed(), false))]) };
        let shown = |path, first, last| {
            let authors = blame.authors_of(path, &(first..=last).collect::<Vec<_>>());
            let shown = authors.iter().map(|it| format!("{} {}", it.author.unwrap_or("-"), it.lines));
            shown.collect::<Vec<_>>().join(", ")
        };
        assert_eq!(shown("a/x.go", 8, 12), "Bob B. 2, - 3");
        assert_eq!(shown("a/x.go", 1, 8), "Bob B. 2, Ann 1, - 5");
        assert_eq!(shown("a/x.go", 7, 7), "Bob B. 1");
        assert_eq!(shown("b.go", 7, 8), "- 2");
        let some = blame.authors_of("a/x.go", &[7, 12, 13]);
        assert_eq!(some.iter().map(|it| it.lines).collect::<Vec<_>>(), [2, 1], "lines between do not count");
    }

    #[test]
    fn odd_output_is_passed_over() {
        for printed in [
            "",
            "author Eve\n",
            "boundary",
            &format!("{ANN} 1 4294967295 2\nauthor Ann\n"),
            &format!("{ANN} 1 1 0\n"),
        ] {
            assert_eq!(authored_lines(printed, false), [], "{printed}");
        }
    }
}
