//! Which service a person means.

use crate::names::{self, ResolveError};

use super::roster::Entry;

/// Returns the entry that `query` names: by a full name of it, or an unambiguous part of one.
///
/// Names of one key are one choice, as all its data is one thing.
pub(super) fn pick<'a>(query: &str, entries: &'a [Entry]) -> Result<&'a Entry, ResolveError> {
    let names: Vec<&str> =
        entries.iter().flat_map(|entry| &entry.members).map(|member| member.name.as_str()).collect();
    let of = |name: &str| entries.iter().find(|entry| entry.members.iter().any(|member| member.name == name));
    let found = match names::resolve(query, &names) {
        Ok(name) => of(name),
        Err(ResolveError::Ambiguous { query, candidates }) => {
            let first = of(&candidates[0]);
            let is_one =
                candidates.iter().all(|name| of(name).map(|entry| entry.id) == first.map(|entry| entry.id));
            if !is_one {
                return Err(ResolveError::Ambiguous { query, candidates });
            }
            first
        }
        Err(error) => return Err(error),
    };
    Ok(found.expect("the candidates are names of entries"))
}
