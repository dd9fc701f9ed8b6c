//! The Go files of the modules that no stored profile has, with the code that Go's cover tool finds in them.

use anyhow::Result;

use super::base_name;
use super::measured::{MeasuredCode, MeasuredModules};
use crate::code::gosrc::{CoveredPart, CoveredText, FileConstraint, FuncExtent, SyntaxError, parent};
use crate::io::git::{BlobContent, ObjectId};
use crate::profile::Block;
use crate::source::tree::LinkedFile;
use crate::source::{SourceReader, SourcedState};

/// A Go file of which no stored profile has the name.
pub(super) struct CodeFile {
    /// Path in the tree; of a link that of the link.
    pub(super) path: String,
    /// Import path of the package, a slash and the file name.
    pub(super) name: String,
    pub(super) is_of_measured_package: bool,
    /// Empty if the text is unknown, but for the name.
    pub(super) constraint: FileConstraint,
    pub(super) content: Content,
}

/// The content of a Go file.
pub(super) enum Content {
    Read {
        /// Name of the package.
        package: String,
        /// Empty for a file without statements, or with documentation alone, which Go ignores.
        parts: Vec<FilePart>,
    },
    /// Go fails at the file, for this reason.
    Refused(String),
    /// The file cannot be read, for this reason.
    Unreadable(&'static str),
}

/// The code of a Go file that a profile has under one name.
pub(super) struct FilePart {
    pub(super) name: String,
    pub(super) path: String,
    pub(super) blocks: Vec<Block>,
    pub(super) functions: Vec<FuncExtent>,
    pub(super) is_generated: bool,
    pub(super) has_moved_lines: bool,
}

impl CodeFile {
    pub(super) fn has_statements(&self) -> bool {
        matches!(&self.content, Content::Read { parts, .. } if !parts.is_empty())
    }
}

impl SourceReader<'_> {
    /// Reads the files of the modules that no profile has. Returns them by name.
    pub(super) fn code_files(
        &self,
        SourcedState { at, tree, .. }: SourcedState<'_>,
        modules: &MeasuredModules<'_>,
        code: &MeasuredCode,
    ) -> Result<Vec<CodeFile>> {
        let is_of_agent = |name: &str| self.settings.config.pull.agent_files.fits(name);
        let named = tree.go_files().filter(|(path, _)| !tree.modules.ignore(path));
        let named = named.filter_map(|(path, file)| Some((modules.name_of(path)?, path, file)));
        let mut named: Vec<(String, &str, LinkedFile<'_>)> =
            named.filter(|(name, path, _)| !code.has_file(path, name) && !is_of_agent(name)).collect();
        named.sort_unstable_by(|one, other| one.0.cmp(&other.0));
        let (with_text, blobs): (Vec<usize>, Vec<ObjectId>) = named
            .iter()
            .enumerate()
            .filter_map(|(index, (_, _, file))| match file {
                LinkedFile::Text { blob, .. } => Some((index, (*blob).clone())),
                _ => None,
            })
            .unzip();
        self.fetched_all(at, &blobs)?;
        let read = at.repository.blobs(&blobs, |index, content| {
            let (name, path, file) = &named[with_text[index]];
            let LinkedFile::Text { path: text_path, .. } = file else { unreachable!("the file has a blob") };
            let BlobContent::Text(text) = content else {
                return (
                    FileConstraint::of(base_name(path), b""),
                    Content::Unreadable("it is too large to be read"),
                );
            };
            (FileConstraint::of(base_name(path), text), content_of(text_path, name, text))
        })?;
        let mut read = read.into_iter();
        let file = |(name, path, file): (String, &str, LinkedFile<'_>)| {
            let without_text = |content| (FileConstraint::of(base_name(path), b""), content);
            let (constraint, content) = match file {
                LinkedFile::Text { .. } => read.next().expect("each blob gives one content"),
                LinkedFile::Lost(why) => without_text(Content::Refused(why.to_owned())),
                LinkedFile::Unknown(why) => without_text(Content::Unreadable(why)),
            };
            let is_of_measured_package = code.has_package_of(path, &name);
            CodeFile { path: path.to_owned(), name, is_of_measured_package, constraint, content }
        };
        Ok(named.into_iter().map(file).collect())
    }
}

/// Finds the statements of a text.
fn content_of(path: &str, name: &str, text: &[u8]) -> Content {
    let found = match CoveredText::of(text) {
        Ok(found) => found,
        Err(SyntaxError { line, reason }) => return Content::Refused(format!("line {line}: {reason}")),
    };
    let package = found.package.to_owned();
    let is_generated = found.scanned.is_generated;
    let has_statements = found.statements() > 0 && package != "documentation";
    let of_file = |CoveredPart { file, blocks, functions }: CoveredPart| {
        let moved = file.filter(|file| file != base_name(name));
        let beside = |of: &str, file: &str| match parent(of) {
            "" => file.to_owned(),
            folder => format!("{folder}/{file}"),
        };
        FilePart {
            name: moved.as_ref().map_or_else(|| name.to_owned(), |file| beside(name, file)),
            path: moved.as_ref().map_or_else(|| path.to_owned(), |file| beside(path, file)),
            blocks: blocks.into_iter().map(Block::from).collect(),
            functions,
            is_generated: is_generated && moved.is_none(),
            has_moved_lines: found.scanned.has_moved_lines,
        }
    };
    let parts = if has_statements { found.parts } else { Vec::new() };
    Content::Read { package, parts: parts.into_iter().map(of_file).collect() }
}
