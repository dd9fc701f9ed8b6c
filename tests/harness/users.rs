//! Runs of the binary as another user, and files that belong to one.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown, lchown};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use tempfile::TempDir;

use super::{Output, World, make_program, output_of, warn_skipped};

/// A user who owns nothing, and their group.
pub(crate) const NOBODY: u32 = 65534;
/// The user of a service, of a pod or of a crontab.
pub(crate) const SERVICE_USER: u32 = 61_001;
/// The group of a team, or of the pods of a namespace.
pub(crate) const TEAM_GROUP: u32 = 61_002;
/// Another user of [`TEAM_GROUP`].
pub(crate) const TEAM_MEMBER: u32 = 61_003;
/// A user who has nothing to do with the others.
pub(crate) const OTHER_USER: u32 = 61_004;

impl World {
    /// Copies the binary to a place where other users can run it, and opens the test's folder to them.
    pub(crate) fn install_binary(&self) -> PathBuf {
        let binary = self.home().join("goc-watchdog");
        if !binary.exists() {
            make_program(&binary, fs::File::open(env!("CARGO_BIN_EXE_goc-watchdog")).unwrap());
            fs::set_permissions(self.home(), fs::Permissions::from_mode(0o755)).unwrap();
        }
        binary
    }

    /// Prepares a command of another user, with this one group and this umask. Returns `None` after a warning where this
    /// user cannot become another.
    pub(crate) fn as_user(&self, uid: u32, gid: u32, umask: &str, command: &[&str]) -> Option<Command> {
        if !can_change_user() {
            return None;
        }
        self.install_binary();
        let mut setpriv = Command::new("setpriv");
        self.set_environment(&mut setpriv);
        let (uid, gid) = (uid.to_string(), gid.to_string());
        setpriv.args(["--reuid", &uid, "--regid", &gid, "--clear-groups", "sh", "-c"]);
        setpriv.arg(format!("umask {umask}; exec \"$@\"")).arg("sh").args(command);
        Some(setpriv)
    }

    /// Runs the binary as another user, as [`World::as_user`] does.
    pub(crate) fn run_as(&self, uid: u32, gid: u32, umask: &str, arguments: &[&str]) -> Option<Output> {
        let binary = self.home().join("goc-watchdog");
        let command = [&[binary.to_str().unwrap()], arguments].concat();
        Some(output_of(&mut self.as_user(uid, gid, umask, &command)?))
    }
}

/// Makes a folder as an administrator does for a user and a group. Nothing is given away where this user cannot.
pub(crate) fn make_folder(path: &Path, uid: u32, gid: u32, mode: u32) {
    fs::create_dir(path).unwrap();
    let _ = chown(path, Some(uid), Some(gid));
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// Gives a folder and all below it to a user and their group; links are given, not followed.
pub(crate) fn change_owner(path: &Path, user: u32) {
    lchown(path, Some(user), Some(user)).unwrap();
    if path.is_dir() && !path.is_symlink() {
        for entry in fs::read_dir(path).unwrap() {
            change_owner(&entry.unwrap().path(), user);
        }
    }
}

/// Tells whether this user may become another one and give files to others; warns where not.
///
/// Root may not in a namespace that knows no other user, nor without the capabilities for it, and no other user gets
/// to a folder for temporary files that is closed to them.
pub(crate) fn can_change_user() -> bool {
    static ANSWER: OnceLock<bool> = OnceLock::new();
    let probe = || {
        let (id, folder) = (NOBODY.to_string(), TempDir::new().unwrap());
        let is_given = chown(folder.path(), Some(NOBODY), Some(NOBODY)).is_ok();
        let mut other = Command::new("setpriv");
        other.args(["--reuid", &id, "--regid", &id, "--clear-groups", "test", "-w"]).arg(folder.path());
        is_given && other.output().is_ok_and(|output| output.status.success())
    };
    let can_change_user = rustix::process::geteuid().is_root() && *ANSWER.get_or_init(probe);
    if !can_change_user {
        warn_skipped(
            "this user cannot become another one here (root? setpriv? TMPDIR?), so nothing was tried as one",
        );
    }
    can_change_user
}

/// Returns a user of whom nothing runs, so that a limit of their threads is this test's alone.
///
/// The kernel counts threads for the whole machine, where the same test may run a second time at this moment.
pub(crate) fn unused_user() -> u32 {
    static NEXT: OnceLock<AtomicU32> = OnceLock::new();
    // Ids below 20,000 are people and services, those above 60,000 are users that systemd makes up.
    let next = NEXT.get_or_init(|| AtomicU32::new(fastrand::u32(20_000..60_000)));
    next.fetch_add(1, Ordering::Relaxed)
}
