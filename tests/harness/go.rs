//! Go toolchains, and a program that they build with `-cover`: methods, literals, generics, cgo, empty bodies, and a
//! package whose path sorts before its file's.
//!
//! Nothing is fetched. A test whose Go is missing warns and passes; `GOC_WATCHDOG_REQUIRE_GO=1` makes that a failure for
//! the Go in `PATH`, `GOC_WATCHDOG_REQUIRE_OLDER_GO=1` for older ones.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::source::project_path;
use super::warn_skipped;

/// Older releases whose data is read: the first one that writes it, and one between that and today's. `.ci/run` reads this
/// line.
pub(crate) const OLDER_GO: [&str; 2] = ["1.20.14", "1.22.12"];

/// Files of the program, below `tests/fixtures/counted`.
const COUNTED: [&str; 5] = ["main.go", "twice.go", "serve.go", "calc/calc.go", "calc-x/x.go"];

const COUNTED_MODULE: &str = "module example.com/counted\n\ngo 1.20\n\nrequire example.com/agent v0.0.0\n\n\
    replace example.com/agent => ../agent\n";

pub(crate) struct Go {
    /// A value of `GOTOOLCHAIN`.
    toolchain: String,
    /// Variables that a test sets.
    variables: Vec<(&'static str, &'static str)>,
}

impl Go {
    /// Returns the Go in `PATH`. `untested` is a clause that says what is not tested without it.
    pub(crate) fn installed(untested: &str) -> Option<Self> {
        let go = Self { toolchain: "local".to_owned(), variables: Vec::new() };
        if go.is_here() {
            return Some(go);
        }
        assert!(std::env::var_os("GOC_WATCHDOG_REQUIRE_GO").is_none(), "no \"go\" in PATH");
        warn_skipped(&format!("no Go here, so {untested}"));
        None
    }

    /// Returns those of [`OLDER_GO`] that the Go in `PATH` has in its cache of modules.
    pub(crate) fn older(untested: &str) -> Vec<Self> {
        let mut found = Vec::new();
        for version in OLDER_GO {
            let toolchain = format!("go{version}");
            let go = Self { toolchain: toolchain.clone(), variables: Vec::new() };
            if go.is_here() {
                found.push(go);
                continue;
            }
            assert!(std::env::var_os("GOC_WATCHDOG_REQUIRE_OLDER_GO").is_none(), "no {toolchain}");
            let fetch = format!("GOTOOLCHAIN={toolchain} go version");
            warn_skipped(&format!("no {toolchain} here (\"{fetch}\" fetches it), so {untested}"));
        }
        found
    }

    /// Has variables in the environment, such as `CGO_ENABLED`.
    pub(crate) fn with_variables(self, variables: &[(&'static str, &'static str)]) -> Self {
        Self { variables: variables.to_vec(), ..self }
    }

    fn is_here(&self) -> bool {
        self.command(Path::new("/")).arg("version").output().is_ok_and(|output| output.status.success())
    }

    fn command(&self, folder: &Path) -> Command {
        let mut command = Command::new("go");
        command
            .current_dir(folder)
            .env("GOTOOLCHAIN", &self.toolchain)
            .env("GOFLAGS", "-mod=mod -buildvcs=false")
            .env("GOPROXY", "off")
            .env("GONOSUMDB", "*")
            .env("GOWORK", "off")
            .envs(self.variables.iter().copied());
        command
    }

    /// Runs the tool in a folder; an error is what it printed.
    pub(crate) fn try_run(&self, folder: &Path, arguments: &[&str]) -> Result<(), String> {
        let output = self.command(folder).args(arguments).output().unwrap();
        let printed = String::from_utf8_lossy(&output.stderr).into_owned();
        if output.status.success() { Ok(()) } else { Err(printed) }
    }

    #[track_caller]
    pub(crate) fn run(&self, folder: &Path, arguments: &[&str]) {
        if let Err(printed) = self.try_run(folder, arguments) {
            panic!("{}: go {arguments:?}: {printed}", self.toolchain);
        }
    }

    /// Runs the tool in a folder, and returns what it prints.
    #[track_caller]
    pub(crate) fn output(&self, folder: &Path, arguments: &[&str]) -> String {
        let output = self.command(folder).args(arguments).output().unwrap();
        assert!(output.status.success(), "go {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Returns what `go tool covdata textfmt` makes of a folder.
    #[track_caller]
    pub(crate) fn textfmt(&self, data: &Path) -> String {
        let text = data.with_extension("textfmt.txt");
        let [from, to] = [data, &text].map(|path| path.display().to_string());
        self.run(Path::new("/"), &["tool", "covdata", "textfmt", &format!("-i={from}"), &format!("-o={to}")]);
        fs::read_to_string(text).unwrap()
    }
}

/// Writes the program into a folder. Built with the tag `coverage`, it serves its coverage through the module
/// `example.com/agent`, which is looked for beside the folder, and takes orders from its standard input.
pub(crate) fn write_counted(folder: &Path) {
    write(folder, "go.mod", COUNTED_MODULE);
    for file in COUNTED {
        write(
            folder,
            file,
            &fs::read_to_string(project_path(&format!("tests/fixtures/counted/{file}"))).unwrap(),
        );
    }
}

/// Writes a file below a folder.
pub(crate) fn write(folder: &Path, name: &str, text: &str) {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}
