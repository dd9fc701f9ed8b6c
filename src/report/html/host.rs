//! The links of a page to the host of the repository.

use std::collections::BTreeMap;
use std::io;

use serde::Serialize;

use super::json_in_markup;
use crate::report::{FileReport, HostLinks};

/// The links to the host.
pub(super) struct PageLinks<'r> {
    links: &'r HostLinks,
    /// Address of the commit.
    pub(super) commit: Option<String>,
    /// The host, for people.
    pub(super) host: String,
    /// The addresses of files as JSON, for the script.
    pub(super) json: String,
}

#[derive(Serialize)]
struct Document<'d> {
    /// Address of a line, with `{path}` and usually `{line}` in it.
    address: String,
    /// The folder in the repository of each package, by import path; both end with a slash unless they are empty. Packages
    /// outside of the repository are left out.
    folders: BTreeMap<&'d str, &'d str>,
    /// The indexes of files in these folders that the commit lacks.
    absent: Vec<usize>,
}

impl<'r> PageLinks<'r> {
    /// Collects the links for files of a commit, which is a hash or the beginning of one. The files are in the order of
    /// the page.
    pub(super) fn new(links: &'r HostLinks, commit: &str, files: &[&'r FileReport<'r>]) -> io::Result<Self> {
        let folder = |file: &&'r FileReport<'r>| {
            let path = file.path.as_deref().filter(|_| file.is_in_commit())?;
            Some((folder_of(file.name), folder_of(path)))
        };
        let folders: BTreeMap<&str, &str> = files.iter().filter_map(folder).collect();
        let is_absent =
            |file: &&'r FileReport<'r>| folder(file).is_none() && folders.contains_key(folder_of(file.name));
        let absent = files.iter().enumerate().filter(|(_, file)| is_absent(file)).map(|(at, _)| at);
        let document = Document { address: links.line(commit), absent: absent.collect(), folders };
        Ok(Self {
            links,
            commit: links.commit(commit),
            host: host_of(&document.address).to_owned(),
            json: json_in_markup(&document)?,
        })
    }

    /// Returns the address of another commit of the repository.
    pub(super) fn of(&self, commit: &str) -> Option<String> {
        self.links.commit(commit)
    }
}

/// Returns the folder of a path, with its slash.
fn folder_of(path: &str) -> &str {
    path.rfind('/').map_or("", |at| &path[..=at])
}

/// Returns the host of an address, for people.
fn host_of(address: &str) -> &str {
    let (_, rest) = address.split_once("://").unwrap_or_default();
    rest.split('/').next().unwrap_or_default()
}
