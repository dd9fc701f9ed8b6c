//! The coverage of a profile laid over its source: the one model that every form is written from.
//!
//! Pure: a profile and what is known of each of its files go in, figures come out; a form takes those
//! and writes bytes. Coverage counts statements; lines are there for the forms that know nothing else.

mod badge;
mod cobertura;
mod codecov;
pub(crate) mod diff;
pub(crate) mod forms;
mod func;
mod functions;
pub(crate) mod gate;
mod head;
mod html;
mod json;
mod lcov;
mod lines;
mod markdown;
mod model;
mod readers;
#[cfg(test)]
mod schema;
pub(crate) mod site;
mod source;
#[cfg(test)]
mod testing;
mod text;
mod xml;

pub(crate) use functions::FunctionReport;
pub(crate) use head::{Head, Point, Previous};
pub(crate) use html::Packer;
pub(crate) use lines::{LineReport, LineState, MissedRange, missed_line_ranges};
pub(crate) use model::{FileReport, PackageReport, Report};
pub(crate) use source::{NoSource, Source, Wants};
pub(crate) use text::{Layout, Order};
