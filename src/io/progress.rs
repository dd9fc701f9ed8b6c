//! The progress of a run on a terminal, and nothing anywhere else. A line that is longer than the terminal is cut.

use std::io;
use std::sync::Mutex;

use indicatif::{HumanBytes, ProgressBar, ProgressDrawTarget, ProgressStyle};
use rustix::termios::tcgetwinsize;

use crate::parallel::lock;

/// The progress bar of a pull.
#[derive(Debug)]
pub(crate) struct Progress {
    bar: ProgressBar,
}

/// The progress of a run that has several stages: a line of text.
#[derive(Debug)]
pub(crate) struct StageProgress {
    visible: bool,
    line: Mutex<Option<ProgressBar>>,
}

impl StageProgress {
    /// Begins without a line. Nothing is ever shown unless `visible`.
    #[must_use]
    pub(crate) fn new(visible: bool) -> Self {
        Self { visible, line: Mutex::new(None) }
    }

    /// Shows a text in place of the one before.
    pub(crate) fn show(&self, text: impl FnOnce() -> String) {
        if self.visible {
            let begin = || styled(ProgressBar::no_length(), "{wide_msg}");
            lock(&self.line).get_or_insert_with(begin).set_message(text());
        }
    }

    /// Calls `print`, whose output must not be mixed with the line.
    pub(crate) fn beside(&self, print: impl FnOnce()) {
        match &*lock(&self.line) {
            Some(line) => line.suspend(print),
            None => print(),
        }
    }

    /// Removes the line, so that the next output begins on a clean one.
    pub(crate) fn clear(&self) {
        if let Some(line) = lock(&self.line).take() {
            line.finish_and_clear();
        }
    }
}

fn styled(bar: ProgressBar, template: &str) -> ProgressBar {
    let style = ProgressStyle::with_template(template);
    bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

impl Progress {
    /// Shows a bar on stderr for `services`, or nothing.
    #[must_use]
    pub(crate) fn start(services: usize, visible: bool) -> Self {
        let target = if visible { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(Some(services as u64), target);
        // The library cuts the message alone.
        let is_narrow = tcgetwinsize(io::stderr()).is_ok_and(|size| size.ws_col < 60);
        let template = match is_narrow {
            true => "{pos}/{len} services  {wide_msg}",
            false => "{bar:20} {pos}/{len} services  {elapsed}  {wide_msg}",
        };
        Self { bar: styled(bar, template) }
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
