//! The profiles of other runs that count together with a stored one: they are read, compared with the source of their
//! commit, and carried from it if that is another one. See [`crate::together`].

mod read;

use anyhow::{Result, bail};

use self::read::read_profile;
use super::{RepositoryCommit, Revision, SourceReader, SourceTree};
use crate::agent_files::AgentFiles;
use crate::code::gosrc::scan;
use crate::io::git::ObjectId;
use crate::io::workdir::ReadersLock;
use crate::names::in_message;
use crate::parallel;
use crate::phrases::count;
use crate::profile::{Build, BuildFile, Limits, PartOfBuild, Profile};
use crate::together::{LabelledProfile, Misfit, Together, WithArgument, unfit_block};

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

    /// Tells whether the source is needed: for files that the service has not, or to find a revision.
    pub(crate) fn needs_source(&self, service: &Profile) -> bool {
        self.argument.revision.is_some() || self.files_unknown_to(service).next().is_some()
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

/// The commit of a stored state, with its files.
pub(crate) type CommitSource<'a> = (&'a RepositoryCommit, &'a SourceTree);

impl SourceReader<'_> {
    /// Counts the profile of a service together with others. `here` is the commit of the service, which may be missing if
    /// no profile needs the source; `commit` names it in messages. A profile of another commit is carried from there if
    /// `carries` is true, and refused else.
    pub(crate) fn together(
        &self,
        service: &Profile,
        with: Vec<WithProfile>,
        (commit, here): (&str, Option<CommitSource<'_>>),
        carries: bool,
        reading: &ReadersLock,
    ) -> Result<Together> {
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
        let labelled = of_here
            .iter()
            .map(|WithProfile { argument, profile }| LabelledProfile { label: &argument.label, profile });
        let labelled: Vec<_> = labelled.collect();
        let mut together = Together::new(service, &labelled).map_err(|misfit| {
            let of = |with: &&WithProfile| with.argument.label == misfit.label;
            let with = of_here.iter().find(of).expect("a misfit has the label of its profile");
            with.refused(&misfit, commit)
        })?;
        for with in of_here.iter().filter(|with| with.files_unknown_to(service).next().is_some()) {
            let Some(here) = here else { continue };
            self.check_fit(with, (&service.build, &together.profile().build), here, commit)?;
        }
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
        with: WithProfile,
        here: CommitSource<'_>,
        other: RepositoryCommit,
    ) -> Result<()> {
        let commit = other.commit.to_string();
        let own = &together.profile().build;
        let other = self.state_at(here, other, with.profile.clone(), own)?;
        self.check_fit(&with, (&Build::empty(), own), (&other.at, &other.tree), &commit)?;
        let blocks = self.executed_at(here, together.profile(), &other)?;
        if blocks.is_empty() {
            let path = with.shown_path();
            self.warn(format!("nothing is carried from \"{path}\" of commit {commit:.10}: no function that it executed is the \
                               same here"));
        }
        together.carry(with.argument.label, commit, blocks.into_iter());
        Ok(())
    }

    /// Compares the blocks of the files that are not `known` with their source at a commit, and warns of files that the
    /// commit lacks. `others` are files that were built in the same folder.
    fn check_fit(
        &self,
        with: &WithProfile,
        (known, others): (&Build, &Build),
        (at, tree): CommitSource<'_>,
        commit: &str,
    ) -> Result<()> {
        let files: Vec<BuildFile<'_>> = with.profile.build.files().collect();
        let is_unknown = |file: &BuildFile<'_>| known.find(file.name).is_none();
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
        let unfit = at.repository.blobs(&blobs, |index, content| {
            let text = content.text()?;
            unfit_block(text, &scan(text).ok()?, found[index].0.blocks)
        })?;
        let first = found.iter().zip(unfit).find_map(|((file, _), unfit)| Some((file, unfit?)));
        if let Some((file, (block, why))) = first {
            let misfit =
                Misfit { label: with.argument.label.clone(), file: file.name.to_owned(), block, why };
            bail!(with.refused(&misfit, commit));
        }
        if let [first, ..] = lacking[..] {
            self.warn(format!(
                "commit {commit:.10} lacks {} of \"{}\", such as {}; their blocks count and cannot be compared with source",
                count(lacking.len(), "files"),
                with.shown_path(),
                in_message(first)
            ));
        }
        Ok(())
    }
}
