//! Users and groups whose files are trusted: [`InboxOwner`] in an inbox, [`User`] in a git repository.

use std::fmt;

use serde::de::value::SeqAccessDeserializer;
use serde::de::{Error, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::values::{NumberOrText, expected, list};

/// A user of this machine.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "NumberOrText<u32>")]
pub(crate) enum User {
    /// A user by id.
    Id(u32),
    /// A user by name.
    Name(String),
}

/// A user or a group whose files in an inbox are trusted.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "NumberOrText<u32>")]
pub(crate) enum InboxOwner {
    /// A user.
    User(User),
    /// A group by number, written `gid:N`.
    Group(u32),
}

impl InboxOwner {
    /// Tells whether a file of this user and group is trusted. `user_id` returns the id of a user.
    pub(crate) fn has(&self, uid: u32, gid: u32, user_id: impl Fn(&str) -> Option<u32>) -> bool {
        match self {
            Self::User(User::Id(trusted)) => *trusted == uid,
            Self::User(User::Name(name)) => user_id(name) == Some(uid),
            Self::Group(trusted) => *trusted == gid,
        }
    }
}

const OWNERS: &str =
    "\"any\", or a list of user numbers, user names and groups such as [65532, \"deploy\", \"gid:2000\"]";

impl TryFrom<NumberOrText<u32>> for User {
    type Error = String;

    fn try_from(value: NumberOrText<u32>) -> Result<User, String> {
        match value {
            NumberOrText::Number(uid) => Ok(User::Id(uid)),
            NumberOrText::Text(text) if !text.is_empty() => {
                Ok(text.parse().map_or_else(|_| User::Name(text), User::Id))
            }
            _ => Err(expected("the name of a user in quotes, or a user id")),
        }
    }
}

impl TryFrom<NumberOrText<u32>> for InboxOwner {
    type Error = String;

    fn try_from(value: NumberOrText<u32>) -> Result<InboxOwner, String> {
        let NumberOrText::Text(text) = &value else { return value.try_into().map(InboxOwner::User) };
        match text.strip_prefix("gid:") {
            Some(gid) => gid.parse().map(InboxOwner::Group).map_err(|_| expected(OWNERS)),
            None if text == "any" || text.contains(':') => Err(expected(OWNERS)),
            None => value.try_into().map(InboxOwner::User),
        }
    }
}

/// Reads `"any"`, or a list of users and groups; an empty list trusts nobody.
pub(super) fn inbox_owners<'de, D: Deserializer<'de>>(value: D) -> Result<Option<Vec<InboxOwner>>, D::Error> {
    value.deserialize_any(AnyOrList)
}

struct AnyOrList;

impl<'de> Visitor<'de> for AnyOrList {
    type Value = Option<Vec<InboxOwner>>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(OWNERS)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        if text == "any" { Ok(None) } else { Err(E::custom(expected(OWNERS))) }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, owners: A) -> Result<Self::Value, A::Error> {
        list(SeqAccessDeserializer::new(owners)).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use crate::config::Config;

    #[test]
    fn a_file_in_an_inbox_is_trusted_by_its_user_or_its_group() {
        let config = Config::parse("inbox_owners = [7, \"deploy\", \"gid:9\"]", "").unwrap();
        let user_id = |name: &str| (name == "deploy").then_some(8);
        let is_trusted =
            |uid, gid| config.inbox_owners.iter().flatten().any(|owner| owner.has(uid, gid, user_id));
        assert!(is_trusted(7, 1) && is_trusted(8, 1) && is_trusted(1, 9));
        assert!(!is_trusted(9, 7) && !is_trusted(0, 0));
        assert_eq!(Config::parse("inbox_owners = \"any\"", "").unwrap().inbox_owners, None);
        for wrong in ["\"deploy\"", "[\"uid:5\"]", "[\"any\"]", "[\"gid:\"]"] {
            assert!(Config::parse(&format!("inbox_owners = {wrong}"), "").is_err(), "{wrong}");
        }
    }
}
