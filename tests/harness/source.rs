//! A git repository with Go source, for reports.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use super::service::MAIN_SOURCE;
use super::{World, set_umask};

/// A repository with one commit, beside the world.
pub(crate) struct Source {
    pub(crate) folder: TempDir,
    pub(crate) commit: String,
}

impl Source {
    /// Commits these files.
    pub(crate) fn from_files(files: &[(&str, &[u8])]) -> Self {
        set_umask();
        let folder = TempDir::new().unwrap();
        for (path, text) in files {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let mut source = Self { folder, commit: String::new() };
        source.git(&["init", "--quiet", "--initial-branch=master"]);
        source.commit_all();
        source
    }

    /// Commits [`MAIN_SOURCE`] as module `example.com/app`.
    pub(crate) fn with_main() -> Self {
        Self::from_files(&[("main.go", MAIN_SOURCE.as_bytes()), ("go.mod", b"module example.com/app\n")])
    }

    pub(crate) fn commit_all(&mut self) {
        self.git(&["add", "--all", "--force"]);
        self.git(&["commit", "--quiet", "--message=source"]);
        self.commit = self.head();
    }

    pub(crate) fn head(&self) -> String {
        self.commit_of("HEAD")
    }

    /// Returns the commit that a revision names.
    #[track_caller]
    pub(crate) fn commit_of(&self, revision: &str) -> String {
        self.git(&["rev-parse", revision]).trim().to_owned()
    }

    /// A git in the folder, with no settings of this machine.
    pub(crate) fn git_command(&self) -> Command {
        let mut git = Command::new("git");
        without_git_settings(&mut git);
        git.args(["-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "core.autocrlf=false"])
            .current_dir(self.folder.path())
            .env("HOME", self.folder.path())
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_NOSYSTEM", "1");
        git
    }

    #[track_caller]
    pub(crate) fn git(&self, arguments: &[&str]) -> String {
        let output = self.git_command().args(arguments).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Runs a program of another project beside the source, and returns what it printed.
    #[track_caller]
    pub(crate) fn run_tool(&self, command: &[&str]) -> String {
        let mut reader = Command::new(command[0]);
        without_git_settings(&mut reader);
        let output = reader.args(&command[1..]).current_dir(self.folder.path()).output().unwrap();
        let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{command:?}: {stdout}{}", String::from_utf8_lossy(&output.stderr));
        stdout
    }

    /// Fails unless a file fits a schema of this project, field by field: one that the schema lacks is an
    /// error here, though readers should let new ones pass.
    #[track_caller]
    pub(crate) fn assert_fits_schema(&self, schema: &str, file: &str) {
        let script = "
import json, jsonschema, sys
schema, report = (json.load(open(path)) for path in sys.argv[1:])
def close(part):
    if isinstance(part, dict):
        if 'properties' in part:
            part['additionalProperties'] = False
        for below in part.values():
            close(below)
    elif isinstance(part, list):
        for below in part:
            close(below)
close(schema)
jsonschema.Draft202012Validator.check_schema(schema)
jsonschema.Draft202012Validator(schema).validate(report)
";
        self.run_tool(&["python3", "-c", script, &project_path(schema), file]);
    }

    /// The name of a service of app `app` at this commit.
    pub(crate) fn service_name(&self) -> String {
        format!("staging_th_app_master_{}", &self.commit[..10])
    }

    /// Makes this the repository of the app.
    pub(crate) fn clone_into(&self, world: &World, kind: &[&str]) {
        let to = repository(world);
        let to = to.to_str().unwrap();
        self.git(&[&["clone", "--quiet"][..], kind, &[self.folder.path().to_str().unwrap(), to]].concat());
    }
}

/// Keeps from a command what the environment tells git, such as the repository whose hook runs these tests.
fn without_git_settings(command: &mut Command) {
    let names = std::env::vars_os().map(|(name, _)| name);
    for name in names.filter(|name| name.as_encoded_bytes().starts_with(b"GIT_")) {
        command.env_remove(name);
    }
}

/// The path of a file of this project.
pub(crate) fn project_path(name: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name).display().to_string()
}

/// Where the repository of the app belongs.
pub(crate) fn repository(world: &World) -> PathBuf {
    world.root().join("app/repo")
}
