//! The parse of a text whose build is unknown.

use std::collections::HashMap;
use std::sync::Arc;

use super::template::Template;
use super::{Block, MAX_COUNT, Mode, Profile};

/// Blocks of a file with their counts, in order of arrival.
pub(super) type CountedBlocks = Vec<(Block, u64)>;

/// A text whose build is unknown.
#[derive(Default)]
pub(super) struct GenericParse {
    pub(super) files: Vec<(Box<str>, CountedBlocks)>,
    pub(super) by_name: HashMap<Box<str>, usize>,
    /// Index of the file being read, and its name with a colon.
    pub(super) current: usize,
    pub(super) head: Vec<u8>,
    /// Number of rows, and length of all names.
    pub(super) rows: usize,
    pub(super) name_bytes: usize,
}

impl GenericParse {
    pub(super) fn enter(&mut self, name: &str) {
        self.current = if let Some(&index) = self.by_name.get(name) {
            index
        } else {
            self.by_name.insert(name.into(), self.files.len());
            self.name_bytes += name.len();
            self.files.push((name.into(), Vec::new()));
            self.files.len() - 1
        };
        self.head.clear();
        self.head.extend_from_slice(name.as_bytes());
        self.head.push(b':');
    }

    pub(super) fn into_profile(self, mode: Mode) -> (Profile, Template) {
        let mut files = self.files;
        files.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        let mut counts = Vec::with_capacity(files.iter().map(|(_, rows)| rows.len()).sum());
        let mut arrivals = Vec::with_capacity(files.len());
        let mut repeats = false;
        for (name, mut rows) in files {
            let arrival: Vec<Block> = rows.iter().map(|&(block, _)| block).collect();
            rows.sort_by_key(|(block, _)| *block);
            for (at, &(block, count)) in rows.iter().enumerate() {
                match at.checked_sub(1).map(|before| rows[before].0) {
                    Some(twin) if twin == block => {
                        repeats = true;
                        let sum: &mut u64 = counts.last_mut().expect("its twin came before");
                        *sum = match mode {
                            Mode::Set => *sum | count,
                            Mode::Count | Mode::Atomic => sum.saturating_add(count).min(MAX_COUNT),
                        };
                    }
                    _ => counts.push(count),
                }
            }
            arrivals.push((name, arrival));
        }
        if repeats {
            for (_, arrival) in &mut arrivals {
                arrival.sort_unstable();
                arrival.dedup();
            }
        }
        let template = Template::from_arrivals(arrivals, None).expect("no block stands twice any more");
        let profile = Profile { mode, build: Arc::clone(template.build()), counts };
        (profile, template)
    }
}
