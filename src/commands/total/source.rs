//! The part of a total that the source decides: what other commits executed, and what marks take out.

use std::collections::HashMap;

use anyhow::{Result, bail};
use serde_json::json;

use super::{Total, TotalArgs};
use crate::collect::mending::stored_profile;
use crate::commands::before::StoredState;
use crate::commands::count_unmeasured::add_unmeasured;
use crate::commands::counted::Counted;
use crate::commands::group::without_marked;
use crate::commands::notices::told;
use crate::commands::report::notices;
use crate::commands::{Context, carry, with};
use crate::coverage::Coverage;
use crate::exit::EarlyEnd;
use crate::fleet::row::Row;
use crate::gate::Before;
use crate::io::signals::Signals;
use crate::io::workdir::ReadersLock;
use crate::profile::Profile;
use crate::report::GroupJson;
use crate::source::{MarkedProfile, RepositoryCommit, Revision, SourceReader, SourceTree, SourcedState};
use crate::together::Together;

impl Total<'_> {
    /// Finds what other runs and other commits executed and what marks take out, and counts without that; fetches the source
    /// if it is necessary.
    pub(super) fn counted(
        &mut self,
        args: &TotalArgs,
        rows: &[Row],
        reading: &ReadersLock,
        (context, signals): (&Context, &Signals),
    ) -> Result<(Counted, Option<MarkedProfile>)> {
        let notify = |notice| notices::print(notice, context);
        let settings = notices::source_settings(context, signals, &notify);
        let reader = SourceReader { settings, app: self.app(settings), is_offline: false };
        let read;
        let profile = match (&self.combined, &self.grown) {
            (Some((profile, _)), _) | (None, Some(profile)) => profile,
            (None, None) => {
                read = told(stored_profile(&self.row, &context.workdir)?);
                &read
            }
        };
        let with = args.with.read(profile, context)?;
        let request = args.carry.request(context.now());
        let needs_source = request.is_some()
            || args.marks.ignore_marked
            || args.counting.count_unmeasured
            || with.iter().any(|with| with.needs_source(profile));
        let found = if needs_source { Some(self.source(&reader, reading)?) } else { None };
        let here = found.as_ref().map(|(at, tree)| (at, tree));
        let mut together_here = match with.is_empty() {
            true => None,
            false => {
                let commit = (self.row.key.commit.as_str(), here);
                let together = reader.together_here(profile, with, commit, request.is_some(), reading);
                Some(together.map_err(with::refusal)?)
            }
        };
        let keys = match &self.group {
            None => vec![self.row.key.clone()],
            Some(group) => group.keys(),
        };
        let added = match here.filter(|_| args.counting.count_unmeasured) {
            Some((at, tree)) => {
                let subject = SourcedState { at, tree, profile, keys: &keys };
                let together = together_here.as_mut().map(|together_here| &mut together_here.together);
                Some(add_unmeasured(&reader, subject, rows, together)?)
            }
            None => None,
        };
        let together = together_here
            .map(|together_here| reader.carry_others(together_here, here).map_err(with::refusal))
            .transpose()?;
        let (widened, added) = added.unzip();
        let of_service = widened.as_ref().unwrap_or(profile);
        let profile = together.as_ref().map_or(of_service, Together::profile);
        let marked = here.filter(|_| args.marks.ignore_marked);
        let marked = marked.map(|here| reader.marks(profile, here)).transpose()?;
        let carried = match (request, here) {
            (Some(request), Some((at, tree))) => {
                let subject = SourcedState { at, tree, profile, keys: &keys };
                Some(carry::carried(&reader, subject, rows, request)?)
            }
            _ => None,
        };
        let ignored = || marked.iter().flat_map(MarkedProfile::ignored_blocks);
        let union = carried.as_ref().filter(|_| added.is_some()).map(|carried| carried.union(profile));
        let all = union.as_ref().unwrap_or(profile);
        let unmeasured = added.map(|added| added.counted(coverage_of_files(all, ignored())));
        let carried = carried.map(|carried| match &marked {
            Some(_) => carried.coverage_of_files(profile, ignored(), context.now()),
            None => carried.coverage(profile, context.now()),
        });
        if let Some(signal) = signals.received() {
            bail!(EarlyEnd::Signal(signal));
        }
        let left = marked.as_ref().map(|marked| profile.coverage().without(marked.ignored()));
        if let (Some(marked), Some(state), Some((profile, facts))) = (&marked, &self.group, &self.combined) {
            let facts = without_marked(state, facts, profile, marked.ignored_blocks(), context)?;
            self.object["group"] = json!(GroupJson::new(&facts, profile.build.files().map(|file| file.name)));
        }
        if let Some(left) = left {
            self.count_only(left);
        }
        let together = together.as_ref().map(Together::coverage);
        Ok((Counted { together, carried, unmeasured }, marked))
    }

    /// Finds the commit with its files.
    fn source(
        &self,
        reader: &SourceReader<'_>,
        reading: &ReadersLock,
    ) -> Result<(RepositoryCommit, SourceTree)> {
        if self.row.key.commit.is_empty() {
            bail!(
                "{} has no commit in its name, so it is unknown which source it has; without --carry, --with, \
                 --count-unmeasured and --ignore-marked its total is printed",
                self.name
            );
        }
        let at = reader.at(&Revision::Hash(self.row.key.commit.clone()), reading)?;
        let tree = reader.tree(&at)?;
        Ok((at, tree))
    }
}

/// Returns the files of a profile with their coverage. `ignored` has for each file the numbers of its blocks from which marks
/// take statements, with how many.
fn coverage_of_files<'p, 'm: 'p>(
    profile: &'p Profile,
    ignored: impl Iterator<Item = (&'m str, &'m [(usize, u32)])>,
) -> impl Iterator<Item = (&'p str, Coverage)> {
    let ignored: HashMap<&str, &[(usize, u32)]> = ignored.collect();
    profile.build.files().map(move |file| {
        let counts = &profile.counts[file.range.0..file.range.1];
        let part = |statements: u32, count: u64| {
            let total = u64::from(statements);
            Coverage { covered: if count > 0 { total } else { 0 }, total }
        };
        let all = file.blocks.iter().zip(counts).map(|(block, &count)| part(block.statements, count)).sum();
        let taken = ignored.get(file.name).copied().unwrap_or_default();
        let taken = taken.iter().map(|&(block, statements)| part(statements, counts[block])).sum();
        (file.name, Coverage::without(all, taken))
    })
}

/// Returns a state before without the statements that marks take out there; `Err` in the result tells in words why they are
/// unknown.
pub(super) fn before_without_marked(
    (state, before): (&StoredState<'_>, Before),
    reader: &SourceReader<'_>,
    reading: &ReadersLock,
    context: &Context,
) -> Result<Result<Before, String>> {
    let row = state.row();
    if row.deleted_at.is_some() {
        return Ok(Err(format!(
            "row {} has no profile any more, so marks cannot be applied to it",
            row.id.0
        )));
    }
    let profile = state.profile(context)?;
    let at = reader.at(&Revision::Hash(row.key.commit.clone()), reading)?;
    let marked = reader.marks(&profile, (&at, &reader.tree(&at)?))?;
    Ok(Ok(before.of_part(profile.coverage().without(marked.ignored()))))
}
