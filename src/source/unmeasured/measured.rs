//! The code of a commit that stored profiles have, and the modules that it belongs to.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use anyhow::{Result, bail};

use super::super::texts::places_of;
use super::files::{CodeFile, Content};
use crate::code::gosrc::{ModuleFolders, import_path_of_module, is_of_builds, name_in_profiles, parent};
use crate::exit::EarlyEnd;
use crate::fleet::ids::BuildGroupId;
use crate::fleet::pick::is_same_commit;
use crate::fleet::records::Key;
use crate::fleet::row::Row;
use crate::parallel;
use crate::profile::Profile;
use crate::source::{SourceReader, SourceTree, SourcedState};

/// The files that stored profiles of a commit have.
#[derive(Debug, Default)]
pub(super) struct MeasuredCode {
    /// Names in profiles, by the path at which the tree has the file. Of a link that is the path of the link.
    pub(super) by_path: BTreeMap<String, String>,
    /// All names in profiles.
    pub(super) names: HashSet<String>,
    /// Import paths of their packages.
    packages: HashSet<String>,
    folders: HashSet<String>,
    /// Number of profiles that were read.
    pub(super) profiles: usize,
}

impl MeasuredCode {
    fn add(&mut self, names: &[&str], tree: &SourceTree) {
        self.names.extend(names.iter().map(|name| (*name).to_owned()));
        self.packages.extend(names.iter().map(|name| parent(name).to_owned()));
        for (name, path) in names.iter().zip(places_of(names, tree)) {
            let Some(path) = path else { continue };
            self.folders.insert(parent(&path).to_owned());
            self.by_path.insert(path, (*name).to_owned());
        }
    }

    /// Adds files whose code is in profiles under names that line comments give.
    pub(super) fn add_moved(&mut self, found: &[CodeFile]) {
        for file in found {
            let Content::Read { parts, .. } = &file.content else { continue };
            if parts.iter().any(|part| self.names.contains(&part.name)) {
                self.by_path.insert(file.path.clone(), file.name.clone());
            }
        }
    }

    pub(super) fn has_file(&self, path: &str, name: &str) -> bool {
        self.by_path.contains_key(path) || self.names.contains(name)
    }

    pub(super) fn has_package_of(&self, path: &str, name: &str) -> bool {
        self.folders.contains(parent(path)) || self.packages.contains(parent(name))
    }
}

/// The modules that a profile has files of: their import paths by their folders.
pub(super) struct MeasuredModules<'t> {
    folders: ModuleFolders<'t>,
    pub(super) import_paths: BTreeMap<String, String>,
    /// Minor version of the newest Go that a `go.mod` among them asks for.
    pub(super) oldest_go: u32,
}

impl<'t> MeasuredModules<'t> {
    /// Finds the modules of a profile by the names and paths of its files.
    pub(super) fn new<'n>(tree: &'t SourceTree, files: impl Iterator<Item = (&'n str, &'n str)>) -> Self {
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
    pub(super) fn name_of(&self, path: &str) -> Option<String> {
        let folder = self.folders.of(path);
        let import_path = self.import_paths.get(folder)?;
        is_of_builds(path, folder).then(|| name_in_profiles(import_path, path, folder))
    }

    /// Returns the folders of modules with Go files that are not among these, ascending.
    pub(super) fn others(&self, tree: &SourceTree) -> Vec<String> {
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

impl SourceReader<'_> {
    /// Returns the files of the profile and of all kept profiles of its commit.
    pub(super) fn measured_code(
        &self,
        SourcedState { at, tree, profile, keys, .. }: SourcedState<'_>,
        rows: &[Row],
        read: impl Fn(&Row) -> Result<Profile> + Sync,
    ) -> Result<MeasuredCode> {
        let mut code = MeasuredCode::default();
        let own: Vec<&str> = profile.build.files().map(|file| file.name).collect();
        code.add(&own, tree);
        let rows = rows_of_commit(rows, &at.commit.to_string(), keys);
        for (names, profiles) in self.names_of(&rows, read)? {
            code.profiles += profiles;
            let names: Vec<&str> = names.iter().map(|name| &**name).collect();
            code.add(&names, tree);
        }
        Ok(code)
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
