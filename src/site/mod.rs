//! The engine of the site: a folder of static pages of all stored data.
//!
//! The engine takes values and returns numbers of files; messages go to the caller. Each run makes all small files anew
//! and writes those that changed. A report, which takes longer, is made only if the site's manifest says that it was
//! written from other data. The manifest names a file before the file is written, so that the next run knows all files
//! of the site even after a crash.

mod comparison;
mod reports;
mod stored;
mod writer;

use std::collections::{BTreeSet, HashMap};
use std::io;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use chrono::{DateTime, Utc};

use crate::io::store::Store;
use crate::io::workdir::site::{SiteFolder, is_entangled};
use crate::io::workdir::{ReadersLock, WorkdirError};
use crate::names::in_message;
use crate::notice::Notice;
use crate::report::HostLinks;
use crate::report::site::{Manifest, Site};
use crate::source::{SourceReader, SourceSettings};

use reports::ReportMaker;
use stored::{RunTimes, SiteData};
use writer::SiteWriter;

pub(crate) use writer::Tally;

/// The settings for writing a site.
pub(crate) struct SiteRequest<'a> {
    pub(crate) folder: &'a Path,
    /// Nothing may be fetched.
    pub(crate) is_offline: bool,
    pub(crate) source: SourceSettings<'a>,
    pub(crate) reading: &'a ReadersLock,
    pub(crate) now: DateTime<Utc>,
    pub(crate) shows_progress: bool,
}

/// The end of a run.
pub(crate) enum SiteOutcome {
    /// Another run writes the site, so nothing was changed.
    Busy(WorkdirError),
    /// A signal ended the run. The next run writes the rest.
    Interrupted,
    /// The site is up to date, except for files that failed.
    Written {
        tally: Tally,
        /// Some stored values could not be read.
        is_damaged: bool,
    },
}

/// Brings a site up to date.
pub(crate) fn write(request: &SiteRequest<'_>) -> Result<SiteOutcome> {
    let SourceSettings { workdir, config, signals, notify, .. } = request.source;
    let folder = request.folder;
    let store = Store::open_read_only(&workdir.database())?;
    if is_entangled(workdir.root(), folder) {
        let shown = in_message(&folder.display().to_string()).into_owned();
        bail!(
            "everybody may read a site, but \"{shown}\" is the work directory or overlaps it; give another folder"
        );
    }
    let mut files = match SiteFolder::open(folder) {
        Err(busy @ WorkdirError::Busy { .. }) => return Ok(SiteOutcome::Busy(busy)),
        opened => opened?,
    };
    let manifest = manifest(&files)?;
    let stored = SiteData::read(&store, &config.naming, request.now)?;
    if !stored.knows_one_of(&manifest) {
        bail!(
            "{:?} is the site of another work directory: nothing that it was written from is stored here; \
             to begin anew, give an empty folder",
            folder.display()
        );
    }
    let times = RunTimes { now: request.now, overdue_before: config.pull.steps.overdue_before(request.now) };
    let services = stored.services(times);
    let links = host_links(request, services.iter().map(|service| service.app.as_str()).collect());
    let site = Site::new(services, stored.history(), request.now).with_host_links(&links);
    let damages = store.damages();
    for damage in &damages {
        notify(Notice::Failure(damage.to_string()));
    }
    // The last connection to the database removes its log, which a read-only connection cannot do.
    drop(store);

    let mut writer = SiteWriter::new(&mut files, manifest, notify);
    let brought =
        bring_up_to_date(&site, &ReportMaker { stored: &stored, request, links: &links }, &mut writer);
    // The manifest has to name the existing files even if the run failed.
    writer.forget_unwritten();
    writer.store_manifest()?;
    brought?;
    Ok(match signals.received() {
        Some(_) => SiteOutcome::Interrupted,
        None => SiteOutcome::Written { tally: writer.tally, is_damaged: !damages.is_empty() },
    })
}

/// Returns the links of apps to the hosts of their repositories, where they are known. Each app is asked once, because git
/// tells the remote of its clone.
fn host_links(request: &SiteRequest<'_>, apps: BTreeSet<&str>) -> HashMap<String, HostLinks> {
    let links = |app: &str| {
        let reader = SourceReader { settings: request.source, app, is_offline: true };
        Some((app.to_owned(), reader.host_links_of_clone()?))
    };
    apps.into_iter().filter_map(links).collect()
}

fn manifest(files: &SiteFolder) -> Result<Manifest> {
    match files.manifest()? {
        Some(text) => Manifest::parse(&text).with_context(|| {
            let path = files.manifest_path();
            format!("{:?}; to begin anew, give an empty folder", path.display())
        }),
        None => Ok(Manifest::default()),
    }
}

fn bring_up_to_date(site: &Site, maker: &ReportMaker<'_>, writer: &mut SiteWriter<'_>) -> Result<()> {
    let pages = site.pages();
    let reports = maker.write(&pages, writer)?;
    if maker.is_interrupted() {
        return Ok(());
    }
    let mut current: BTreeSet<String> = pages.into_iter().map(|page| page.path).collect();
    let mut changed = Vec::new();
    site.write(&reports, |path, text| -> io::Result<()> {
        current.insert(path.to_owned());
        if writer.has(path, &text) {
            writer.tally.unchanged += 1;
        } else {
            changed.push((path.to_owned(), text));
        }
        Ok(())
    })?;
    let blocked = writer.blocked(changed.iter().map(|(path, _)| path.as_str()));
    changed.retain(|(path, _)| !blocked.contains(path));
    writer.announce(changed.iter().map(|(path, _)| path.as_str()))?;
    for (path, text) in &changed {
        writer.put_or_tell(path, text)?;
    }
    writer.remove_others(&current);
    Ok(())
}
