//! The printing of the engines' messages.

use crate::commands::{self, Context};
use crate::io::signals::Signals;
use crate::notice::{Notice, Notify};
use crate::source::SourceSettings;

/// Prints a message.
pub(crate) fn print(notice: Notice, context: &Context) {
    match notice {
        Notice::Progress(message) if context.has_spectator() => commands::inform(message),
        Notice::Progress(_) => {}
        Notice::Warning(message) => commands::warn(message),
        Notice::Failure(message) => commands::fail(message),
        Notice::Explanation(message) => {
            commands::heed_limit_of_files(&message);
            context.explain(message);
        }
    }
}

/// Returns the settings of the engines.
pub(crate) fn source_settings<'a>(
    context: &'a Context,
    signals: &'a Signals,
    notify: Notify<'a>,
) -> SourceSettings<'a> {
    let Context { workdir, config, environment, .. } = context;
    SourceSettings { workdir, config, caller: environment.caller, signals, notify }
}
