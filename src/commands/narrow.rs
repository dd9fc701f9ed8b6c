//! The options that narrow what the name of a service means.

use anyhow::anyhow;
use clap::Args;

use crate::fleet::app_group::{AppGroup, with_meant_group};
use crate::fleet::pick::ServiceQuery;
use crate::fleet::pick_error::PickError;
use crate::names::in_message;

/// Fields that a service must have besides its name.
#[derive(Args, Debug)]
pub(crate) struct NarrowArgs {
    /// Choose only among services of this environment; '' means none.
    #[arg(long, value_name = "ENV")]
    env: Option<String>,

    /// Choose only among services of this region; '' means none.
    #[arg(long, value_name = "REGION")]
    region: Option<String>,

    /// Choose only among services of this branch; '' means none.
    #[arg(long, value_name = "BRANCH")]
    branch: Option<String>,
}

impl NarrowArgs {
    /// Returns the query for a name, or a part of one, with these fields and a commit.
    pub(crate) fn query<'a>(&'a self, text: &'a str, commit: Option<&'a str>) -> ServiceQuery<'a> {
        let Self { env, region, branch } = self;
        let [env, region, branch] = [env, region, branch].map(Option::as_deref);
        ServiceQuery { text, env, region, branch, commit }
    }

    /// Returns the options that were given, each after a space, for a command to show.
    pub(crate) fn shown(&self) -> String {
        let Self { env, region, branch } = self;
        let options = [("env", env), ("region", region), ("branch", branch)];
        let shown = |(name, value): (&str, &Option<String>)| match value.as_deref()? {
            "" => Some(format!(" --{name} ''")),
            value => Some(format!(" --{name} {}", in_message(value))),
        };
        options.into_iter().filter_map(shown).collect()
    }

    /// Tells whether the environment of this name was given.
    pub(crate) fn names_environment(&self, name: &str) -> bool {
        self.env.as_deref() == Some(name)
    }

    /// Tells whether an option was given.
    pub(crate) fn is_given(&self) -> bool {
        let Self { env, region, branch } = self;
        env.is_some() || region.is_some() || branch.is_some()
    }
}

/// Returns the option that chooses a commit, after a space, for a command to show; empty for a service without a commit.
pub(crate) fn shown_commit(commit: &str) -> String {
    if commit.is_empty() { String::new() } else { format!(" --commit {}", in_message(commit)) }
}

/// Returns the error of a command that knows stored services alone. A name that fits none of them may be that of a
/// service that is listed and new.
pub(crate) fn among_stored(error: impl Into<anyhow::Error>, groups: &[AppGroup]) -> anyhow::Error {
    let error = match error.into().downcast() {
        Ok(error) => with_meant_group(error, groups).into(),
        Err(other) => other,
    };
    match error.downcast_ref() {
        Some(PickError::NotFound { nearest: None, .. }) => {
            anyhow!("{error}; nothing of a new service is stored before its first pull (goc-watchdog pull)")
        }
        _ => error,
    }
}
