//! Trust in the users that share a work directory: decisions by user ids alone.

/// The user that runs the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Caller {
    /// Effective user id.
    pub uid: u32,
    /// User id of the user who started `sudo` (`SUDO_UID`).
    pub sudo_uid: Option<u32>,
}

const ROOT: u32 = 0;

impl Caller {
    /// Tells whether this user may work in a root folder of `owner` without a setting that trusts it.
    ///
    /// Only root is refused, because only root could be made to do things that the owner may not do. As in git, a user
    /// who calls `sudo` trusts their own folders (`ensure_valid_ownership` in git's setup.c).
    #[must_use]
    pub(crate) fn trusts_root_of(self, owner: u32) -> bool {
        self.uid != ROOT || owner == ROOT || self.sudo_uid == Some(owner)
    }

    /// Tells whether this user follows a symbolic link of `owner`, in a work directory of `root_owner`.
    ///
    /// Root works in a folder of another user only if that user is trusted.
    #[must_use]
    pub(crate) fn follows_link_of(self, owner: u32, root_owner: u32) -> bool {
        owner == self.uid || owner == ROOT || (self.uid == ROOT && owner == root_owner)
    }

    /// Tells whether this user may set the times of a file of `owner`.
    #[must_use]
    pub(crate) fn sets_times_of(self, owner: u32) -> bool {
        self.uid == ROOT || self.uid == owner
    }

    /// Tells whether a file of `owner` is neither this user's nor root's.
    #[must_use]
    pub(crate) fn is_of_another(self, owner: u32) -> bool {
        owner != self.uid && owner != ROOT
    }

    /// Tells whether nobody but this user and root can write a file or folder of `owner` with this `mode`.
    ///
    /// In a sticky folder (`/tmp`) others can make new entries, but neither replace nor rename those of this user.
    #[must_use]
    pub(crate) fn alone_writes(self, owner: u32, mode: u32, is_folder: bool) -> bool {
        const WRITTEN_BY_OTHERS: u32 = 0o022;
        const STICKY: u32 = 0o1000;
        let is_closed = mode & WRITTEN_BY_OTHERS == 0 || (is_folder && mode & STICKY != 0);
        !self.is_of_another(owner) && is_closed
    }

    /// Tells whether new files of this user are given to the owner of the root folder, who could not use them
    /// otherwise.
    #[must_use]
    pub(crate) fn gives_files_to(self, root_owner: u32) -> bool {
        self.uid == ROOT && root_owner != ROOT
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_alone_is_careful_whose_folder_it_works_in() {
        let cases = [
            // uid, SUDO_UID, owner of the folder, trusted
            (1000, None, 1000, true),
            (1000, None, 1001, true),
            (1000, Some(1001), 1002, true),
            (0, None, 0, true),
            (0, Some(1000), 0, true),
            (0, Some(1000), 1000, true),
            (0, Some(1000), 1001, false),
            (0, None, 1000, false),
        ];
        for (uid, sudo_uid, owner, is_trusted) in cases {
            let caller = Caller { uid, sudo_uid };
            assert_eq!(caller.trusts_root_of(owner), is_trusted, "{caller:?} in a folder of {owner}");
        }
    }

    #[test]
    fn links_are_followed_that_this_user_or_root_made() {
        let cases = [
            // uid, owner of the link, owner of the folder, followed
            (1000, 1000, 1000, true),
            (1000, 0, 1000, true),
            (1000, 1001, 1000, false),
            (1000, 1001, 1001, false),
            (0, 0, 0, true),
            (0, 1000, 0, false),
            (0, 1000, 1000, true),
            (0, 1001, 1000, false),
        ];
        for (uid, owner, root_owner, is_followed) in cases {
            let caller = Caller { uid, sudo_uid: None };
            let found = caller.follows_link_of(owner, root_owner);
            assert_eq!(found, is_followed, "user {uid}, link of {owner}, folder of {root_owner}");
        }
    }

    #[test]
    fn times_are_set_by_root_and_by_the_owner() {
        for (uid, owner, sets) in [(0, 1000, true), (1000, 1000, true), (1000, 1001, false), (1000, 0, false)]
        {
            let caller = Caller { uid, sudo_uid: None };
            assert_eq!(caller.sets_times_of(owner), sets, "user {uid}, file of {owner}");
        }
    }

    #[test]
    fn a_file_is_written_by_this_user_alone_where_its_owner_and_mode_and_folder_say_so() {
        let cases = [
            // uid, owner, mode, folder, alone
            (1000, 1000, 0o644, false, true),
            (1000, 0, 0o644, false, true),
            (1000, 1001, 0o600, false, false),
            (0, 1000, 0o600, false, false),
            (1000, 1000, 0o664, false, false),
            (1000, 1000, 0o646, false, false),
            (1000, 1000, 0o1666, false, false),
            (1000, 0, 0o1777, true, true),
            (1000, 0, 0o777, true, false),
            (1000, 1001, 0o1777, true, false),
        ];
        for (uid, owner, mode, is_folder, alone) in cases {
            let caller = Caller { uid, sudo_uid: Some(1000) };
            let found = caller.alone_writes(owner, mode, is_folder);
            assert_eq!(found, alone, "user {uid}, owner {owner}, mode {mode:o}");
        }
    }

    #[test]
    fn root_hands_new_files_to_the_owner_of_the_folder() {
        for (uid, owner, gives) in [(0, 1000, true), (0, 0, false), (1000, 1001, false), (1000, 1000, false)]
        {
            let caller = Caller { uid, sudo_uid: None };
            assert_eq!(caller.gives_files_to(owner), gives, "user {uid}, folder of {owner}");
        }
    }
}
