//! Reads and merges profiles as a pull does, for a comparison with gocovmerge:
//! `cargo bench --bench covmerge -- FILE... > merged.cov`. See README.md here.

#![expect(clippy::disallowed_methods, reason = "a bench reads files and the clock")]

mod merged_profile;

use std::error::Error;
use std::fs::File;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Instant;

use goc_watchdog::profile::{Limits, ProfileSum, read};

fn main() -> Result<(), Box<dyn Error>> {
    let files: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let Some(first) = files.first() else {
        eprintln!("nothing to merge; give files after \"--\"");
        return Ok(());
    };
    let begun = Instant::now();
    let limits = Limits::of_lines();
    let (profile, template) = read(File::open(first)?, limits, &[])?;
    let known = [Arc::new(template.expect("the first is of no known build"))];
    let mut merged = ProfileSum::new(Arc::clone(&profile.build));
    merged.add(profile.mode, &profile.build, &profile.counts)?;
    drop(profile);

    let merged = Mutex::new(merged);
    let next = AtomicUsize::new(1);
    let failed: Mutex<Option<String>> = Mutex::default();
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                while let Some(file) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let done = || -> Result<(), Box<dyn Error>> {
                        let (profile, _) = read(File::open(file)?, limits, &known)?;
                        let mut merged = merged.lock().map_err(|_| "another thread panicked")?;
                        Ok(merged.add(profile.mode, &profile.build, &profile.counts)?)
                    };
                    if let (Err(error), Ok(mut failed)) = (done(), failed.lock()) {
                        failed.get_or_insert(format!("{file}: {error}"));
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
