//! A git repository with Go source, for reports.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

use super::World;

/// A repository with one commit, beside the world.
pub(crate) struct Source {
    pub(crate) folder: TempDir,
    pub(crate) commit: String,
}

impl Source {
    /// Commits these files.
    pub(crate) fn of(files: &[(&str, &[u8])]) -> Self {
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

    pub(crate) fn commit_all(&mut self) {
        self.git(&["add", "--all", "--force"]);
        self.git(&["commit", "--quiet", "--message=source"]);
        self.commit = self.head();
    }

    pub(crate) fn head(&self) -> String {
        self.git(&["rev-parse", "HEAD"]).trim().to_owned()
    }

    #[track_caller]
    pub(crate) fn git(&self, arguments: &[&str]) -> String {
        let output = Command::new("git")
            .args(["-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "core.autocrlf=false"])
            .args(arguments)
            .current_dir(self.folder.path())
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// The name of a service of app `app` at this commit.
    pub(crate) fn service(&self) -> String {
        format!("staging_th_app_master_{}", &self.commit[..10])
    }

    /// Makes this the repository of the app.
    pub(crate) fn clone_into(&self, world: &World, kind: &[&str]) {
        let to = repository(world);
        let to = to.to_str().unwrap();
        self.git(&[&["clone", "--quiet"][..], kind, &[self.folder.path().to_str().unwrap(), to]].concat());
    }
}

/// Where the repository of the app belongs.
pub(crate) fn repository(world: &World) -> PathBuf {
    world.root().join("app/repo")
}
