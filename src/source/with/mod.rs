//! The profiles of other runs that count together with a stored one: they are read, compared with the source of their
//! commit, and carried from it if that is another one. See [`crate::together`].

mod read;

use std::sync::Arc;

use anyhow::{Result, bail};

use self::read::read_profile;
use super::{RepositoryCommit, Revision, SourceReader, SourceTree};
use crate::agent_files::AgentFiles;
use crate::code::gosrc::parent;
use crate::io::git::ObjectId;
use crate::io::workdir::ReadersLock;
use crate::names::in_message;
use crate::parallel;
use crate::phrases::count;
use crate::profile::{Block, Build, BuildFile, Limits, PartOfBuild, Profile, unite};
use crate::together::{LabelledProfile, Misfit, Together, Unfit, WithArgument, all_blocks};

/// A profile of another run.
pub(crate) struct WithProfile {
    argument: WithArgument,
    profile: Profile,
}

/// The error for a profile that is not of the commit whose source it should have.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct ProfileRefused(String);

impl WithProfile {
    /// Reads profiles that are to count together with that of a service. Files of agents are left out unless the service has
    /// them.
    pub(crate) fn read_all(
        arguments: &[WithArgument],
        service: &Profile,
        limits: Limits,
        agent_files: &AgentFiles,
    ) -> Result<Vec<Self>> {
        let is_of_agent = |name: &str| agent_files.fits(name) && service.build.find(name).is_none();
        let read = parallel::on_all_cores(arguments, |argument| {
            let profile = read_profile(&argument.path, limits)?;
            let part = PartOfBuild::new(&profile.build, is_of_agent);
            let profile = match part {
                Some(part) => Profile {
                    mode: profile.mode,
                    counts: part.counts(&profile.counts),
                    build: part.build().clone(),
                },
                None => profile,
            };
            Ok(Self { argument: argument.clone(), profile })
        });
        read.into_iter().collect()
    }

    fn labelled(&self) -> LabelledProfile<'_> {
        LabelledProfile { label: &self.argument.label, profile: &self.profile }
    }

    /// Tells whether the source is needed: for files that the service has not, or to find a revision.
    pub(crate) fn needs_source(&self, service: &Profile) -> bool {
        self.argument.revision.is_some() || self.files_unknown_to(service).next().is_some()
    }

    /// Returns the files of which something was executed.
    fn executed_files(&self) -> impl Iterator<Item = BuildFile<'_>> {
        let counts = |file: &BuildFile<'_>| &self.profile.counts[file.range.0..file.range.1];
        self.profile.build.files().filter(move |file| counts(file).iter().any(|&count| count > 0))
    }

    fn files_unknown_to<'p>(&'p self, service: &'p Profile) -> impl Iterator<Item = BuildFile<'p>> {
        self.profile.build.files().filter(|file| service.build.find(file.name).is_none())
    }

    /// Returns the error for a block that is not of a commit.
    fn refused(&self, misfit: &Misfit, commit: &str) -> ProfileRefused {
        let path = self.shown_path();
        let next = match self.argument.revision.is_some() {
            true => "name the commit at which these tests ran".to_owned(),
            false => format!(
                "run these tests at that commit, or name theirs: --carry --with {path}={}@REV",
                in_message(&self.argument.label)
            ),
        };
        let commit = match commit {
            "" => "the commit of the service".to_owned(),
            commit => format!("commit {commit:.10}"),
        };
        ProfileRefused(format!("{misfit}, so \"{path}\" is not of {commit}; {next}"))
    }

    fn shown_path(&self) -> String {
        in_message(&self.argument.path.display().to_string()).into_owned()
    }
}

/// Tells whether a file that a commit lacks may be named by a `//line` comment of a Go file, such as a grammar or template: it
/// is of another kind, and its package is in the commit.
fn is_line_target(name: &str, tree: &SourceTree) -> bool {
    let is_beside = |path: &str| match parent(path) {
        "" => true,
        folder => parent(name).strip_suffix(folder).is_some_and(|rest| rest.ends_with('/')),
    };
    name.strip_suffix(".go").is_none() && tree.go_files().any(|(path, _)| is_beside(path))
}

/// The profile of a service together with those of its commit; those of other commits are not carried yet.
pub(crate) struct TogetherHere {
    pub(crate) together: Together,
    elsewhere: Vec<(WithProfile, RepositoryCommit)>,
    /// The labels of all in the order in which they were given.
    order: Vec<String>,
}

/// The commit of a stored state, with its files.
pub(crate) type CommitSource<'a> = (&'a RepositoryCommit, &'a SourceTree);

impl SourceReader<'_> {
    /// Counts the profile of a service together with others of its commit. `here` is the commit of the service, which may
    /// be missing if no profile needs the source; `commit` names it in messages. A profile of another commit is kept for
    /// [`carry_others`](Self::carry_others) if `carries` is true, and refused else.
    pub(crate) fn together_here(
        &self,
        service: &Profile,
        with: Vec<WithProfile>,
        (commit, here): (&str, Option<CommitSource<'_>>),
        carries: bool,
        reading: &ReadersLock,
    ) -> Result<TogetherHere> {
        for with in with.iter().filter(|with| with.profile.build.file_count() == 0) {
            self.warn(format!("\"{}\" has no blocks, so it adds nothing", with.shown_path()));
        }
        let order: Vec<String> = with.iter().map(|with| with.argument.label.clone()).collect();
        let mut of_here = Vec::new();
        let mut elsewhere = Vec::new();
        for with in with {
            match here.map(|(at, _)| self.other_commit(&with, at, reading)).transpose()?.flatten() {
                Some(other) if carries => elsewhere.push((with, other)),
                Some(other) => bail!(ProfileRefused(format!(
                    "\"{}\" is of commit {:.10}, and the service of commit {commit:.10}; --carry counts what it executed in \
                     functions that are the same here",
                    with.shown_path(),
                    other.commit.to_string()
                ))),
                None => of_here.push(with),
            }
        }
        let together = self.fitted_together(service, of_here, (commit, here))?;
        Ok(TogetherHere { together, elsewhere, order })
    }

    /// Unites profiles that are said to be of the same commit, and compares with the source what only others have.
    fn fitted_together(
        &self,
        service: &Profile,
        mut of_here: Vec<WithProfile>,
        (commit, here): (&str, Option<CommitSource<'_>>),
    ) -> Result<Together> {
        let united = |of_here: &[WithProfile]| {
            let labelled: Vec<_> = of_here.iter().map(WithProfile::labelled).collect();
            Together::new(service, &labelled)
        };
        let refused = |misfit: Misfit, of_here: &[WithProfile]| {
            let of = |with: &&WithProfile| with.argument.label == misfit.label;
            let with = of_here.iter().find(of).expect("a misfit has the label of its profile");
            with.refused(&misfit, commit)
        };
        let mut together = united(&of_here);
        let Some(here) = here else { return together.map_err(|misfit| refused(misfit, &of_here).into()) };
        let mut others = Arc::clone(&service.build);
        match &together {
            Ok(together) => others = Arc::clone(&together.profile().build),
            // Of two that contradict each other, the source tells which one is wrong.
            Err(Misfit { why: Unfit::NotOfOther { .. }, .. }) => {}
            Err(misfit) => bail!(refused(misfit.clone(), &of_here)),
        }
        let mut is_final = together.is_ok();
        for with in &mut of_here {
            is_final &= !self.fit(with, (&service.build, &others), here, commit)?;
        }
        if !is_final {
            together = united(&of_here);
        }
        together.map_err(|misfit| refused(misfit, &of_here).into())
    }

    /// Carries the profiles of other commits to the commit of the service, in blocks that those of this commit have.
    pub(crate) fn carry_others(
        &self,
        TogetherHere { mut together, elsewhere, order }: TogetherHere,
        here: Option<CommitSource<'_>>,
    ) -> Result<Together> {
        for (with, other) in elsewhere {
            let Some(here) = here else { continue };
            self.carry_from(&mut together, with, here, other)?;
        }
        together.sort_by_key(|label| order.iter().position(|own| own == label).unwrap_or_default());
        Ok(together)
    }

    /// Returns the commit of a profile if it is another one than that of the service.
    fn other_commit(
        &self,
        with: &WithProfile,
        at: &RepositoryCommit,
        reading: &ReadersLock,
    ) -> Result<Option<RepositoryCommit>> {
        let Some(revision) = &with.argument.revision else { return Ok(None) };
        let found = self.at(&Revision::Any(revision.clone()), reading)?;
        Ok((found.commit != at.commit).then_some(found))
    }

    /// Carries a profile from another commit.
    fn carry_from(
        &self,
        together: &mut Together,
        mut with: WithProfile,
        here: CommitSource<'_>,
        other: RepositoryCommit,
    ) -> Result<()> {
        let commit = other.commit.to_string();
        let own = &together.profile().build;
        let mut other = self.state_at(here, other, with.profile.clone(), own)?;
        self.fit(&mut with, (&Build::empty(), own), (&other.at, &other.tree), &commit)?;
        other.profile.clone_from(&with.profile);
        let blocks = self.executed_at(here, together.profile(), &other)?;
        let without_blocks = with.executed_files().filter(|file| own.find(file.name).is_none());
        let without_blocks: Vec<&str> = without_blocks.map(|file| file.name).collect();
        if let [first, ..] = without_blocks[..] {
            self.warn(format!(
                "what \"{}\" of commit {commit:.10} executed in {} is not carried, such as {}: neither the service nor another \
                 run has {} here (--count-unmeasured counts files that nobody has)",
                with.shown_path(),
                count(without_blocks.len(), "files"),
                in_message(first),
                if without_blocks.len() == 1 { "it" } else { "them" },
            ));
        }
        if blocks.is_empty() && without_blocks.len() < with.executed_files().count() {
            let path = with.shown_path();
            self.warn(format!("nothing is carried from \"{path}\" of commit {commit:.10}: no function that it executed is the \
                               same here"));
        }
        together.carry(with.argument.label, commit, blocks.into_iter());
        Ok(())
    }

    /// Compares the blocks of the files that are not `known` with their source at a commit, adds those with statements that
    /// the profile lacks, and warns of files that the commit lacks. `others` are files that were built in the same folder.
    /// Tells whether blocks were added.
    fn fit(
        &self,
        with: &mut WithProfile,
        (known, others): (&Build, &Build),
        (at, tree): CommitSource<'_>,
        commit: &str,
    ) -> Result<bool> {
        let files: Vec<BuildFile<'_>> = with.profile.build.files().collect();
        let is_unknown = |file: &BuildFile<'_>| known.find(file.name).is_none();
        if !files.iter().any(is_unknown) {
            return Ok(false);
        }
        let (paths, _) = self.resolved_among(&files, others, tree);
        let placed = files.iter().zip(&paths).filter(|(file, _)| is_unknown(file));
        let (mut found, mut lacking) = (Vec::new(), Vec::new());
        for (file, path) in placed {
            match path.as_deref().and_then(|path| tree.files.blob(path)) {
                Some(blob) => found.push((file, blob.clone())),
                None => lacking.push(file.name),
            }
        }
        if let [first, ..] = lacking[..]
            && lacking.len() == files.len()
            && !lacking.iter().any(|name| is_line_target(name, tree))
        {
            let first = in_message(first);
            bail!(ProfileRefused(format!(
                "\"{}\" has no file of the service or of commit {commit:.10}, only such as {first}: it is of another module, \
                 or of another commit",
                with.shown_path()
            )));
        }
        let blobs: Vec<ObjectId> = found.iter().map(|(_, blob)| blob.clone()).collect();
        self.fetched_all(at, &blobs)?;
        let compared = at.repository.blobs(&blobs, |index, content| {
            content.text().map_or(Ok(None), |text| all_blocks(text, found[index].0.blocks))
        })?;
        let mut whole: Vec<(&str, Vec<Block>)> = Vec::new();
        for ((file, _), compared) in found.iter().zip(compared) {
            match compared {
                Ok(blocks) => whole.extend(blocks.map(|blocks| (file.name, blocks))),
                Err((block, why)) => {
                    let (label, file) = (with.argument.label.clone(), file.name.to_owned());
                    bail!(with.refused(&Misfit { label, file, block, why }, commit));
                }
            }
        }
        if let [first, ..] = lacking[..] {
            self.warn(format!(
                "commit {commit:.10} lacks {} of \"{}\", such as {}; their blocks count and cannot be compared with source",
                count(lacking.len(), "files"),
                with.shown_path(),
                in_message(first)
            ));
        }
        if whole.is_empty() {
            return Ok(false);
        }
        let whole = whole.iter().map(|(name, blocks)| (*name, &blocks[..]));
        let whole = Profile::not_executed(with.profile.mode, whole);
        let nothing = Profile::not_executed(with.profile.mode, std::iter::empty());
        let united = unite(&nothing, &[&with.profile, &whole]);
        with.profile = united.expect("a text has all blocks of a profile that fits it");
        Ok(true)
    }
}
