//! `pull --raw`: one process's profile as it is.

use std::io;

use anyhow::{Context as _, Result, anyhow, bail};

use super::super::Context;
use super::super::pick::pick;
use super::super::roster::{self, Known, Roster};
use super::PullArgs;
use crate::center::Client;
use crate::exit::ExitCode;
use crate::names::printable;
use crate::workdir;

/// Passes a profile on; nothing is locked and nothing is stored.
pub(super) fn run(args: &PullArgs, context: &Context, client: &Client) -> Result<ExitCode> {
    let addresses = match (&args.address, &args.services[..]) {
        (Some(address), _) => vec![address.clone()],
        (None, [service]) => addresses_of(service, context, client)?,
        (None, _) => bail!("--raw needs one SERVICE, or --address URL"),
    };
    let mut last_error = anyhow!("no center lists \"{}\"", printable(&args.services.join(" ")));
    for address in addresses {
        let pulled = match &args.output {
            Some(path) => workdir::write_whole(path, |out| client.raw(&address, out))?,
            None => client.raw(&address, &mut io::stdout().lock()),
        };
        match pulled {
            Ok(_) => return Ok(ExitCode::Done),
            // What was written cannot be taken back, so no other address may follow it.
            Err(error) if args.output.is_none() => {
                return Err(error).with_context(|| format!("profile from \"{}\"", printable(&address)));
            }
            Err(error) => {
                last_error = anyhow!(error).context(format!("profile from \"{}\"", printable(&address)));
            }
        }
    }
    Err(last_error)
}

fn addresses_of(service: &str, context: &Context, client: &Client) -> Result<Vec<String>> {
    let (known, allocator) = Known::of_root(&context.workdir)?;
    let heard = roster::ask_known_first(client, &context.centers, &known, || None);
    let roster = Roster::assemble(known, heard, &context.config.naming, &allocator, context.now());
    super::report_silence(&roster, false, context)?;
    Ok(pick(service, &roster.entries)?.addresses())
}
