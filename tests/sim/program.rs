//! The program that a process runs: its block structure, and the profile that an agent prints of it.

use std::fmt::Write;
use std::sync::Arc;

/// A program built with goc. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Program {
    files: Arc<[File]>,
}

struct File {
    /// Lines of blocks, without counters but with the space before them.
    lines: Vec<String>,
    /// Index of the first block among those of all files.
    first: usize,
}

impl Program {
    /// Reads the lines of a profile. Their counters are ignored and may be missing.
    pub(crate) fn from_profile(profile: &str) -> Self {
        let mut files: Vec<(String, Vec<String>)> = Vec::new();
        for line in profile.lines().filter(|line| !line.is_empty() && !line.starts_with("mode:")) {
            let (name, block) = line.rsplit_once(':').expect("a block's line");
            let mut words = block.split(' ');
            let (place, statements) = (words.next().unwrap_or(""), words.next().expect("statements"));
            let line = format!("{name}:{place} {statements} ");
            match files.iter_mut().find(|(known, _)| known == name) {
                Some((_, lines)) => lines.push(line),
                None => files.push((name.to_owned(), vec![line])),
            }
        }
        Self::from_files(files.into_iter().map(|(_, lines)| lines))
    }

    /// Makes a program of `files` files with `blocks` blocks each; another `seed` gives other blocks.
    pub(crate) fn synthetic(module: &str, files: usize, blocks: usize, seed: usize) -> Self {
        Self::from_files((0..files).map(|file| {
            let line = |block: usize| {
                let start = 3 + block * 4 + (seed + file) % 3;
                let statements = 1 + (seed + file + block) % 5;
                format!("{module}/p{}/f{file}.go:{start}.2,{}.3 {statements} ", file % 50, start + 3)
            };
            (0..blocks).map(line).collect()
        }))
    }

    fn from_files(files: impl Iterator<Item = Vec<String>>) -> Self {
        let mut first = 0;
        let files = files.map(|lines| {
            let file = File { lines, first };
            first += file.lines.len();
            file
        });
        Self { files: files.collect() }
    }

    /// Returns the blocks of a file, named by the end of its name, that start on these lines.
    pub(crate) fn blocks_at(&self, file: &str, lines: &[u32]) -> Vec<usize> {
        let starts_on = |block: &str, line: &u32| block.contains(&format!("{file}:{line}."));
        let blocks = self.files.iter().flat_map(|file| (file.first..).zip(&file.lines));
        blocks
            .filter(|(_, block)| lines.iter().any(|line| starts_on(block, line)))
            .map(|(index, _)| index)
            .collect()
    }

    pub(crate) fn blocks(&self) -> usize {
        self.files.iter().map(|file| file.lines.len()).sum()
    }

    /// Returns a profile with its files in random order.
    pub(crate) fn profile(&self, mode: &str, counts: &[u64]) -> String {
        let mut order: Vec<&File> = self.files.iter().collect();
        fastrand::shuffle(&mut order);
        let mut text = format!("mode: {mode}\n");
        for file in order {
            for (line, count) in file.lines.iter().zip(&counts[file.first..]) {
                writeln!(text, "{line}{count}").expect("into memory");
            }
        }
        text
    }
}

/// Returns the fraction of blocks that were hit, as an agent prints it.
pub(crate) fn fraction(counts: &[u64]) -> String {
    let hit = counts.iter().filter(|&&count| count > 0).count();
    #[expect(clippy::cast_precision_loss, reason = "goc divides two floats")]
    let fraction = hit as f64 / counts.len() as f64;
    format!("{fraction:.6}")
}
