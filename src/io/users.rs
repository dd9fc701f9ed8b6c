//! Users of this machine, as listed in `/etc/passwd`.

use std::fs;

use crate::names::in_message;

/// Returns the id of a user by name.
#[must_use]
pub(crate) fn id_of(name: &str) -> Option<u32> {
    all().into_iter().find_map(|(known, id)| (known == name).then_some(id))
}

/// Returns the name of a user.
#[must_use]
pub(crate) fn name_of(id: u32) -> Option<String> {
    all().into_iter().find_map(|(name, known)| (known == id).then_some(name))
}

/// Returns a user for a message, with the name if there is one: `user nobody (65534)`.
#[must_use]
pub(crate) fn shown(id: u32) -> String {
    shown_as(name_of(id).as_deref(), id)
}

fn shown_as(name: Option<&str>, id: u32) -> String {
    name.map_or_else(|| format!("user {id}"), |name| format!("user {} ({id})", in_message(name)))
}

fn all() -> Vec<(String, u32)> {
    #[expect(clippy::disallowed_methods, reason = "this adapter reads what this host says of its users")]
    let listed = fs::read_to_string("/etc/passwd").unwrap_or_default();
    parse_passwd(&listed)
}

fn parse_passwd(listed: &str) -> Vec<(String, u32)> {
    let user = |line: &str| {
        let mut fields = line.split(':');
        Some((fields.next()?.to_owned(), fields.nth(1)?.parse().ok()?))
    };
    listed.lines().filter_map(user).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_known_by_the_third_field_of_a_line() {
        let listed = "root:x:0:0:root:/root:/bin/sh\n\n+::::::\nnobody:x:65534:65534::/:/none\nbroken:x\n";
        assert_eq!(parse_passwd(listed), [("root".to_owned(), 0), ("nobody".to_owned(), 65534)]);
    }

    #[test]
    fn a_message_shows_the_id_with_the_name_where_there_is_one() {
        assert_eq!(shown_as(Some("nobody"), 65534), "user nobody (65534)");
        assert_eq!(shown_as(None, 61_003), "user 61003");
        assert_eq!(shown_as(Some("a\nb"), 7), r"user a\nb (7)");
    }
}
