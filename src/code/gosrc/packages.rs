//! The Go files of a tree: the module of each, and whether Go compiles it for a build of all packages.

use std::collections::BTreeSet;

use super::paths::{is_set_apart, parent, within};

/// The folders of a tree that have a `go.mod`.
#[derive(Clone, Debug, Default)]
pub(crate) struct ModuleFolders<'t>(BTreeSet<&'t str>);

impl<'t> ModuleFolders<'t> {
    /// Finds the folders among the paths of a tree.
    pub(crate) fn new(paths: impl Iterator<Item = &'t str>) -> Self {
        let of_module = |path: &'t str| (path == "go.mod" || path.ends_with("/go.mod")).then(|| parent(path));
        Self(paths.filter_map(of_module).collect())
    }

    /// Returns the folder of the module that a file belongs to: the nearest one above it, else the root.
    pub(crate) fn of<'p>(&self, path: &'p str) -> &'p str {
        let mut folder = parent(path);
        while !folder.is_empty() && !self.0.contains(folder) {
            folder = parent(folder);
        }
        folder
    }

    /// Returns the folders, without those that Go leaves out of `./...`.
    pub(crate) fn folders(&self) -> impl Iterator<Item = &'t str> {
        self.0.iter().copied().filter(|folder| !is_set_apart(folder))
    }
}

/// Returns the path of a file in the folder of its module.
pub(crate) fn path_in_module<'p>(path: &'p str, module: &str) -> &'p str {
    if module.is_empty() { path } else { path.get(module.len() + 1..).unwrap_or_default() }
}

/// Returns the import path of the module in a folder by a file of a profile: `name` is that of the file in the profile,
/// `path` that in the tree. `None` if the file is not named by its module.
pub(crate) fn import_path_of_module<'n>(name: &'n str, path: &str, module: &str) -> Option<&'n str> {
    let rest = path_in_module(path, module);
    if is_set_apart(parent(rest)) {
        return None;
    }
    let prefix = name.strip_suffix(rest)?;
    if prefix.is_empty() { Some(prefix) } else { prefix.strip_suffix('/') }
}

/// Returns the name in profiles of a file of a module.
pub(crate) fn name_in_profiles(import_path: &str, path: &str, module: &str) -> String {
    within(import_path, path_in_module(path, module))
}

/// Returns the reason for which Go takes the import path of a package for malformed, by the rules of `CheckImportPath` in
/// golang.org/x/mod/module. The path of the module itself is not judged.
pub(crate) fn fault_of_import_path(path: &str) -> Option<String> {
    const OF_WINDOWS: [&str; 4] = ["con", "prn", "aux", "nul"];
    let is_of_windows = |short: &str| {
        let short = short.to_ascii_lowercase();
        let is_port = |name: &str| {
            short.strip_prefix(name).is_some_and(|port| matches!(port.as_bytes(), [b'1'..=b'9']))
        };
        OF_WINDOWS.contains(&&*short) || is_port("com") || is_port("lpt")
    };
    let is_short_name = |short: &str| {
        let digits = short.rsplit_once('~').map_or("", |(_, digits)| digits);
        !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
    };
    for part in path.split('/') {
        let is_allowed = |letter: char| letter.is_ascii_alphanumeric() || "-._~+".contains(letter);
        let short = part.split('.').next().unwrap_or_default();
        let reason = if let Some(letter) = part.chars().find(|letter| !is_allowed(*letter)) {
            format!("has the character '{letter}'")
        } else if part.ends_with('.') {
            "ends in a dot".to_owned()
        } else if is_of_windows(short) || is_short_name(short) {
            "is a name that Windows reserves".to_owned()
        } else {
            continue;
        };
        return Some(format!("\"{part}\" of its import path {reason}"));
    }
    None
}

/// Tells whether a file is one that Go compiles for a build of all packages of its module, apart from build constraints: no
/// test, not in `testdata` or `vendor`, and below no name that begins with `_` or `.`.
pub(crate) fn is_of_builds(path: &str, module: &str) -> bool {
    let rest = path_in_module(path, module);
    let file = rest.rsplit('/').next().unwrap_or_default();
    file.strip_suffix(".go").is_some_and(|stem| !stem.ends_with("_test"))
        && !file.starts_with(['_', '.'])
        && !is_below_set_apart(parent(rest))
}

/// Tells whether Go leaves a folder of a module out of `./...`. A folder that is called `vendor` itself is one of a package,
/// unless it is that of the module.
fn is_below_set_apart(folder: &str) -> bool {
    match folder.strip_suffix("/vendor") {
        Some(above) => is_set_apart(above),
        None => is_set_apart(folder),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_belongs_to_the_nearest_module_above_it() {
        let paths = ["go.mod", "tools/go.mod", "tools/gen/x.go", "tools/testdata/m/go.mod", "notgo.mod"];
        let modules = ModuleFolders::new(paths.into_iter());
        let found =
            ["x.go", "a/x.go", "tools/x.go", "tools/gen/a/x.go", "toolsx/x.go"].map(|path| modules.of(path));
        assert_eq!(found, ["", "", "tools", "tools", ""]);
        assert_eq!(modules.folders().collect::<Vec<_>>(), ["", "tools"]);
        assert_eq!(ModuleFolders::default().of("a/x.go"), "", "a repository without modules");
    }

    #[test]
    fn files_that_go_never_compiles_are_told_apart() {
        for (path, module, is_of_build) in [
            ("a/x.go", "", true),
            ("a/x_linux.go", "", true),
            ("a/x_test.go", "", false),
            ("a/_x.go", "", false),
            ("a/.x.go", "", false),
            ("a/x.s", "", false),
            ("a/testdata/x.go", "", false),
            ("vendor/a/x.go", "", false),
            ("vendor/x.go", "", false),
            ("internal/vendor/x.go", "", true),
            ("internal/vendor/a/x.go", "", false),
            ("_examples/a/x.go", "", false),
            ("_examples/a/x.go", "_examples/a", true),
            (".ci/x.go", "", false),
        ] {
            assert_eq!(is_of_builds(path, module), is_of_build, "{path} of {module:?}");
        }
    }

    /// The expectations are what `go list ./...` says of such folders.
    #[test]
    fn an_import_path_that_go_refuses_is_told_with_its_fault() {
        for path in ["example.com/m/a-b_c.d~e+f", "m/com0", "m/console", "m/a~", "m/~x"] {
            assert_eq!(fault_of_import_path(path), None, "{path}");
        }
        for (path, fault) in [
            ("m/ünï", "\"ünï\" of its import path has the character 'ü'"),
            ("m/a b/c", "\"a b\" of its import path has the character ' '"),
            ("m/a!", "\"a!\" of its import path has the character '!'"),
            ("m/a./b", "\"a.\" of its import path ends in a dot"),
            ("m/Aux.x", "\"Aux.x\" of its import path is a name that Windows reserves"),
            ("m/com1", "\"com1\" of its import path is a name that Windows reserves"),
            ("m/a~1", "\"a~1\" of its import path is a name that Windows reserves"),
        ] {
            assert_eq!(fault_of_import_path(path).as_deref(), Some(fault));
        }
    }

    #[test]
    fn the_import_path_of_a_module_follows_from_a_measured_file() {
        for (name, path, module, expected) in [
            ("example.com/m/a/x.go", "a/x.go", "", Some("example.com/m")),
            ("example.com/m/a/x.go", "tools/a/x.go", "tools", Some("example.com/m")),
            ("fmt/print.go", "src/fmt/print.go", "src", Some("")),
            // A file that a link leads to has another name.
            ("example.com/m/b/x.go", "a/x.go", "", None),
            ("example.com/l/x.go", "vendor/example.com/l/x.go", "", None),
        ] {
            let found = import_path_of_module(name, path, module);
            assert_eq!(found, expected, "{name} {path}");
            if let Some(import_path) = found {
                assert_eq!(name_in_profiles(import_path, path, module), name);
            }
        }
    }
}
