//! Changed lines, compared with those of git itself.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use goc_watchdog::code::linediff::{self, Hunk};
use goc_watchdog::code::patch;

use crate::harness::source::Source;

type Lines = Vec<Vec<u8>>;

/// Makes lines of Go source from real ones. A small `numbers` makes many of them equal.
fn go_source(len: usize, numbers: usize, random: &mut fastrand::Rng) -> Lines {
    let echo = concat!(
        include_str!("../examples/echo/main.go"),
        include_str!("../examples/echo/handlers/handlers.go"),
        include_str!("../examples/echo/textutil/textutil.go"),
    );
    let real: Vec<&str> = echo.split_inclusive('\n').collect();
    let mut lines = Vec::new();
    while lines.len() < len {
        let from = random.usize(..real.len());
        let number = random.usize(..numbers);
        let run = real[from..].iter().take(random.usize(1..40));
        lines.extend(run.map(|line| line.replace("err", &format!("err{number}")).into_bytes()));
    }
    lines
}

fn edit(lines: &mut Lines, edits: usize, random: &mut fastrand::Rng) {
    const INSERTED: [&[u8]; 8] =
        [b"\n", b"}\n", b"\t}\n", b"\t\treturn err\n", b"  x\n", b"\r\n", b"\x0c\n", b" \t \n"];
    for _ in 0..edits {
        let at = random.usize(..=lines.len());
        let len = *random.choice(&[1, 1, 1, 2, 3, 5, 10, 40]).unwrap();
        let run = at..(at + len).min(lines.len());
        match random.u8(..6) {
            0 => drop(lines.drain(run)),
            1 => drop(lines.splice(at..at, lines[run].to_vec())),
            2 => {
                let to = random.usize(..=lines.len());
                drop(lines.splice(to..to, lines[run].to_vec()));
            }
            3 => lines.iter_mut().take(at + 1).skip(at).for_each(|line| line.insert(0, b'\t')),
            4 => lines.iter_mut().take(at + 1).skip(at).for_each(|line| line.insert(0, b'x')),
            _ => lines.insert(at, random.choice(INSERTED).unwrap().to_vec()),
        }
    }
}

fn numbered(len: usize, different: usize, random: &mut fastrand::Rng) -> Lines {
    (0..len).map(|_| format!("{}\n", random.usize(..different)).into_bytes()).collect()
}

/// Makes lines with all kinds of indentation. Some come twice in a row, so a change could be marked at several places;
/// markers that both texts share separate the cases.
fn indented(random: &mut fastrand::Rng) -> (Lines, Lines) {
    let (mut before, mut after) = (Lines::new(), Lines::new());
    for case in 0..60_u8 {
        let (one, other) = indented_case(random);
        for (side, lines) in [(&mut before, one), (&mut after, other)] {
            side.extend(lines);
            side.push(format!("{}case {case}\n", indent(case % 20, case.into())).into_bytes());
        }
    }
    (before, after)
}

fn indent(kind: u8, len: usize) -> String {
    match kind {
        0..3 => " \t".to_owned(),
        3..6 => "\t".repeat(len % 3),
        6..10 => " ".repeat(6 + len % 5),
        _ => " ".repeat(len % 4),
    }
}

fn indented_case(random: &mut fastrand::Rng) -> (Lines, Lines) {
    let is_wide = random.u8(..20) == 0;
    let mut before = Lines::new();
    for _ in 0..random.usize(..10) {
        let blank = match random.u8(..200) {
            0 => random.usize(17..23),
            1..60 => random.usize(..3),
            _ => 0,
        };
        before.extend(vec![b"\n".to_vec(); blank]);
        let word = *random.choice(&["a", "b", "}"]).unwrap();
        let same = if random.u8(..200) == 0 { random.usize(60..130) } else { 1 };
        let indent = match is_wide {
            true => " ".repeat(random.usize(80..230)),
            false => indent(random.u8(..40), random.usize(..8)),
        };
        before.extend(vec![format!("{indent}{word}\n").into_bytes(); same]);
    }
    let mut after = before.clone();
    let at = random.usize(..=after.len());
    let most = if random.u8(..40) == 0 { 130 } else { 6 };
    let end = (at + random.usize(..most)).min(after.len());
    after.splice(at..at, after[at..end].to_vec());
    (before, after)
}

/// Makes long texts that share only some runs, about as long as the ones at which git stops searching.
fn with_common_runs(random: &mut fastrand::Rng) -> (Lines, Lines) {
    let (mut before, mut after) = (Lines::new(), Lines::new());
    let different = random.usize(100..600);
    for _ in 0..random.usize(2..20) {
        before.extend(numbered(random.usize(50..400), different, random));
        after.extend(numbered(random.usize(50..400), different, random));
        let run = numbered(random.usize(16..26), different, random);
        before.extend(run.clone());
        after.extend(run);
    }
    (before, after)
}

/// Makes long texts with so many edits between kept runs that git gives up the search for the shortest diff.
fn with_many_edits(edits: usize, random: &mut fastrand::Rng) -> (Lines, Lines) {
    let (mut before, mut after) = (Lines::new(), Lines::new());
    let different = random.usize(60..400);
    for _ in 0..edits {
        let stay = if random.u8(..8) == 0 { random.usize(17..25) } else { random.usize(..8) };
        let run = numbered(stay, different, random);
        before.extend(run.clone());
        after.extend(run);
        before.extend(numbered(random.usize(..4), different, random));
        after.extend(numbered(random.usize(..4), different, random));
    }
    (before, after)
}

/// Makes lines that are everywhere in both texts, among runs that the other text does not have.
fn with_frequent_lines(random: &mut fastrand::Rng) -> (Lines, Lines) {
    let (mut before, mut after) = (Lines::new(), Lines::new());
    for part in 0..random.usize(20..60) {
        for (side, name) in [(&mut before, "before"), (&mut after, "after")] {
            for run in 0..random.usize(1..4) {
                let len = if random.bool() { random.usize(..12) } else { random.usize(80..130) };
                side.extend((0..len).map(|line| format!("{name} {part} {run} {line}\n").into_bytes()));
                side.extend(vec![b"}\n".to_vec(); random.usize(..8)]);
            }
            side.push(format!("both {}\n", random.usize(..4) + part).into_bytes());
        }
    }
    (before, after)
}

/// Makes texts before and after, of every kind that git treats in its own way.
fn pairs(random: &mut fastrand::Rng) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut pairs: Vec<(Lines, Lines)> = Vec::new();
    for _ in 0..500 {
        let before = go_source(random.usize(1..400), 5, random);
        let mut after = before.clone();
        edit(&mut after, *random.choice(&[1, 2, 3, 5, 10, 30, 200]).unwrap(), random);
        pairs.push((before, after));
    }
    for _ in 0..60 {
        pairs.push((
            go_source(random.usize(..1500), 1000, random),
            go_source(random.usize(..1500), 1000, random),
        ));
    }
    for _ in 0..250 {
        pairs.push(indented(random));
    }
    for _ in 0..60 {
        let different = *random.choice(&[2, 3, 5, 20, 100, 1000]).unwrap();
        let before = numbered(random.usize(..3000), different, random);
        let after = match random.bool() {
            true => numbered(random.usize(..3000), different, random),
            false => {
                let mut after = before.clone();
                edit(&mut after, 300, random);
                after
            }
        };
        pairs.push((before, after));
    }
    for _ in 0..30 {
        pairs.push(with_common_runs(random));
        pairs.push(with_many_edits(random.usize(300..900), random));
        pairs.push(with_frequent_lines(random));
    }
    for _ in 0..3 {
        // Git looks for kept runs first in texts of about 65,536 lines or more.
        pairs.push(with_many_edits(random.usize(9_000..12_000), random));
    }
    for _ in 0..8 {
        let before = go_source(4000, 1000, random);
        let mut runs: Vec<&[Vec<u8>]> = before.chunks(30).collect();
        random.shuffle(&mut runs);
        pairs.push((before.clone(), runs.concat()));
        let thinned = before.iter().filter(|_| random.u8(..10) < 6).cloned();
        pairs.push((before.clone(), thinned.collect()));
    }
    let mut text = |lines: Lines| {
        let mut text = lines.concat();
        text.truncate(text.len() - usize::from(!text.is_empty() && random.u8(..10) == 0));
        text
    };
    pairs.into_iter().map(|(before, after)| (text(before), text(after))).collect()
}

#[test]
fn the_module_uses_nothing_of_the_rest() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/code/linediff");
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let names: Vec<_> = files.iter().map(|file| file.file_name().unwrap().to_str().unwrap()).collect();
    assert_eq!(names, ["mod.rs", "myers.rs", "slide.rs"]);
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        let code = text.split("#[cfg(test)]").next().unwrap();
        // In its own modules, `super` is the module itself.
        let outer = if file.ends_with("mod.rs") { "super::" } else { "super::super::" };
        assert!(!code.contains("crate::") && !code.contains(outer), "{}", file.display());
    }
}

#[test]
fn the_lines_that_changed_are_those_of_git() {
    let pairs = pairs(&mut fastrand::Rng::with_seed(1));
    let named = |texts: &mut dyn Iterator<Item = &Vec<u8>>| -> Vec<(String, Vec<u8>)> {
        texts.enumerate().map(|(number, text)| (format!("{number}.go"), text.clone())).collect()
    };
    let before = named(&mut pairs.iter().map(|(before, _)| before));
    let before: Vec<(&str, &[u8])> = before.iter().map(|(name, text)| (&**name, &**text)).collect();
    let mut source = Source::from_files(&before);
    for (name, text) in named(&mut pairs.iter().map(|(_, after)| after)) {
        std::fs::write(source.folder.path().join(name), text).unwrap();
    }
    source.commit_all();
    let diff =
        source.git(&["diff", "--no-prefix", "--unified=0", "--no-renames", "--text", "HEAD~1", "HEAD"]);
    let theirs: HashMap<String, Vec<Hunk>> = patch::parse(diff.as_bytes())
        .unwrap()
        .into_iter()
        .map(|file| (file.path().unwrap().to_owned(), file.hunks))
        .collect();
    assert!(theirs.len() > 800, "too few files differ: {}", theirs.len());
    for (number, (before, after)) in pairs.iter().enumerate() {
        let theirs = theirs.get(&format!("{number}.go")).cloned().unwrap_or_default();
        assert_eq!(linediff::hunks(before, after), theirs, "pair {number}");
    }
}
