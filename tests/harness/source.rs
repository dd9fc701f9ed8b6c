//! Git repositories with Go source, for reports.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use super::service::MAIN_SOURCE;
use super::{World, set_umask};

/// A repository in a folder outside of the world.
pub(crate) struct Source {
    pub(crate) folder: TempDir,
    pub(crate) commit: String,
}

impl Source {
    /// Makes a repository with one commit of these files.
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

    /// Prepares git in the folder, without settings of this machine.
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

    /// Runs a program of another project in the folder of the source, and returns its output.
    #[track_caller]
    pub(crate) fn run_tool(&self, command: &[&str]) -> String {
        let mut reader = Command::new(command[0]);
        without_git_settings(&mut reader);
        let output = reader.args(&command[1..]).current_dir(self.folder.path()).output().unwrap();
        let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{command:?}: {stdout}{}", String::from_utf8_lossy(&output.stderr));
        stdout
    }

    /// Fails unless a file fits a schema of this project. A field that the schema lacks is an error here, though
    /// readers should accept new ones.
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

    /// Fails unless a document fits a schema, as [`Source::assert_fits_schema`] does for a file.
    #[track_caller]
    pub(crate) fn assert_document_fits_schema(&self, schema: &str, document: &serde_json::Value) {
        let file = tempfile::NamedTempFile::new().unwrap();
        serde_json::to_writer(&file, document).unwrap();
        self.assert_fits_schema(schema, file.path().to_str().unwrap());
    }

    /// Returns the name of a service of app `app` at this commit.
    pub(crate) fn service_name(&self) -> String {
        format!("staging_th_app_master_{}", &self.commit[..10])
    }

    /// Clones the source to the place of the app's repository.
    pub(crate) fn clone_into(&self, world: &World, kind: &[&str]) {
        self.clone_for("app", world, kind);
    }

    /// Clones the source to the place of the repository of an app.
    pub(crate) fn clone_for(&self, app: &str, world: &World, kind: &[&str]) {
        let to = world.root().join(app).join("repo");
        let to = to.to_str().unwrap();
        self.git(&[&["clone", "--quiet"][..], kind, &[self.folder.path().to_str().unwrap(), to]].concat());
    }
}

/// Removes git's variables from a command's environment, such as the repository whose hook runs these tests.
fn without_git_settings(command: &mut Command) {
    let names = std::env::vars_os().map(|(name, _)| name);
    for name in names.filter(|name| name.as_encoded_bytes().starts_with(b"GIT_")) {
        command.env_remove(name);
    }
}

/// Returns the path of a file of this project.
pub(crate) fn project_path(name: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name).display().to_string()
}

/// Returns the path at which the program looks for the repository of app `app`.
pub(crate) fn repository(world: &World) -> PathBuf {
    world.root().join("app/repo")
}
