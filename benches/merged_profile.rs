//! The end of a bench that merges files: the profile on stdout, and the time and the memory on stderr.

use std::fs;
use std::io::{self, BufWriter};
use std::time::Instant;

use goc_watchdog::profile::{ProfileSum, write};

pub(crate) fn print(merged: ProfileSum, files: usize, begun: Instant) -> io::Result<()> {
    let profile = merged.into_profile();
    let mut out = BufWriter::with_capacity(1 << 20, io::stdout().lock());
    write(profile.mode, &profile.build, &profile.counts, &mut out)?;
    drop(out);
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or("unknown").trim();
    eprintln!("{files} files in {:.3} s, peak memory {peak}", begun.elapsed().as_secs_f64());
    Ok(())
}
