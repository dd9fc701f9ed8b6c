//! The state of a container of a pod.

use chrono::{DateTime, Utc};
use serde::Deserialize;

use super::lenient::{Object, TextValue};

/// A container's part of the status of its pod. All of it is only a hint, so that an odd value is none.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct ContainerStatus {
    pub(super) name: TextValue,
    restart_count: TextValue,
    state: Object<State>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct State {
    running: Object<Running>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Running {
    started_at: TextValue,
}

impl ContainerStatus {
    pub(super) fn restarts(&self) -> Option<u64> {
        self.restart_count.as_str().parse().ok()
    }

    /// Returns the start of the container, while it runs.
    pub(super) fn started_at(&self) -> Option<DateTime<Utc>> {
        self.state.fields.running.fields.started_at.as_str().parse().ok()
    }
}
