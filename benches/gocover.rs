//! Decodes, merges and formats the counters of processes that ran one build of `go build -cover`, for a comparison with
//! `go tool covdata textfmt`: `cargo bench --bench gocover -- FOLDER > merged.cov`. See README.md here.

#![expect(clippy::disallowed_methods, reason = "a bench reads files and the clock")]

mod merged_profile;

use std::error::Error;
use std::fs;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

use goc_watchdog::profile::gocover::{CounterFile, DataFileName, Meta, MetaBuild};
use goc_watchdog::profile::{Limits, ProfileSum};

fn main() -> Result<(), Box<dyn Error>> {
    let Some(folder) = std::env::args().skip(1).find(|argument| argument != "--bench") else {
        eprintln!("nothing to merge; give a folder after \"--\"");
        return Ok(());
    };
    let begun = Instant::now();
    let (mut metas, mut files) = (Vec::new(), Vec::new());
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        match path.file_name().and_then(|name| DataFileName::parse(name.to_str()?)) {
            Some(DataFileName::Meta { .. }) => metas.push(path),
            Some(DataFileName::Counters { .. }) => files.push(path),
            _ => {}
        }
    }
    let [meta] = &*metas else { return Err("the folder needs the covmeta file of one build".into()) };
    let build = MetaBuild::from_meta(&Meta::from_bytes(&fs::read(meta)?, Limits::default())?);

    let merged = Mutex::new(ProfileSum::new(build.build().clone()));
    let next = AtomicUsize::new(0);
    let failed: Mutex<Option<String>> = Mutex::default();
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                let mut counts = Vec::new();
                while let Some(file) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let done = add(file, &build, &mut counts, &merged);
                    if let (Err(error), Ok(mut failed)) = (done, failed.lock()) {
                        failed.get_or_insert(format!("{}: {error}", file.display()));
                    }
                }
            });
        }
    });
    if let Some(error) = failed.into_inner()? {
        return Err(error.into());
    }
    Ok(merged_profile::print(merged.into_inner()?, files.len(), begun)?)
}

/// Adds the counters of a file; `counts` is memory for them.
fn add(
    file: &Path,
    build: &MetaBuild,
    counts: &mut Vec<u64>,
    merged: &Mutex<ProfileSum>,
) -> Result<(), Box<dyn Error>> {
    build.counts_into(&CounterFile::from_bytes(&fs::read(file)?)?, counts)?;
    let mut merged = merged.lock().map_err(|_| "another thread panicked")?;
    Ok(merged.add(build.mode(), build.build(), counts)?)
}
