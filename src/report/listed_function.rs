//! A function in the lists for scripts: where it is, and its name.

use serde::Serialize;

use super::FileReport;
use crate::code::gosrc::FuncExtent;

/// The place and the name of a function.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct ListedFunctionJson<'r> {
    file: &'r str,
    path: Option<&'r str>,
    line: u32,
    name: &'r str,
    /// Type of a method's receiver.
    receiver: Option<&'r str>,
}

impl<'r> ListedFunctionJson<'r> {
    pub(super) fn new(file: &'r FileReport<'_>, extent: &'r FuncExtent) -> Self {
        Self {
            file: file.name,
            path: file.path.as_deref(),
            line: extent.start.0,
            name: &extent.name,
            receiver: Some(&*extent.receiver).filter(|receiver| !receiver.is_empty()),
        }
    }
}
