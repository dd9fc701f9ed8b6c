//! Services with the git repository of their source.

use std::path::PathBuf;

use super::source::Source;
use super::{Output, World};
use crate::sim::Agent;

/// A process of app `app`, pulled, and the repository of its source.
pub(crate) struct Service {
    pub(crate) world: World,
    pub(crate) source: Source,
    pub(crate) agent: Agent,
}

impl Service {
    /// Starts a process of the source's commit whose counters are those of the profile, pulls it, and clones the
    /// repository to the place where a report looks for it.
    pub(crate) fn from_source(source: Source, profile: &str) -> Self {
        let service = Self::without_clone(source, profile);
        service.source.clone_into(&service.world, &["--bare"]);
        service
    }

    /// Leaves the repository where only the configuration could name it.
    pub(crate) fn without_clone(source: Source, profile: &str) -> Self {
        let world = World::new();
        let agent = world.start_counted(&source.service_name(), profile);
        world.pull(0);
        Self { world, source, agent }
    }

    /// Reports the service in region `th`; a test may start another one elsewhere.
    pub(crate) fn report(&self, options: &[&str]) -> Output {
        self.world.run(&[&["report", "th_app"], options].concat())
    }

    /// Writes the service's page, and returns the file.
    #[track_caller]
    pub(crate) fn page(&self, options: &[&str]) -> PathBuf {
        let page = self.world.home().join("page.html");
        let form = format!("html={}", page.display());
        self.report(&[&["-q"], options, &["--format", &form]].concat()).assert_code(0);
        page
    }
}

/// Go source of two functions, `main` and `run`; see [`MAIN_PROFILE`].
pub(crate) const MAIN_SOURCE: &str =
    "package main\n\nfunc main() {\n\trun()\n}\n\nfunc run() {\n\tprintln()\n}\n";

/// Profile of [`MAIN_SOURCE`] as `main.go`, of which only `main` was executed.
pub(crate) const MAIN_PROFILE: &str =
    "example.com/app/main.go:3.13,5.2 1 1\nexample.com/app/main.go:7.12,9.2 1 0\n";

impl World {
    /// Starts `number` services of the apps `app0`, `app1` and so on, all built from [`MAIN_SOURCE`], and clones the
    /// repository for the first of them.
    pub(crate) fn with_services(number: usize) -> (Self, Vec<Agent>) {
        let world = Self::new();
        let source = Source::with_main();
        let name = |app: usize| format!("staging_th_app{app}_master_{}", &source.commit[..10]);
        let agents = (0..number).map(|app| world.start_counted(&name(app), MAIN_PROFILE)).collect();
        let to = world.root().join("app0/repo");
        source.git(&["clone", "--quiet", "--bare", ".", to.to_str().unwrap()]);
        (world, agents)
    }
}
