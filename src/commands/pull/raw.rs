//! `pull --raw`: the unchanged profile of one process.

use std::borrow::Cow;
use std::io::{self, Write};

use anyhow::{Context as _, Result, anyhow, bail};

use super::PullArgs;
use super::dry_run::fleet_to_read;
use crate::address::shown_url;
use crate::collect::whole_answer::write_profile_at;
use crate::commands::Context;
use crate::commands::group::refuse_group;
use crate::commands::targets::unlisted;
use crate::exit::{EarlyEnd, ExitCode};
use crate::fleet::pick::{Picked, pick};
use crate::fleet::targets::AgentKind;
use crate::io::center::Client;
use crate::io::workdir::{self, FillError};
use crate::names::{in_message, printable};

/// Copies a profile to the output. No lock is taken and nothing is stored.
pub(crate) fn run(args: &PullArgs, context: &Context, client: &Client) -> Result<ExitCode> {
    let addresses = match (&args.address, &args.services[..]) {
        (Some(address), _) => vec![(address.clone(), None)],
        (None, [service]) => addresses_of(service, args, context, client)?,
        (None, _) => {
            bail!(EarlyEnd::Usage("--raw needs one SERVICE, or --address URL; see goc-watchdog pull --help"))
        }
    };
    let mut last_error = anyhow!("\"{}\": {}", in_message(&args.services.join(" ")), unlisted(context));
    for (address, kind) in addresses {
        let kind = kind.as_ref();
        let pulled = match &args.output {
            Some(path) => {
                match workdir::write_whole(path, |out| write_profile_at(client, &address, kind, out)) {
                    Err(FillError::Workdir(error)) => return Err(error.into()),
                    Err(FillError::Content(error)) => Err(error),
                    Ok(pulled) => Ok(pulled),
                }
            }
            None if context.environment.stdout_is_terminal => {
                let mut out = EscapingWriter::new(io::stdout().lock());
                let pulled = write_profile_at(client, &address, kind, &mut out);
                if out.finish()? {
                    super::super::warn(
                        "control characters are shown escaped at a terminal; -o FILE or a pipe has the profile as it is",
                    );
                }
                pulled
            }
            None => write_profile_at(client, &address, kind, &mut io::stdout().lock()),
        };
        match pulled {
            Ok(()) => return Ok(ExitCode::Done),
            // Bytes are already written, so no other address may follow.
            Err(error) if args.output.is_none() => {
                return Err(error).with_context(|| format!("profile from \"{}\"", shown_url(&address)));
            }
            Err(error) => {
                last_error = anyhow!(error).context(format!("profile from \"{}\"", shown_url(&address)));
            }
        }
    }
    Err(last_error)
}

/// A writer that makes each line printable for a terminal.
struct EscapingWriter<W> {
    out: W,
    line: Vec<u8>,
    has_escaped: bool,
}

impl<W: Write> EscapingWriter<W> {
    /// Largest number of bytes of a piece of an endless line.
    const LONGEST: usize = 64 << 10;

    fn new(out: W) -> Self {
        Self { out, line: Vec::new(), has_escaped: false }
    }

    fn pass_on(&mut self, end: &[u8]) -> io::Result<()> {
        let text = String::from_utf8_lossy(&self.line);
        let shown = printable(&text);
        self.has_escaped |= matches!(shown, Cow::Owned(_));
        self.out.write_all(shown.as_bytes())?;
        self.out.write_all(end)?;
        self.line.clear();
        Ok(())
    }

    /// Writes the rest; tells whether anything was escaped. The last line is ended, so that a message after it has its
    /// own line.
    fn finish(mut self) -> io::Result<bool> {
        if !self.line.is_empty() {
            self.pass_on(b"\n")?;
        }
        self.out.flush()?;
        Ok(self.has_escaped)
    }
}

impl<W: Write> Write for EscapingWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            match piece.strip_suffix(b"\n") {
                Some(rest) => {
                    self.line.extend_from_slice(rest);
                    self.pass_on(b"\n")?;
                }
                None => self.line.extend_from_slice(piece),
            }
            if self.line.len() > Self::LONGEST {
                self.pass_on(b"")?;
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Returns the addresses of a service, each with the kind of its agent, if it is known.
fn addresses_of(
    service: &str,
    args: &PullArgs,
    context: &Context,
    client: &Client,
) -> Result<Vec<(String, Option<AgentKind>)>> {
    let fleet = fleet_to_read(args, context, client)?;
    refuse_group(service, "pull --raw", context, &fleet.entries)?;
    let query = args.query(service);
    let Picked { entry, choice } = pick(&query, &fleet.entries)?;
    context.tell_choice(choice, &entry.key.commit);
    context.tell_namesakes(&query, &entry.key, &fleet.entries);
    let with_kind = |address: String| {
        let kind = entry.told_kind(&address);
        (address, kind)
    };
    Ok(entry.addresses().into_iter().map(with_kind).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn escaped(pieces: &[&[u8]]) -> (String, bool) {
        let mut shown = Vec::new();
        let mut out = EscapingWriter::new(&mut shown);
        for piece in pieces {
            out.write_all(piece).unwrap();
        }
        let has_escaped = out.finish().unwrap();
        (String::from_utf8(shown).unwrap(), has_escaped)
    }

    #[test]
    fn control_characters_are_escaped_and_a_profile_stays_as_it_is() {
        let profile = b"mode: set\na/b.go:1.1,2.2 1 0\n";
        assert_eq!(
            escaped(&[&profile[..12], &profile[12..]]),
            ("mode: set\na/b.go:1.1,2.2 1 0\n".into(), false)
        );
        assert_eq!(
            escaped(&[b"a\x1b", b"]0;x\x07\n::error::\nrest"]),
            ("a\\u{1b}]0;x\\u{7}\n\\u{3a}:error::\nrest\n".into(), true)
        );
    }
}
