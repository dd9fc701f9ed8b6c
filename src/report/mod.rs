//! The coverage of a profile, combined with its source: the model from which every form is written.
//!
//! Pure: the input is a profile and the source of its files, the output is figures; a form turns these into bytes.
//! Coverage counts statements. Lines are for forms that count only lines.

mod badge;
mod by_mark;
mod cobertura;
mod codecov;
mod counted;
pub(crate) mod diff;
pub(crate) mod forms;
mod func;
mod functions;
pub(crate) mod gate;
mod group;
mod head;
mod host_links;
mod html;
mod json;
mod labels;
mod lcov;
mod lines;
mod listed_function;
mod markdown;
pub(crate) mod marked;
mod model;
mod profile;
mod readers;
#[cfg(test)]
mod schema;
mod shares;
mod since;
pub(crate) mod site;
mod source;
#[cfg(test)]
mod testing;
mod text;
mod treemap;
pub(crate) mod trend;
mod unmeasured;
mod unused;
mod xml;

pub(crate) use by_mark::{ByMark, ExecutedFunctions, TestRun};
pub(crate) use counted::{counted_words, fresh_percent};
pub(crate) use functions::FunctionReport;
pub(crate) use group::{ConflictingFile, GroupApp, GroupFacts, GroupJson, LackingApp};
pub(crate) use head::{ONLY_CHANGED, PreviousRow, ReportHead, WITH_UNMEASURED};
pub(crate) use host_links::HostLinks;
pub(crate) use html::{Packer, PullFacts};
pub(crate) use lines::{LineReport, LineState, MissedRange, missed_line_ranges};
pub(crate) use model::{FileReport, PackageReport, Report};
pub(crate) use since::{SET_KNOWS_THE_FIRST, SinceFacts, StoredMoment};
pub(crate) use source::{FileNeeds, FileSource, NoSource};
pub(crate) use text::{FileOrder, TextLayout};
pub(crate) use trend::TrendPoint;
pub(crate) use unmeasured::{
    CountedUnmeasured, MeasuredFile, RefusedPackage, Unmeasured, UnmeasuredFile, UnmeasuredProfile,
    UnmeasuredReport,
};
pub(crate) use unused::{Observed, Unused, UnusedRequest};
