//! The program of a target, as its process tells it, and the app that stands for it where no label names one.

use super::commit::tidy_commit;
use super::lenient::MAX_VALUE_BYTES;
use super::silence::Silence;

/// The import path that Go gives to a program which was built from a list of files.
const FROM_FILES: &str = "command-line-arguments";

/// The answer of a target's process about its program.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) enum ProgramAnswer {
    /// The process was not asked.
    #[default]
    Unasked,
    /// An agent told of its program.
    Told(Box<ToldProgram>),
    /// Something answered, such as an agent of goc or a proxy, and told nothing of a program.
    Mute,
    /// No agent told anything, now or when the process was asked last.
    Silent(Silence),
}

impl ProgramAnswer {
    /// Returns the answer of a process.
    pub(crate) fn told(&self) -> Option<&ToldProgram> {
        match self {
            Self::Told(told) => Some(told),
            Self::Unasked | Self::Mute | Self::Silent(_) => None,
        }
    }
}

/// A process' description of its program.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct ToldProgram {
    /// The commit in lower case; empty where the agent tells none.
    pub(crate) commit: String,
    /// The text that the agent tells in place of a commit; empty where it tells a commit or nothing.
    pub(crate) odd_commit: String,
    pub(crate) name: NameAnswer,
    /// Apps of the name under which data of another program is stored, each with that program.
    pub(crate) taken: Vec<(String, ProgramName)>,
}

impl ToldProgram {
    /// Reads a commit as a header tells it.
    pub(crate) fn new(commit: Option<&str>, name: NameAnswer) -> Self {
        let told = commit.unwrap_or_default();
        let commit = tidy_commit(told);
        let odd_commit = if commit.is_empty() { told.to_owned() } else { String::new() };
        Self { commit, odd_commit, name, taken: Vec::new() }
    }
}

/// The answer of a process that is asked for the name of its program.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) enum NameAnswer {
    /// The process was asked for its commit alone.
    #[default]
    Unasked,
    /// The process tells none.
    Nameless,
    Named(ProgramName),
}

impl NameAnswer {
    pub(crate) fn named(&self) -> Option<&ProgramName> {
        match self {
            Self::Named(name) => Some(name),
            Self::Unasked | Self::Nameless => None,
        }
    }
}

/// The name of a program.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum ProgramName {
    /// The import path of its `main` package.
    Package(String),
    /// The name of its binary: its coverage data has no `main` package, or one without an import path.
    Binary(String),
}

impl ProgramName {
    /// Returns the name of the program with this `main` package and this binary, which may be a path.
    pub(crate) fn new(main: Option<&str>, binary: Option<&str>) -> Option<Self> {
        let is_name = |name: &&str| !name.is_empty() && name.len() <= MAX_VALUE_BYTES;
        let main = main.map(|main| main.trim_matches('/')).filter(|main| *main != FROM_FILES);
        let binary = binary.and_then(|binary| binary.trim_end_matches('/').rsplit('/').next());
        match (main.filter(is_name), binary.filter(is_name)) {
            (Some(main), _) => Some(Self::Package(main.to_owned())),
            (None, Some(binary)) => Some(Self::Binary(binary.to_owned())),
            (None, None) => None,
        }
    }

    /// Returns the name as it was told.
    pub(crate) fn as_str(&self) -> &str {
        match self {
            Self::Package(name) | Self::Binary(name) => name,
        }
    }

    /// Returns the apps that stand for the program, the first choice first: the name that `go build` gives to the
    /// program, then with one more element of its path each, and at last the whole path, which no other program has.
    pub(crate) fn apps(&self) -> Vec<String> {
        let path = match self {
            Self::Binary(name) => return vec![name.clone()],
            Self::Package(path) => path.as_str(),
        };
        let named = match path.rsplit_once('/') {
            Some((before, last)) if is_major_version(last) => before,
            _ => path,
        };
        let starts = named.rmatch_indices('/').map(|(at, _)| at + 1).chain([0]);
        let mut apps: Vec<String> = starts.map(|start| named[start..].to_owned()).collect();
        if named != path {
            apps.push(path.to_owned());
        }
        apps
    }
}

/// Tells whether the last element of an import path is the major version of its module, such as `v2`, as Go's own
/// `isVersionElement` does.
fn is_major_version(element: &str) -> bool {
    let digits = element.strip_prefix('v').unwrap_or_default();
    !digits.is_empty()
        && digits.bytes().all(|byte| byte.is_ascii_digit())
        && !digits.starts_with('0')
        && digits != "1"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn apps(main: &str) -> Vec<String> {
        ProgramName::new(Some(main), Some("/app/server")).unwrap().apps()
    }

    #[test]
    fn an_app_is_named_as_go_build_names_the_program() {
        for (main, app) in [
            ("github.com/acme/cart/cmd/cart", "cart"),
            ("github.com/acme/shop", "shop"),
            ("github.com/acme/shop/v2", "shop"),
            ("github.com/acme/shop/v2/cmd/shopd", "shopd"),
            ("example.com/v1", "v1"),
            ("example.com/v02", "v02"),
            ("v2", "v2"),
            ("shop", "shop"),
            // Built from a list of files, or without its main package.
            ("command-line-arguments", "server"),
            ("", "server"),
        ] {
            assert_eq!(apps(main)[0], app, "{main}");
        }
    }

    #[test]
    fn further_apps_have_more_of_the_path_and_the_last_one_all_of_it() {
        assert_eq!(
            apps("example.com/acme/cart/v2"),
            ["cart", "acme/cart", "example.com/acme/cart", "example.com/acme/cart/v2"]
        );
        assert_eq!(apps("example.com/cart"), ["cart", "example.com/cart"]);
        assert_eq!(apps("command-line-arguments"), ["server"]);
    }

    #[test]
    fn a_process_that_tells_nothing_has_no_name() {
        let long = "x".repeat(MAX_VALUE_BYTES + 1);
        for (main, binary) in
            [(None, None), (Some(""), Some("/")), (Some(FROM_FILES), None), (Some(&*long), None)]
        {
            assert_eq!(ProgramName::new(main, binary), None, "{main:?} {binary:?}");
        }
    }
}
