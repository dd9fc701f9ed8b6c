//! The search for the service that a person named.

use crate::fleet::key_entry::KeyEntry;
use crate::fleet::records::Key;
use crate::names::{self, ResolveError};

/// Returns the entry that `query` names by a full name or by an unambiguous part of one.
///
/// All names of one key are the same choice, because they share its data.
pub(crate) fn pick<'a>(query: &str, entries: &'a [KeyEntry]) -> Result<&'a KeyEntry, ResolveError> {
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

/// Tells whether two keys have the same app, environment and region.
pub(crate) fn is_same_app(a: &Key, b: &Key) -> bool {
    (&a.env, &a.region, &a.app) == (&b.env, &b.region, &b.app)
}

/// Returns a key of the only app that `query` can mean. Names that differ only in branch and commit are the same app.
pub(crate) fn pick_app(query: &str, entries: &[KeyEntry]) -> Result<Key, ResolveError> {
    let names: Vec<&str> =
        entries.iter().flat_map(|entry| &entry.members).map(|member| member.name.as_str()).collect();
    let key_of = |name: &str| {
        let holds = |entry: &&KeyEntry| entry.members.iter().any(|member| member.name == name);
        entries.iter().find(holds).map(|entry| entry.key.clone()).expect("the name is an entry's")
    };
    match names::resolve(query, &names) {
        Ok(name) => Ok(key_of(name)),
        Err(ResolveError::Ambiguous { query, candidates }) => {
            let first = key_of(&candidates[0]);
            if candidates.iter().all(|name| is_same_app(&key_of(name), &first)) {
                return Ok(first);
            }
            Err(ResolveError::Ambiguous { query, candidates })
        }
        Err(error) => Err(error),
    }
}
