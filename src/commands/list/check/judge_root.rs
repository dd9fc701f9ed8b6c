//! The findings about the root: itself, its owner, its lock, its space and its configuration. Pure.

use super::finding::{FindingLevel, SetupFinding};
use crate::io::workdir::{FileSystemSpace, LockState};
use crate::phrases::count;

/// The root as it was found.
#[derive(Clone, Debug)]
pub(super) struct RootFacts {
    /// The path, printable.
    pub(super) path: String,
    pub(super) state: RootState,
    /// The kind of network file system that it is on.
    pub(super) network: Option<&'static str>,
}

/// The content of the root.
#[derive(Clone, Debug)]
pub(super) enum RootState {
    /// Nothing is there. A pull makes it.
    Missing,
    NoFolder,
    /// The folder belongs to a user whose files are not read, so that nothing in it was looked at.
    Refused,
    /// No pull has stored anything.
    Empty,
    /// A database of an earlier release.
    Outdated,
    /// The database cannot be used.
    Unusable(String),
    Services {
        services: usize,
        /// The first stored value that cannot be read.
        damage: Option<String>,
    },
}

/// Judges the root.
pub(super) fn judge_root(facts: &RootFacts) -> SetupFinding {
    const CHECK: &str = "root";
    let RootFacts { path, state, network } = facts;
    let named_by = "or name another one: --root, GOC_WATCHDOG_ROOT";
    let ok = |message: String| match network {
        Some(kind) => SetupFinding::new(
            CHECK,
            FindingLevel::Warning,
            format!("{message}, on {kind}, where locks and SQLite are not safe"),
            "use a local disk",
        ),
        None => SetupFinding::ok(CHECK, message),
    };
    let not_ok = |level, message, step: &str| SetupFinding::new(CHECK, level, message, step);
    match state {
        RootState::Missing => not_ok(
            FindingLevel::Warning,
            format!("{path} does not exist"),
            &format!("the first pull makes it, {named_by}"),
        ),
        RootState::NoFolder => not_ok(
            FindingLevel::Failed,
            format!("{path} is not a folder"),
            &format!("remove the file, {named_by}"),
        ),
        RootState::Refused => ok(format!("{path}, not looked into")),
        RootState::Empty => ok(format!("{path}, nothing was pulled yet")),
        RootState::Outdated => ok(format!("{path}, of an earlier release; the next pull updates it")),
        RootState::Unusable(error) => {
            not_ok(FindingLevel::Failed, error.clone(), "restore a backup, or give another --root")
        }
        RootState::Services { damage: Some(damage), .. } => not_ok(
            FindingLevel::TargetsFailed,
            format!("{path} has a value that cannot be read: {damage}"),
            "restore a backup",
        ),
        RootState::Services { services, damage: None } => {
            ok(format!("{path}, {}", count(*services, "services")))
        }
    }
}

/// The owner of the root, and the rights of this user.
#[derive(Clone, Debug)]
pub(super) struct OwnerFacts {
    /// The owner, such as `user deploy (1000)`; `None` if there is no root.
    pub(super) owner: Option<String>,
    /// The user that runs the check.
    pub(super) user: String,
    /// The first path that this user would have to write and may not.
    pub(super) unwritable: Option<String>,
    /// The reason for which root does not work in this folder.
    pub(super) refused: Option<String>,
}

/// Judges the owner of the root.
pub(super) fn judge_owner(facts: &OwnerFacts) -> SetupFinding {
    const CHECK: &str = "owner";
    let OwnerFacts { owner, user, unwritable, refused } = facts;
    let failed =
        |message: String, step: String| SetupFinding::new(CHECK, FindingLevel::Failed, message, step);
    match (owner, refused, unwritable) {
        (_, Some(refused), _) => SetupFinding::without_step(CHECK, FindingLevel::Failed, refused.clone()),
        (Some(owner), None, Some(path)) if owner != user => failed(
            format!("{user} may not write {path}, and the root belongs to {owner}"),
            "run this and pull as that user (sudo -u)".to_owned(),
        ),
        (_, None, Some(path)) => failed(
            format!("{user} may not write {path}"),
            "give it to this user (chown), or name another --root".to_owned(),
        ),
        (Some(owner), None, None) if owner == user => {
            SetupFinding::ok(CHECK, format!("{owner}, who runs this"))
        }
        (Some(owner), None, None) => {
            SetupFinding::ok(CHECK, format!("{owner}; {user}, who runs this, may write there"))
        }
        (None, None, None) => SetupFinding::ok(CHECK, format!("{user} may make the root")),
    }
}

/// Judges the lock.
pub(super) fn judge_lock(state: &Result<LockState, String>) -> SetupFinding {
    const CHECK: &str = "lock";
    match state {
        Ok(LockState::Free) => SetupFinding::ok(CHECK, "free"),
        Ok(LockState::Unmade) => SetupFinding::ok(CHECK, "not made yet"),
        Ok(LockState::Held) => SetupFinding::ok(CHECK, "a run holds it; others end with 4, or wait (--wait)"),
        Err(error) => SetupFinding::new(
            CHECK,
            FindingLevel::Failed,
            error.clone(),
            "make it readable and writable for the user who pulls",
        ),
    }
}

/// Judges the free space.
pub(super) fn judge_space(space: Option<FileSystemSpace>) -> SetupFinding {
    const CHECK: &str = "free_space";
    const FEW_BYTES: u64 = 1 << 30;
    const FEW_PERCENT: u64 = 5;
    let Some(FileSystemSpace { free_bytes, size_bytes, lacks_inodes }) = space else {
        return SetupFinding::new(
            CHECK,
            FindingLevel::Warning,
            "the file system does not tell its free space",
            "look with df",
        );
    };
    let percent = u128::from(free_bytes) * 100 / u128::from(size_bytes.max(1));
    let message = format!("{} of {} are free ({percent}%)", size(free_bytes), size(size_bytes));
    let make_room = "make room: prune drops old profiles ([prune] keep, keep_days)";
    if lacks_inodes {
        return SetupFinding::new(
            CHECK,
            FindingLevel::Failed,
            format!("{message}, and no further file can be made (df -i)"),
            "remove files that nobody needs",
        );
    }
    let level = match (free_bytes, percent < u128::from(FEW_PERCENT)) {
        (0, _) => FindingLevel::Failed,
        (FEW_BYTES.., false) => return SetupFinding::ok(CHECK, message),
        _ => FindingLevel::Warning,
    };
    SetupFinding::new(CHECK, level, message, make_room)
}

/// Returns a number of bytes in its largest unit: `1.5 GiB`.
fn size(bytes: u64) -> String {
    const UNITS: [(u32, &str); 4] = [(40, "TiB"), (30, "GiB"), (20, "MiB"), (10, "KiB")];
    let fits = |(shift, _): &&(u32, &str)| bytes >> *shift > 0;
    match UNITS.iter().find(fits) {
        Some((shift, unit)) => {
            let tenths = (u128::from(bytes) * 10) >> shift;
            format!("{}.{} {unit}", tenths / 10, tenths % 10)
        }
        None => format!("{bytes} B"),
    }
}

/// The configuration as it was found.
#[derive(Clone, Debug)]
pub(super) enum ConfigurationState {
    /// No file is there.
    Missing,
    Read(String),
    /// The file cannot be read or parsed.
    Unusable(String),
    /// The file has commands, and somebody else could have written it.
    CommandsRefused(String),
}

/// Judges the configuration.
pub(super) fn judge_configuration(state: &ConfigurationState) -> SetupFinding {
    const CHECK: &str = "configuration";
    match state {
        ConfigurationState::Missing => {
            SetupFinding::ok(CHECK, "there is none, so that each setting has its default")
        }
        ConfigurationState::Read(path) => SetupFinding::ok(CHECK, format!("{path} is valid")),
        ConfigurationState::Unusable(error) => SetupFinding::new(
            CHECK,
            FindingLevel::Failed,
            error.clone(),
            "correct it; then this check also looks at centers, targets, agents, repositories and names",
        ),
        ConfigurationState::CommandsRefused(error) => {
            SetupFinding::without_step(CHECK, FindingLevel::Failed, error.clone())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use FindingLevel::{Failed, Ok as Fine, TargetsFailed, Warning};

    #[track_caller]
    fn assert_finding(finding: &SetupFinding, level: FindingLevel, text: &str) {
        assert_eq!((finding.level, finding.text().as_str()), (level, text));
    }

    #[test]
    fn a_root_is_judged_by_its_content_and_its_file_system() {
        let services = |services| RootState::Services { services, damage: None };
        let damaged = RootState::Services { services: 2, damage: Some("cart: x".to_owned()) };
        let another = "or name another one: --root, GOC_WATCHDOG_ROOT";
        for (state, network, level, text) in [
            (services(42), None, Fine, "/srv/g, 42 services".to_owned()),
            (services(1), None, Fine, "/srv/g, 1 service".to_owned()),
            (RootState::Empty, None, Fine, "/srv/g, nothing was pulled yet".to_owned()),
            (
                RootState::Missing,
                None,
                Warning,
                format!("/srv/g does not exist; the first pull makes it, {another}"),
            ),
            (
                RootState::NoFolder,
                None,
                Failed,
                format!("/srv/g is not a folder; remove the file, {another}"),
            ),
            (
                damaged,
                None,
                TargetsFailed,
                "/srv/g has a value that cannot be read: cart: x; restore a backup".to_owned(),
            ),
            (
                services(2),
                Some("NFS"),
                Warning,
                "/srv/g, 2 services, on NFS, where locks and SQLite are not safe; use a local disk"
                    .to_owned(),
            ),
            (
                RootState::Unusable("it is broken".to_owned()),
                Some("NFS"),
                Failed,
                "it is broken; restore a backup, or give another --root".to_owned(),
            ),
        ] {
            assert_finding(
                &judge_root(&RootFacts { path: "/srv/g".to_owned(), state, network }),
                level,
                &text,
            );
        }
    }

    #[test]
    fn a_user_who_cannot_write_cannot_pull() {
        let (alice, bob) = ("user alice (1)", "user bob (2)");
        for (owner, unwritable, level, text) in [
            (Some(alice), None, Fine, "user alice (1), who runs this"),
            (Some(bob), None, Fine, "user bob (2); user alice (1), who runs this, may write there"),
            (
                Some(bob),
                Some("/srv/g"),
                Failed,
                "user alice (1) may not write /srv/g, and the root belongs to user bob (2); run this and pull as that \
                 user (sudo -u)",
            ),
            (
                Some(alice),
                Some("/srv/g/sqlite.db"),
                Failed,
                "user alice (1) may not write /srv/g/sqlite.db; give it to this user (chown), or name another --root",
            ),
            (None, None, Fine, "user alice (1) may make the root"),
            (
                None,
                Some("/srv"),
                Failed,
                "user alice (1) may not write /srv; give it to this user (chown), or name another --root",
            ),
        ] {
            let owner = owner.map(str::to_owned);
            let unwritable = unwritable.map(str::to_owned);
            let facts = OwnerFacts { owner, user: alice.to_owned(), unwritable, refused: None };
            assert_finding(&judge_owner(&facts), level, text);
        }
        let refused = Some("not as root".to_owned());
        let facts =
            OwnerFacts { owner: Some(bob.to_owned()), user: alice.to_owned(), unwritable: None, refused };
        assert_finding(&judge_owner(&facts), Failed, "not as root");
    }

    #[test]
    fn a_lock_that_is_held_is_no_fault() {
        assert_eq!(judge_lock(&Ok(LockState::Free)).level, Fine);
        assert_eq!(judge_lock(&Ok(LockState::Unmade)).level, Fine);
        assert_eq!(judge_lock(&Ok(LockState::Held)).level, Fine);
        assert_eq!(judge_lock(&Err("cannot open".to_owned())).level, Failed);
    }

    #[test]
    fn space_below_a_gibibyte_or_five_percent_is_a_warning() {
        const GIB: u64 = 1 << 30;
        for (free_bytes, size_bytes, level, message) in [
            (5 * GIB, 100 * GIB, Fine, "5.0 GiB of 100.0 GiB are free (5%)"),
            (5 * GIB - 1, 100 * GIB, Warning, "4.9 GiB of 100.0 GiB are free (4%)"),
            (GIB, 2 * GIB, Fine, "1.0 GiB of 2.0 GiB are free (50%)"),
            (GIB - 1, 2 * GIB, Warning, "1023.9 MiB of 2.0 GiB are free (49%)"),
            (0, 2 << 40, Failed, "0 B of 2.0 TiB are free (0%)"),
        ] {
            let space = FileSystemSpace { free_bytes, size_bytes, lacks_inodes: false };
            let finding = judge_space(Some(space));
            assert_eq!((finding.level, finding.message.as_str()), (level, message));
        }
        let full = FileSystemSpace { free_bytes: GIB, size_bytes: GIB, lacks_inodes: true };
        assert_eq!(judge_space(Some(full)).level, Failed);
        assert_eq!(judge_space(None).level, Warning);
    }

    #[test]
    fn a_configuration_that_cannot_be_used_is_a_failure() {
        let error = || "goc-watchdog.toml:1: a fault".to_owned();
        for (state, level) in [
            (ConfigurationState::Missing, Fine),
            (ConfigurationState::Read("goc-watchdog.toml".to_owned()), Fine),
            (ConfigurationState::Unusable(error()), Failed),
            (ConfigurationState::CommandsRefused(error()), Failed),
        ] {
            assert_eq!(judge_configuration(&state).level, level, "{state:?}");
        }
    }
}
