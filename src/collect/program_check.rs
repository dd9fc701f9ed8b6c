//! The check that an address serves the program by which it is listed.
//!
//! A service is named before its address is pulled, and another program may answer there by then.

use crate::collect::address_pull::AddressPull;
use crate::collect::fault::AskError;
use crate::collect::known_meta::KnownMeta;
use crate::collect::target_programs::program_of_app;
use crate::fleet::records::Key;
use crate::fleet::targets::{ProgramName, may_be_same, tidy_commit};
use crate::io::center::{AgentHeaders, HttpError};
use crate::names::in_message;

/// Fails where an agent tells another commit than that under which a source of targets lists it; the next pull lists it
/// anew. For a name that a center lists, the difference is only noted, because the process registered that name itself.
pub(crate) fn check_commit(pull: &AddressPull<'_>, headers: &AgentHeaders) -> Result<(), HttpError> {
    let told = tidy_commit(headers.commit.as_deref().unwrap_or_default());
    let Some(key) = pull.only_key() else { return Ok(()) };
    let listed = &key.entry.key.commit;
    if told.is_empty() || may_be_same(&told, listed) {
        return Ok(());
    }
    if key.entry.facts_of(pull.address).next().is_some() {
        return Err(HttpError::OtherProgram(format!(
            "its agent tells commit {told}, and it was listed as {listed}"
        )));
    }
    let address = in_message(pull.address);
    let note =
        format!("the agent at \"{address}\" tells commit {told}; its data counts for {listed} all the same");
    key.lock().state.notes.insert(note);
    Ok(())
}

/// Fails where the app of an address stands for another program than that of this meta, so that data of two programs
/// never meets in one key.
pub(crate) fn check_program(
    pull: &AddressPull<'_>,
    meta: &KnownMeta,
    headers: &AgentHeaders,
) -> Result<(), AskError> {
    let binary = headers.binary.as_deref();
    let program = meta.program(binary);
    for key in pull.keys.iter().filter(|key| key.entry.is_named_by_program(pull.address)) {
        let Key { env, region, app, commit: _ } = key.entry.key.clone();
        let place = [env, region, app];
        let of_app =
            program_of_app(pull.store, &place, pull.run.client.limits()).map_err(anyhow::Error::from)?;
        let of_run = key.lock().learned_metas().find_map(|meta| meta.program(None));
        let is_same = program.as_ref().is_some_and(|program| {
            program.apps().contains(&place[2])
                && [&of_app, &of_run].into_iter().flatten().all(|it| it == program)
        });
        if !is_same {
            let told = in_message(program.as_ref().map_or("none", ProgramName::as_str)).into_owned();
            return Err(HttpError::OtherProgram(format!(
                "its program is {told}, and its app \"{}\" is that of another program",
                in_message(&place[2])
            ))
            .into());
        }
    }
    Ok(())
}

/// Fails where a text, which names no program, comes from an address whose app stands for a program.
pub(crate) fn check_text(pull: &AddressPull<'_>) -> Result<(), HttpError> {
    match pull.keys.iter().any(|key| key.entry.is_named_by_program(pull.address)) {
        true => Err(HttpError::OtherProgram(
            "its agent tells no program any more, and no label names its app".to_owned(),
        )),
        false => Ok(()),
    }
}
