//! A progress bar on a terminal, and nothing anywhere else.

use indicatif::{HumanBytes, ProgressBar, ProgressDrawTarget, ProgressStyle};

/// The progress bar of a pull.
#[derive(Debug)]
pub(crate) struct Progress {
    bar: ProgressBar,
}

impl Progress {
    /// Shows a bar on stderr for `services`, or nothing.
    #[must_use]
    pub(crate) fn start(services: usize, visible: bool) -> Self {
        let target = if visible { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(Some(services as u64), target);
        let style = ProgressStyle::with_template("{bar:30} {pos}/{len} services  {msg}  {elapsed}");
        Self { bar: bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar())) }
    }

    /// Brings the bar up to date.
    pub(crate) fn show(&self, services: usize, bytes: u64, failures: usize) {
        if self.bar.is_hidden() {
            return;
        }
        let seconds = self.bar.elapsed().as_secs().max(1);
        let failures = if failures == 0 { String::new() } else { format!("  {failures} failed") };
        let rate = HumanBytes(bytes / seconds);
        self.bar.set_message(format!("{}  {rate}/s{failures}", HumanBytes(bytes)));
        // Services that a peek found due were not counted before.
        let services = services as u64;
        self.bar.set_length(self.bar.length().unwrap_or_default().max(services));
        self.bar.set_position(services);
    }

    /// Removes the bar, so that the next output begins on a clean line.
    pub(crate) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}
