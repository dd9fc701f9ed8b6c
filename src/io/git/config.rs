//! The clone's own configuration, read by git as plain files, in no repository.

use std::io;
use std::path::Path;

use super::Repository;
use super::error::GitError;
use super::layout::{CloneLayout, refuse_pipe};
use super::run::command;
use super::running::GitProcess;
use super::view::{FORMAT_SETTINGS, FormatSetting, format_settings, may_say_format};

const CONFIG: &str = "config";
const CONFIG_OF_WORKTREE: &str = "config.worktree";

impl Repository {
    /// Returns how a repository is stored. Git reads that from the file itself and from none that it includes.
    pub(super) fn format(&self, layout: &CloneLayout) -> Result<Vec<FormatSetting>, GitError> {
        if !may_say_format(&read_config(layout).unwrap_or_default()) {
            return Ok(Vec::new());
        }
        let arguments = ["--no-includes", "--null", "--get-regexp", FORMAT_SETTINGS];
        Ok(format_settings(&self.settings_in(&layout.common_dir, CONFIG, &arguments)?))
    }

    /// Returns the output of `git config` for the clone's own files, with those that they include.
    pub(super) fn own_settings(&self, arguments: &[&str]) -> Result<String, GitError> {
        let arguments = [&["--includes"], arguments].concat();
        let mut settings = self.settings_in(&self.layout.common_dir, CONFIG, &arguments)?;
        if self.layout.git_dir.join(CONFIG_OF_WORKTREE).is_file() {
            settings += &self.settings_in(&self.layout.git_dir, CONFIG_OF_WORKTREE, &arguments)?;
        }
        Ok(settings)
    }

    /// Lets git read a configuration as a file, in no repository.
    fn settings_in(&self, folder: &Path, file: &str, arguments: &[&str]) -> Result<String, GitError> {
        let mut git = command();
        git.current_dir(folder)
            .args(["--git-dir", "/dev/null/none", "config", "--file", file])
            .args(arguments);
        match GitProcess::start("config", git, Vec::new(), self.timeout)?.output() {
            Ok(settings) => Ok(String::from_utf8_lossy(&settings).into_owned()),
            // Git ends with code 1 if no setting matches.
            Err(GitError::Failed { code: Some(1), .. }) => Ok(String::new()),
            Err(error) => Err(error),
        }
    }

    /// Tells whether the clone has no working tree.
    pub(super) fn is_bare(&self) -> Result<bool, GitError> {
        let is_linked = self.layout.git_dir != self.layout.common_dir;
        let value = self.own_settings(&["--type=bool", "--get", "core.bare"])?;
        Ok(!is_linked && value.lines().last() == Some("true"))
    }
}

/// Reads the configuration file of a clone.
pub(super) fn read_config(layout: &CloneLayout) -> io::Result<Vec<u8>> {
    refuse_pipe(&layout.common_dir.join(CONFIG))?;
    #[expect(clippy::disallowed_methods, reason = "this is the adapter that reads repositories")]
    std::fs::read(layout.common_dir.join(CONFIG))
}
