//! The users who can write a file, by itself or by a folder or link on the way to it.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Component, Path, PathBuf};

use super::error::{WorkdirError, io_error};
use crate::access::Caller;

const PERMISSIONS: u32 = 0o7777;
/// Links on the way to a file, as many as the kernel follows (`path_resolution(7)`).
const MAX_LINKS: usize = 40;

/// Fails where anybody but the caller and root can write a file, a folder on the way to it, or a link there.
pub(super) fn check(path: &Path, caller: Caller) -> Result<(), WorkdirError> {
    let mut at = PathBuf::from("/");
    check_one(&at, &look_at(&at)?, caller)?;
    let mut left = parts(path);
    let mut links = 0;
    while let Some(part) = left.pop_front() {
        if part == ".." {
            // Folders that were passed are checked.
            at.pop();
            continue;
        }
        let next = at.join(&part);
        let found = look_at(&next)?;
        check_one(&next, &found, caller)?;
        if !found.is_symlink() {
            at = next;
            continue;
        }
        links += 1;
        if links > MAX_LINKS {
            let loops = io::Error::other("too many symbolic links");
            return Err(io_error("cannot read", path)(loops));
        }
        let target = std::fs::read_link(&next).map_err(io_error("cannot read", &next))?;
        if target.is_absolute() {
            at = PathBuf::from("/");
        }
        for part in parts(&target).into_iter().rev() {
            left.push_front(part);
        }
    }
    Ok(())
}

fn parts(path: &Path) -> VecDeque<OsString> {
    let part = |component: Component<'_>| match component {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some("..".into()),
        _ => None,
    };
    path.components().filter_map(part).collect()
}

fn look_at(path: &Path) -> Result<Metadata, WorkdirError> {
    path.symlink_metadata().map_err(io_error("cannot look at", path))
}

fn check_one(path: &Path, found: &Metadata, caller: Caller) -> Result<(), WorkdirError> {
    // The mode of a link means nothing; its folder decides who replaces it, and its owner who made it.
    let mode = if found.is_symlink() { 0 } else { found.mode() & PERMISSIONS };
    match caller.alone_writes(found.uid(), mode, found.is_dir()) {
        true => Ok(()),
        false => Err(WorkdirError::WrittenByOthers {
            path: path.to_owned(),
            owner: found.uid(),
            is_of_another: caller.is_of_another(found.uid()),
            mode,
        }),
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use tempfile::TempDir;

    use super::*;

    fn caller() -> Caller {
        Caller { uid: rustix::process::geteuid().as_raw(), sudo_uid: None }
    }

    #[expect(clippy::disallowed_methods, reason = "a file of a test")]
    fn file(path: &Path) {
        fs::write(path, "").unwrap();
        fs::set_permissions(path, Permissions::from_mode(0o644)).unwrap();
    }

    fn set_mode(path: &Path, mode: u32) {
        fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn a_file_is_checked_with_all_folders_and_links_on_the_way_to_it() {
        let home = TempDir::new().unwrap();
        let [inner, other] = ["inner", "other"].map(|name| home.path().join(name));
        for folder in [&inner, &other] {
            fs::create_dir(folder).unwrap();
            set_mode(folder, 0o755);
        }
        let real = other.join("real");
        file(&real);
        let link = inner.join("link");
        symlink("../other/real", &link).unwrap();
        let culprit = |path: &Path| match check(path, caller()) {
            Err(WorkdirError::WrittenByOthers { path, .. }) => Some(path),
            result => result.map(|()| None).unwrap(),
        };
        assert_eq!((culprit(&real), culprit(&link)), (None, None));
        for path in [&real, &other] {
            let before = path.metadata().unwrap().permissions();
            for mode in [0o775, 0o757] {
                set_mode(path, mode);
                assert_eq!(culprit(&link), Some(path.clone()));
            }
            fs::set_permissions(path, before).unwrap();
        }
        set_mode(&inner, 0o777);
        assert_eq!((culprit(&link), culprit(&real)), (Some(inner.clone()), None));
        // A sticky folder lets nobody replace the files of others.
        set_mode(&inner, 0o1777);
        assert_eq!(culprit(&link), None);
        let looped = inner.join("loop");
        symlink("loop", &looped).unwrap();
        assert!(matches!(check(&looped, caller()), Err(WorkdirError::Io { .. })));
        let stranger = Caller { uid: 4_000_000, sudo_uid: None };
        assert!(check(&real, stranger).is_err() || caller().uid == 0);
    }
}
