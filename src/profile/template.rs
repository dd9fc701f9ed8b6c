//! The template of a build: the text of each of its lines up to the count, learned from an answer.

use std::sync::Arc;

use super::write::push_tail;
use super::{Block, Build, Fingerprint};

/// The text of each line of a build up to its count, learned from an answer. The lines of a file are in the order in
/// which the agent prints them.
#[derive(Clone)]
pub struct Template {
    pub(super) build: Arc<Build>,
    /// The text `1.2,3.4 5 ` of every line, one after the other, file by file.
    tails: Vec<u8>,
    pub(super) lines: Vec<TemplateLine>,
}

#[derive(Clone, Copy)]
pub(super) struct TemplateLine {
    /// End of the line's tail, which begins at the end of the previous one.
    tail_end: u32,
    /// Index of its block in the build.
    pub(super) block: u32,
}

impl std::fmt::Debug for Template {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Template({:?})", self.build)
    }
}

impl Template {
    /// Creates the template from files sorted by name, each with its blocks in order of arrival; `None` if a block
    /// occurs twice. `fingerprint` is that of the build, if it is known.
    pub(super) fn from_arrivals(
        files: Vec<(Box<str>, Vec<Block>)>,
        fingerprint: Option<Fingerprint>,
    ) -> Option<Self> {
        let total = files.iter().map(|(_, arrival)| arrival.len()).sum();
        let mut names = Vec::with_capacity(files.len());
        let mut first = Vec::with_capacity(files.len() + 1);
        first.push(0);
        let mut blocks = Vec::with_capacity(total);
        let mut lines = Vec::with_capacity(total);
        let mut tails = Vec::with_capacity(total * 18);
        let mut order: Vec<u32> = Vec::new();
        for (name, arrival) in files {
            order.clear();
            order.extend(0..u32::try_from(arrival.len()).ok()?);
            order.sort_by_key(|&at| arrival[at as usize]);
            let base = blocks.len();
            lines.resize(base + arrival.len(), TemplateLine { tail_end: 0, block: 0 });
            for &at in &order {
                let block = arrival[at as usize];
                if blocks[base..].last() == Some(&block) {
                    return None;
                }
                lines[base + at as usize].block = u32::try_from(blocks.len()).ok()?;
                blocks.push(block);
            }
            for (at, block) in arrival.iter().enumerate() {
                push_tail(&mut tails, block);
                lines[base + at].tail_end = u32::try_from(tails.len()).ok()?;
            }
            names.push(name);
            first.push(u32::try_from(blocks.len()).ok()?);
        }
        let build = match fingerprint {
            Some(fingerprint) => Build::known(names, first, blocks, fingerprint),
            None => Build::from_sorted(names, first, blocks),
        };
        Some(Self { build: Arc::new(build), tails, lines })
    }

    /// Makes the template of a build that no text has taught: its lines stand in the order of the build.
    #[must_use]
    pub(crate) fn for_build(build: &Arc<Build>) -> Self {
        let mut tails = Vec::with_capacity(build.blocks.len() * 18);
        let line = |(block, place): (&Block, u32)| {
            push_tail(&mut tails, block);
            TemplateLine {
                tail_end: u32::try_from(tails.len()).expect("a meta has fewer than 2^32 bytes"),
                block: place,
            }
        };
        let lines = build.blocks.iter().zip(0..).map(line).collect();
        Self { build: Arc::clone(build), tails, lines }
    }

    /// Returns the build of the template.
    #[must_use]
    pub fn build(&self) -> &Arc<Build> {
        &self.build
    }

    /// Returns the approximate size in bytes, including its build and the counters of a sum over it.
    #[must_use]
    pub fn heap_bytes(&self) -> u64 {
        let per_block = size_of::<Block>() + size_of::<TemplateLine>() + size_of::<u64>();
        let names: usize = self.build.names.iter().map(|name| name.len() + 2 * size_of::<usize>() + 16).sum();
        (names + self.tails.capacity() + self.lines.len() * per_block) as u64
    }

    /// Returns the blocks of the file at `index` in order of arrival.
    pub(super) fn arrival(&self, index: usize) -> impl Iterator<Item = &Block> {
        let (start, end) = self.build.file(index).range;
        self.lines[start..end].iter().map(|line| &self.build.blocks[line.block as usize])
    }

    /// Returns the line of each block.
    pub(super) fn canonical_order(&self) -> Vec<u32> {
        let mut order = vec![0; self.lines.len()];
        for (line, &TemplateLine { block, .. }) in (0..).zip(&self.lines) {
            order[block as usize] = line;
        }
        order
    }

    pub(super) fn tail(&self, line: usize) -> &[u8] {
        let start = if line == 0 { 0 } else { self.lines[line - 1].tail_end as usize };
        &self.tails[start..self.lines[line].tail_end as usize]
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::profile::gocover::fixtures::{meta_bytes, packages};
    use crate::profile::gocover::{Meta, MetaBuild};
    use crate::profile::{Limits, Mode, decode_build, encode_build, write, write_known};

    proptest! {
        #[test]
        fn the_build_of_any_meta_is_stored_and_written_as_that_of_a_text_is(packages in packages()) {
            let Ok(meta) = Meta::from_bytes(&meta_bytes(Mode::Count, &packages), Limits::default()) else {
                return Ok(());
            };
            let build = Arc::clone(MetaBuild::from_meta(&meta).build());
            let template = Template::for_build(&build);
            let stored = decode_build(&encode_build(&template)).unwrap();
            prop_assert_eq!(stored.build(), &build);
            let counts: Vec<u64> = (0..).take(build.blocks().len()).collect();
            let (mut by_build, mut by_template) = (Vec::new(), Vec::new());
            write(Mode::Count, &build, &counts, &mut by_build).unwrap();
            write_known(Mode::Count, &template, &counts, &mut by_template).unwrap();
            prop_assert_eq!(by_build, by_template);
        }
    }
}
