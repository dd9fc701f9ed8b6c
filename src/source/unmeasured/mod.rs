//! The search for the code of a commit that no stored profile has. See [`crate::report::Unmeasured`].

mod files;
mod measured;
mod refused;

use std::collections::BTreeMap;

use anyhow::{Result, bail};

use self::files::{CodeFile, Content, FilePart};
use self::measured::{MeasuredCode, MeasuredModules};
use self::refused::{Refusal, refused_packages};
use super::{SourceReader, SourcedState};
use crate::code::gosrc::{BuildTags, ConstrainedFile, FileConstraint, ScannedFile, parent, scan};
use crate::fleet::row::Row;
use crate::io::git::ObjectId;
use crate::names::in_message;
use crate::phrases::count;
use crate::profile::{BuildFile, Profile};
use crate::report::{FileNeeds, FileSource, MeasuredFile, RefusedPackage, Unmeasured, UnmeasuredFile};

/// Most packages or files that do not count of which each is named.
const MOST_NAMED: usize = 3;

impl SourceReader<'_> {
    /// Finds the code of the modules of a state that no stored profile of its commit has. `rows` are all rows, the newest
    /// last; `read` reads a profile. A row that cannot be read is named, and does not count. Fails if the clone lacks a text.
    /// With `needs_generated`, the generated ones among measured files are known.
    pub(crate) fn unmeasured(
        &self,
        state: SourcedState<'_>,
        needs_generated: bool,
        rows: &[Row],
        read: impl Fn(&Row) -> Result<Profile> + Sync,
    ) -> Result<Unmeasured> {
        let SourcedState { at, tree, profile, .. } = state;
        let own: Vec<BuildFile<'_>> = profile.build.files().collect();
        let (own_paths, _) = self.resolved(&own, tree);
        let names = own.iter().zip(&own_paths).filter_map(|(file, path)| Some((file.name, path.as_deref()?)));
        let modules = MeasuredModules::new(tree, names);
        if modules.import_paths.is_empty() {
            bail!(
                "commit {:.10} has no file of the profile, so it is unknown which of its packages are in no profile",
                at.commit.to_string()
            );
        }
        let mut code = self.measured_code(state, rows, read)?;
        let found = self.code_files(state, &modules, &code)?;
        code.add_moved(&found);
        let (tags, measured) = self.measured_files((state, needs_generated), &modules, &code, &found)?;
        let refused = refused_packages(&found, &tags);
        self.tell_refused(&refused);
        self.tell_unreadable(&found, &tags);
        let refused: Vec<RefusedPackage> = refused
            .into_iter()
            .map(|(package, why)| RefusedPackage { package: package.to_owned(), why: why.to_string() })
            .collect();
        let is_refused =
            |package: &str| refused.binary_search_by(|refused| refused.package.as_str().cmp(package)).is_ok();

        let (mut files, mut left_out) = (Vec::new(), Vec::new());
        for file in found {
            let is_met = file.constraint.is_met(&tags);
            let is_refused = is_met && is_refused(parent(&file.name));
            let Content::Read { package, parts } = file.content else { continue };
            if is_refused || parts.iter().any(|part| code.names.contains(&part.name)) {
                continue;
            }
            let of_kind = if is_met && !file.is_of_measured_package { &mut files } else { &mut left_out };
            of_kind.extend(parts.into_iter().map(|part| (part, package == "main")));
        }
        Ok(Unmeasured {
            profiles: code.profiles,
            modules: modules.import_paths.keys().cloned().collect(),
            other_modules: modules.others(tree),
            tags: tags.words(),
            files: merged(files),
            left_out: merged(left_out),
            refused,
            measured,
        })
    }

    /// Returns the measured files of the modules, and concludes the tags of the build from them and from the files that
    /// their packages have besides.
    fn measured_files(
        &self,
        (SourcedState { at, tree, .. }, needs_generated): (SourcedState<'_>, bool),
        modules: &MeasuredModules<'_>,
        code: &MeasuredCode,
        found: &[CodeFile],
    ) -> Result<(BuildTags, Vec<MeasuredFile>)> {
        let files = code.by_path.iter().filter(|(path, _)| modules.name_of(path).is_some());
        let mut files: Vec<MeasuredFile> = files
            .map(|(path, name)| MeasuredFile { name: name.clone(), path: path.clone(), is_generated: false })
            .collect();
        let has_constraint = |file: &CodeFile| file.constraint.constraint.is_some();
        let needs_tags = found.iter().any(|file| has_constraint(file) && !file.is_of_measured_package);
        if !needs_tags && !needs_generated {
            return Ok((BuildTags::concluded(&[], modules.oldest_go), files));
        }
        let (with_text, blobs): (Vec<usize>, Vec<ObjectId>) = files
            .iter()
            .enumerate()
            .filter_map(|(index, file)| Some((index, tree.blob(&file.path)?.clone())))
            .unzip();
        self.fetched_all(at, &blobs)?;
        let heads = at.repository.blobs(&blobs, |index, content| {
            let text = content.text()?;
            let is_generated = needs_generated && scan(text).is_ok_and(|scanned| scanned.is_generated);
            let path = &files[with_text[index]].path;
            Some((FileConstraint::of(base_name(path), text), is_generated))
        })?;
        let mut known = Vec::new();
        for (index, head) in with_text.into_iter().zip(heads) {
            let Some((FileConstraint { constraint, .. }, is_generated)) = head else { continue };
            files[index].is_generated = is_generated;
            known.extend(constraint.map(|constraint| ConstrainedFile { constraint, is_compiled: true }));
        }
        let beside = found.iter().filter(|file| file.is_of_measured_package && file.has_statements());
        known.extend(beside.filter_map(|file| {
            let constraint = file.constraint.constraint.clone()?;
            Some(ConstrainedFile { constraint, is_compiled: code.by_path.contains_key(&file.path) })
        }));
        Ok((BuildTags::concluded(&known, modules.oldest_go), files))
    }

    /// Warns of packages that do not count, because Go cannot build them.
    fn tell_refused(&self, refused: &BTreeMap<&str, Refusal<'_>>) {
        for (package, why) in refused.iter().take(MOST_NAMED) {
            self.warn(format!(
                "package \"{}\" does not count, because Go cannot build it: {why}; mend it, or leave it out by a build \
                 constraint",
                in_message(package)
            ));
        }
        if let Some(more @ 1..) = refused.len().checked_sub(MOST_NAMED) {
            self.warn(format!("not counted for such a reason either: {}", count(more, "more packages")));
        }
    }

    /// Warns of files of which it is unknown what they have.
    fn tell_unreadable(&self, found: &[CodeFile], tags: &BuildTags) {
        let unreadable = found.iter().filter_map(|file| match file.content {
            Content::Unreadable(why) if !file.is_of_measured_package && file.constraint.is_met(tags) => {
                Some((&file.path, why))
            }
            _ => None,
        });
        let unreadable: Vec<(&String, &str)> = unreadable.collect();
        for (path, why) in unreadable.iter().take(MOST_NAMED) {
            self.warn(format!(
                "\"{}\" does not count: {why}, so its statements are unknown",
                in_message(path)
            ));
        }
        if let Some(more @ 1..) = unreadable.len().checked_sub(MOST_NAMED) {
            self.warn(format!("not counted for such a reason either: {}", count(more, "more files")));
        }
    }
}

/// Puts together the parts that have one name, each with whether it is of a command. Returns the files by name.
fn merged(parts: Vec<(FilePart, bool)>) -> Vec<UnmeasuredFile> {
    let mut by_name: BTreeMap<String, (FilePart, bool)> = BTreeMap::new();
    for (part, is_of_command) in parts {
        if let Some((known, _)) = by_name.get_mut(&part.name) {
            known.blocks.extend(part.blocks);
            known.functions.extend(part.functions);
        } else {
            by_name.insert(part.name.clone(), (part, is_of_command));
        }
    }
    let file = |(part, is_of_command): (FilePart, bool)| {
        let FilePart { name, path, mut blocks, functions, is_generated, has_moved_lines } = part;
        blocks.sort_unstable();
        let scanned = ScannedFile { functions, is_generated, has_moved_lines, spanning: Vec::new() };
        let of_build = BuildFile { name: &name, blocks: &blocks, range: (0, blocks.len()) };
        let counts = vec![0; blocks.len()];
        // Lists of functions need no text.
        let text: (&str, &[u8], _) = (&path, b"", Ok(scanned));
        let source = FileSource::from_text(text, &of_build, &counts, FileNeeds::default());
        UnmeasuredFile { name, blocks, is_of_command, source }
    };
    by_name.into_values().map(file).collect()
}

fn base_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}
