//! The search for the code of a commit that no stored profile has. See [`crate::report::Unmeasured`].

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use anyhow::{Result, bail};

use super::texts::paths_of;
use super::{RepositoryCommit, SourceReader, SourceTree};
use crate::code::gosrc::{
    BuildTags, ConstrainedFile, CoverBlock, CoveredText, FileConstraint, ModuleFolders,
    import_path_of_module, is_of_builds, name_in_profiles, parent, scan,
};
use crate::exit::EarlyEnd;
use crate::fleet::ids::BuildGroupId;
use crate::fleet::pick::is_same_commit;
use crate::fleet::records::Key;
use crate::fleet::row::Row;
use crate::io::git::{BlobContent, ObjectId};
use crate::names::in_message;
use crate::parallel;
use crate::phrases::count;
use crate::profile::{Block, BuildFile, Profile};
use crate::report::{FileNeeds, FileSource, MeasuredFile, Unmeasured, UnmeasuredFile};

/// A stored state of which the unmeasured code is to be found.
#[derive(Clone, Copy)]
pub(crate) struct UnmeasuredSubject<'a> {
    pub(crate) at: &'a RepositoryCommit,
    pub(crate) tree: &'a SourceTree,
    pub(crate) profile: &'a Profile,
    /// The keys of its rows.
    pub(crate) keys: &'a [Key],
    /// The generated ones among measured files must be known.
    pub(crate) needs_generated: bool,
}

/// The modules that a profile has files of: their import paths by their folders.
struct MeasuredModules<'t> {
    folders: ModuleFolders<'t>,
    import_paths: BTreeMap<String, String>,
    /// Minor version of the newest Go that a `go.mod` among them asks for.
    oldest_go: u32,
}

/// A file that may be unmeasured, with its statements.
struct Candidate {
    file: UnmeasuredFile,
    constraint: FileConstraint,
    /// Line comments give its code places in another file.
    has_moved_lines: bool,
    /// The package has measured files.
    is_of_measured_package: bool,
}

/// The reason why a text has no statements that could count.
enum Unusable {
    /// The file has no statements, or Go ignores it.
    NoStatements,
    DoesNotParse,
}

impl SourceReader<'_> {
    /// Finds the code of the modules of a state that no stored profile of its commit has. `rows` are all rows, the newest
    /// last; `read` reads a profile. A row that cannot be read is named, and does not count. Fails if the clone lacks a text.
    pub(crate) fn unmeasured(
        &self,
        subject: UnmeasuredSubject<'_>,
        rows: &[Row],
        read: impl Fn(&Row) -> Result<Profile> + Sync,
    ) -> Result<Unmeasured> {
        let UnmeasuredSubject { at, tree, profile, keys, needs_generated } = subject;
        let own: Vec<BuildFile<'_>> = profile.build.files().collect();
        let (own_paths, _) = self.resolved(&own, tree);
        let names =
            || own.iter().zip(&own_paths).filter_map(|(file, path)| Some((file.name, path.as_deref()?)));
        let modules = MeasuredModules::new(tree, names());
        if modules.import_paths.is_empty() {
            bail!(
                "commit {:.10} has no file of the profile, so it is unknown which of its packages are in no profile",
                at.commit.to_string()
            );
        }

        let mut measured: BTreeMap<String, String> =
            names().map(|(name, path)| (path.to_owned(), name.to_owned())).collect();
        let mut packages: HashSet<String> = own.iter().map(|file| parent(file.name).to_owned()).collect();
        let rows = rows_of_commit(rows, &at.commit.to_string(), keys);
        let mut profiles = 0;
        for names in self.names_of(&rows, read)? {
            profiles += names.1;
            let names: Vec<&str> = names.0.iter().map(|name| &**name).collect();
            packages.extend(names.iter().map(|name| parent(name).to_owned()));
            let paths = paths_of(&names, tree).0.paths;
            let found = names.iter().zip(paths).filter_map(|(name, path)| Some((path?, (*name).to_owned())));
            measured.extend(found);
        }

        let candidates = self.candidates(subject, &modules, (&measured, &packages))?;
        let needs_tags = candidates
            .iter()
            .any(|found| found.constraint.constraint.is_some() && !found.is_of_measured_package);
        let (tags, measured) =
            self.measured(at, tree, (&modules, measured), &candidates, needs_tags, needs_generated)?;
        for found in &candidates {
            let FileConstraint { refused: Some(reason), .. } = &found.constraint else { continue };
            if !found.is_of_measured_package && found.constraint.is_met(&tags) {
                let file = in_message(&found.file.name);
                self.warn(format!("\"{file}\" does not count, because Go cannot build it: {reason}"));
            }
        }
        let (mut files, mut left_out) = (Vec::new(), Vec::new());
        for Candidate { file, constraint, has_moved_lines, is_of_measured_package } in candidates {
            match is_of_measured_package {
                // The profile has its code under the name that the line comments give.
                true if has_moved_lines => {}
                false if constraint.refused.is_none() && constraint.is_met(&tags) => files.push(file),
                _ => left_out.push(file),
            }
        }
        Ok(Unmeasured {
            profiles,
            modules: modules.import_paths.keys().cloned().collect(),
            other_modules: modules.others(tree),
            tags: tags.words(),
            files,
            left_out,
            measured,
        })
    }

    /// Returns the distinct lists of files of rows, each with the number of rows that have it.
    fn names_of(
        &self,
        rows: &[&Row],
        read: impl Fn(&Row) -> Result<Profile> + Sync,
    ) -> Result<Vec<(Vec<Box<str>>, usize)>> {
        let is_over = || self.settings.signals.received().is_some();
        let lists = parallel::on_all_cores(rows, |row| {
            if is_over() {
                return None;
            }
            Some(
                read(row)
                    .map(|profile| profile.build.files().map(|file| file.name.into()).collect::<Vec<_>>()),
            )
        });
        if let Some(signal) = self.settings.signals.received() {
            bail!(EarlyEnd::Signal(signal));
        }
        let mut distinct: HashMap<Vec<Box<str>>, usize> = HashMap::new();
        for (row, list) in rows.iter().zip(lists.into_iter().flatten()) {
            match list {
                Ok(list) => *distinct.entry(list).or_default() += 1,
                Err(error) => self.warn(format!("row {} does not count: {error:#}", row.id.0)),
            }
        }
        Ok(distinct.into_iter().collect())
    }

    /// Reads the files of the modules that no profile has, and returns those with statements, by name.
    fn candidates(
        &self,
        UnmeasuredSubject { at, tree, .. }: UnmeasuredSubject<'_>,
        modules: &MeasuredModules<'_>,
        (measured, packages): (&BTreeMap<String, String>, &HashSet<String>),
    ) -> Result<Vec<Candidate>> {
        let measured_folders: HashSet<&str> = measured.keys().map(|path| parent(path)).collect();
        let is_of_agent = |name: &str| self.settings.config.pull.agent_files.fits(name);
        let named =
            tree.files.paths().filter(|path| !measured.contains_key(*path) && !tree.modules.ignore(path));
        let named = named.filter_map(|path| Some((path, modules.name_of(path)?)));
        let mut named: Vec<(&str, String)> = named.filter(|(_, name)| !is_of_agent(name)).collect();
        named.sort_unstable_by(|one, other| one.1.cmp(&other.1));
        let blobs: Vec<ObjectId> =
            named.iter().filter_map(|(path, _)| tree.files.blob(path).cloned()).collect();
        self.fetched_all(at, &blobs)?;
        let read = at.repository.blobs(&blobs, |index, content| {
            let (path, name) = &named[index];
            let BlobContent::Text(text) = content else { return Err(Unusable::DoesNotParse) };
            let is_of_measured_package =
                measured_folders.contains(parent(path)) || packages.contains(parent(name));
            let found = candidate(path, name, text)?;
            Ok(Candidate { is_of_measured_package, ..found })
        })?;
        let mut candidates = Vec::new();
        let mut unusable = Vec::new();
        for ((path, _), found) in named.iter().zip(read) {
            match found {
                Ok(candidate) => candidates.push(candidate),
                Err(Unusable::NoStatements) => {}
                Err(Unusable::DoesNotParse) => unusable.push(*path),
            }
        }
        match unusable[..] {
            [] => {}
            [file] => {
                self.warn(format!("\"{}\" is too large or no Go, and does not count", in_message(file)));
            }
            [first, ..] => self.warn(format!(
                "{}, such as \"{}\", are too large or no Go, and do not count",
                count(unusable.len(), "files"),
                in_message(first)
            )),
        }
        Ok(candidates)
    }

    /// Returns the measured files of the modules, and concludes the tags of the build from them and from the files that
    /// their packages have besides.
    fn measured(
        &self,
        at: &RepositoryCommit,
        tree: &SourceTree,
        (modules, measured): (&MeasuredModules<'_>, BTreeMap<String, String>),
        candidates: &[Candidate],
        needs_tags: bool,
        needs_generated: bool,
    ) -> Result<(BuildTags, Vec<MeasuredFile>)> {
        let files = measured.into_iter().filter(|(path, _)| modules.name_of(path).is_some());
        let mut files: Vec<MeasuredFile> =
            files.map(|(path, name)| MeasuredFile { name, path, is_generated: false }).collect();
        if !needs_tags && !needs_generated {
            return Ok((BuildTags::concluded(&[], modules.oldest_go), files));
        }
        let blobs: Vec<ObjectId> =
            files.iter().filter_map(|file| tree.files.blob(&file.path).cloned()).collect();
        self.fetched_all(at, &blobs)?;
        let heads = at.repository.blobs(&blobs, |index, content| {
            let text = content.text()?;
            let is_generated = needs_generated && scan(text).is_ok_and(|scanned| scanned.is_generated);
            Some((FileConstraint::of(base_name(&files[index].path), text), is_generated))
        })?;
        let mut known = Vec::new();
        for (file, head) in files.iter_mut().zip(heads) {
            let Some((constraint, is_generated)) = head else { continue };
            file.is_generated = is_generated;
            let constraint = constraint.constraint;
            known.extend(constraint.map(|constraint| ConstrainedFile { constraint, is_compiled: true }));
        }
        let beside = candidates.iter().filter(|found| found.is_of_measured_package && !found.has_moved_lines);
        known.extend(beside.filter_map(|found| {
            let constraint = found.constraint.constraint.clone()?;
            Some(ConstrainedFile { constraint, is_compiled: false })
        }));
        Ok((BuildTags::concluded(&known, modules.oldest_go), files))
    }
}

impl<'t> MeasuredModules<'t> {
    /// Finds the modules of a profile by the names and paths of its files.
    fn new<'n>(tree: &'t SourceTree, files: impl Iterator<Item = (&'n str, &'n str)>) -> Self {
        let folders = ModuleFolders::new(tree.files.paths());
        let mut import_paths = BTreeMap::new();
        for (name, path) in files {
            let folder = folders.of(path);
            if let Some(import_path) = import_path_of_module(name, path, folder) {
                import_paths.entry(folder.to_owned()).or_insert_with(|| import_path.to_owned());
            }
        }
        let versions = import_paths.keys().filter_map(|folder| tree.modules.go_minor(folder));
        let oldest_go = versions.max().unwrap_or(0);
        Self { folders, import_paths, oldest_go }
    }

    /// Returns the name in profiles of a file that a build of the modules can have.
    fn name_of(&self, path: &str) -> Option<String> {
        let folder = self.folders.of(path);
        let import_path = self.import_paths.get(folder)?;
        is_of_builds(path, folder).then(|| name_in_profiles(import_path, path, folder))
    }

    /// Returns the folders of modules with Go files that are not among these, ascending.
    fn others(&self, tree: &SourceTree) -> Vec<String> {
        let with_files: BTreeSet<&str> = tree
            .files
            .paths()
            .map(|path| (path, self.folders.of(path)))
            .filter(|(path, folder)| is_of_builds(path, folder))
            .map(|(_, folder)| folder)
            .collect();
        let others = self.folders.folders().filter(|folder| !self.import_paths.contains_key(*folder));
        others.filter(|folder| with_files.contains(folder)).map(str::to_owned).collect()
    }
}

/// Returns the rows of a commit whose profiles are kept: of each build group of a key the newest one, which has the files of
/// all. `own` are the keys of the state itself.
fn rows_of_commit<'r>(rows: &'r [Row], commit: &str, own: &[Key]) -> Vec<&'r Row> {
    let is_of_commit =
        |key: &Key| own.contains(key) || !key.commit.is_empty() && is_same_commit(commit, &key.commit);
    let mut seen: HashSet<(&Key, BuildGroupId)> = HashSet::new();
    let kept = rows.iter().rev().filter(|row| row.deleted_at.is_none() && is_of_commit(&row.key));
    kept.filter(|row| row.stats.as_ref().is_none_or(|stats| seen.insert((&row.key, stats.build_group))))
        .collect()
}

/// Finds the statements of a text. The caller knows whether its package is measured.
fn candidate(path: &str, name: &str, text: &[u8]) -> Result<Candidate, Unusable> {
    let found = CoveredText::of(text).map_err(|_| Unusable::DoesNotParse)?;
    // Go ignores the package of documentation.
    if found.statements() == 0 || found.package == "documentation" {
        return Err(Unusable::NoStatements);
    }
    let block = |&CoverBlock { start, end, statements }: &CoverBlock| Block { start, end, statements };
    let blocks: Vec<Block> = found.blocks.iter().map(block).collect();
    let is_of_command = found.package == "main";
    let has_moved_lines = found.scanned.has_moved_lines;
    let file = BuildFile { name, blocks: &blocks, range: (0, blocks.len()) };
    let counts = vec![0; blocks.len()];
    let source = FileSource::from_text((path, text, Ok(found.scanned)), &file, &counts, FileNeeds::default());
    Ok(Candidate {
        constraint: FileConstraint::of(base_name(path), text),
        has_moved_lines,
        is_of_measured_package: false,
        file: UnmeasuredFile { name: name.to_owned(), is_of_command, source, blocks },
    })
}

fn base_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}
