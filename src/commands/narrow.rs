//! The options that narrow what the name of a service means.

use clap::Args;

use crate::fleet::pick::ServiceQuery;

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

    /// Tells whether an option was given.
    pub(crate) fn is_given(&self) -> bool {
        let Self { env, region, branch } = self;
        env.is_some() || region.is_some() || branch.is_some()
    }
}
