//! The names of the files in a folder, a part of them at a time.

use std::collections::{BinaryHeap, VecDeque};

use crate::io::workdir::WorkdirError;
use crate::io::workdir::data_folder::{DataFolder, OpenDataFolder};
use crate::profile::gocover::DataFileName;

/// Number of counter files that a folder gives before it is another folder's turn.
const FILES_A_TURN: usize = 1024;
/// Number of names that are kept for later turns, of all folders together.
const MOST_KEPT: usize = 64 * FILES_A_TURN;
/// Number of metas of a folder that are looked at.
const MOST_METAS: usize = 1024;

/// A folder, and those of its files that were not taken in yet.
pub(super) struct FolderTurn {
    pub(super) folder: DataFolder,
    pub(super) files: FolderFiles,
}

/// Names in a folder that were read and not handed out yet.
#[derive(Default)]
pub(super) struct FolderFiles {
    metas: Vec<String>,
    has_more_metas: bool,
    /// Counter files, sorted, so that those of one process follow each other.
    counters: VecDeque<String>,
    /// The last counter file that was read; those before it are no longer asked for.
    last: Option<String>,
    /// Number of counter files that come after it.
    more: usize,
}

/// The files of one turn.
pub(super) struct NextFiles {
    pub(super) metas: Vec<String>,
    /// There are more metas than are looked at.
    pub(super) has_more_metas: bool,
    /// Counter files, sorted.
    pub(super) counters: Vec<String>,
    /// Number of counter files for later turns.
    pub(super) more: usize,
}

impl FolderTurn {
    pub(super) fn new(folder: DataFolder) -> Self {
        Self { folder, files: FolderFiles::default() }
    }
}

impl FolderFiles {
    /// Returns the files of the next turn. `folders` is the number of folders that share the memory for names.
    pub(super) fn next(
        &mut self,
        folder: &OpenDataFolder<'_>,
        folders: usize,
    ) -> Result<NextFiles, WorkdirError> {
        if self.counters.is_empty() {
            self.read(folder, (MOST_KEPT / folders.max(1)).max(FILES_A_TURN))?;
        }
        let of_turn = self.counters.len().min(FILES_A_TURN);
        let counters = self.counters.drain(..of_turn).collect();
        let (metas, has_more_metas) = (self.metas.clone(), self.has_more_metas);
        Ok(NextFiles { metas, has_more_metas, counters, more: self.counters.len() + self.more })
    }

    /// Reads the names of metas, and of the first `most` counter files after the last one.
    fn read(&mut self, folder: &OpenDataFolder<'_>, most: usize) -> Result<(), WorkdirError> {
        let (mut metas, mut counters, mut more) = (Vec::new(), BinaryHeap::new(), 0);
        let mut has_more_metas = false;
        folder.each_name(|name| match DataFileName::parse(name) {
            Some(DataFileName::Meta { .. }) if metas.len() < MOST_METAS => metas.push(name.to_owned()),
            Some(DataFileName::Meta { .. }) => has_more_metas = true,
            Some(DataFileName::Counters { .. }) if self.last.as_deref().is_none_or(|last| name > last) => {
                counters.push(name.to_owned());
                if counters.len() > most {
                    counters.pop();
                    more += 1;
                }
            }
            _ => {}
        })?;
        metas.sort_unstable();
        let counters = counters.into_sorted_vec();
        self.last = counters.last().cloned().or(self.last.take());
        *self = Self { metas, has_more_metas, counters: counters.into(), last: self.last.take(), more };
        Ok(())
    }
}
