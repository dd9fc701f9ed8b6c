//! `--ping`: the reports of a run's start and end to a dead-man's switch, which raises the alarm when none comes.

use std::cell::RefCell;
use std::ffi::OsStr;
use std::thread;

use anyhow::Result;
use clap::builder::{StringValueParser, TypedValueParser};
use clap::error::ErrorKind;

use crate::commands::{Context, is_closed_pipe, warn};
use crate::exit::{EarlyEnd, ExitCode};
use crate::io::center::Client;
use crate::parallel::{self, Spawned};
use crate::ping::{Ping, PingUrl};

/// The parser of a [`PingUrl`]. Clap's own parsers show a refused value, but this one is a secret.
#[derive(Clone)]
pub(crate) struct PingUrlParser;

impl TypedValueParser for PingUrlParser {
    type Value = PingUrl;

    fn parse_ref(
        &self,
        command: &clap::Command,
        argument: Option<&clap::Arg>,
        value: &OsStr,
    ) -> Result<PingUrl, clap::Error> {
        let text = StringValueParser::new().parse_ref(command, argument, value)?;
        let refuse = |error| {
            let message = format!("invalid value for '--ping <URL>': {error}\n");
            clap::Error::raw(ErrorKind::ValueValidation, message).with_cmd(command)
        };
        text.parse().map_err(refuse)
    }
}

/// The ping of the start, which may have its own thread.
enum StartPing<T, W> {
    UnderWay(W),
    /// The ping was sent without a thread of its own.
    Over(T),
}

/// Does `work`, and reports its start and its end to `url`. `work` calls its argument when it begins.
///
/// A run begins when it holds the lock. A run that ends as busy sends no ping, because another run is at work. A ping
/// that fails is a warning. The work does not wait for the first ping.
pub(crate) fn pinging(
    url: Option<&PingUrl>,
    proxy: Option<String>,
    context: &Context,
    work: impl FnOnce(&dyn Fn()) -> Result<ExitCode>,
) -> Result<ExitCode> {
    let Some(url) = url else { return work(&|| {}) };
    let client = Client::for_pings(proxy, context.config.pull.policy.clone())?;
    let send = |ping| client.ping(url, ping);
    let warn_of = |error| warn(format!("ping \"{url}\": {error}"));
    thread::scope(|scope| {
        let starting = RefCell::new(None);
        let worked = work(&|| {
            starting.replace(Some(match parallel::spawn(scope, || send(Ping::Start)) {
                Spawned::Refused(send) => StartPing::Over(send()),
                thread @ Spawned::Thread(_) => StartPing::UnderWay(thread),
            }));
        });
        let started = starting.take().map(|sending| match sending {
            StartPing::Over(answer) => answer,
            StartPing::UnderWay(thread) => thread.join(),
        });
        let _ = started.transpose().map_err(warn_of);
        let code = match &worked {
            Ok(code) => *code,
            Err(error) if is_closed_pipe(error) => ExitCode::Done,
            Err(error) => match error.downcast_ref() {
                Some(early @ (EarlyEnd::Busy(_) | EarlyEnd::Signal(_))) => early.exit_code(),
                Some(EarlyEnd::Usage(_) | EarlyEnd::Refused(_)) | None => ExitCode::Failed,
            },
        };
        if let Some(ping) = Ping::for_exit(code) {
            let _ = send(ping).map_err(warn_of);
        }
        worked
    })
}
