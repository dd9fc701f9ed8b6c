//! The files of agents: an agent that is built into the program that it serves would count itself.

use globset::{GlobBuilder, GlobMatcher};

/// Globs of files whose counters are left out of what agents of Go's binary coverage data serve.
///
/// A glob fits the whole import path and file name; `*` also stands for slashes.
#[derive(Clone, Debug)]
pub(crate) struct AgentFiles(Vec<GlobMatcher>);

/// Those of coverport, which services copy, and of the module in `examples/agent`.
const DEFAULT: [&str; 2] = ["*/coverage/coverage_server.go", "*/goc-watchdog/agent/agent.go"];

impl AgentFiles {
    /// Reads globs; fails with the first text that is none.
    pub(crate) fn new<'t>(texts: impl IntoIterator<Item = &'t str>) -> Result<Self, String> {
        let glob = |text: &str| {
            let glob = GlobBuilder::new(text).literal_separator(false).backslash_escape(true).build();
            glob.map(|glob| glob.compile_matcher())
                .map_err(|error| format!("{text:?} is no glob: {}", error.kind()))
        };
        texts.into_iter().map(glob).collect::<Result<_, _>>().map(Self)
    }

    /// Returns no globs, which fit nothing.
    pub(crate) fn none() -> Self {
        Self(Vec::new())
    }

    /// Returns the globs as one text, by which a change of them is known.
    pub(crate) fn to_json(&self) -> String {
        let globs: Vec<&str> = self.0.iter().map(|glob| glob.glob().glob()).collect();
        serde_json::json!(globs).to_string()
    }

    /// Tells whether a file is one of an agent.
    pub(crate) fn fits(&self, name: &str) -> bool {
        self.0.iter().any(|glob| glob.is_match(name))
    }
}

impl Default for AgentFiles {
    fn default() -> Self {
        Self::new(DEFAULT).expect("two globs")
    }
}

/// Equal texts are equal globs.
impl PartialEq for AgentFiles {
    fn eq(&self, other: &Self) -> bool {
        self.to_json() == other.to_json()
    }
}

impl Eq for AgentFiles {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_agents_that_are_known_are_left_out_and_nothing_else() {
        let files = AgentFiles::default();
        for (name, expected) in [
            ("example.com/cp/coverage/coverage_server.go", true),
            ("example.com/goc-watchdog/agent/agent.go", true),
            ("example.com/cp/coverage/other.go", false),
            ("example.com/cp/coverage_server.go", false),
        ] {
            assert_eq!(files.fits(name), expected, "{name}");
        }
        assert!(!AgentFiles::new([]).unwrap().fits("example.com/cp/coverage/coverage_server.go"));
        assert_eq!(
            AgentFiles::new(["a", "["]).unwrap_err(),
            "\"[\" is no glob: unclosed character class; missing ']'"
        );
    }
}
