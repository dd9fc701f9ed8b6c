//! The tables `[groups.NAME]`.

use std::collections::{BTreeMap, BTreeSet};

use serde::de::Error;
use serde::{Deserialize, Deserializer};
use toml::Spanned;

use super::fault::Fault;
use super::values::{Table, expected, list, text};
use crate::fleet::app_group::AppGroup;

/// The table of one group in the file.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct GroupTable {
    #[serde(deserialize_with = "apps")]
    apps: Vec<String>,
}

/// The tables of all groups, by their names.
pub(super) type GroupTables = BTreeMap<Spanned<String>, Table<GroupTable>>;

const AN_APP: &str = "the name of an app in quotes";

#[derive(Deserialize)]
struct AppName(#[serde(deserialize_with = "app_name")] String);

fn app_name<'de, D: Deserializer<'de>>(value: D) -> Result<String, D::Error> {
    let parse = |name: &str| if name.is_empty() { Err(expected(AN_APP)) } else { Ok(name.to_owned()) };
    text(value, AN_APP, parse)
}

fn apps<'de, D: Deserializer<'de>>(value: D) -> Result<Vec<String>, D::Error> {
    let apps: Vec<String> = list(value)?.into_iter().map(|AppName(name)| name).collect();
    if apps.is_empty() {
        return Err(D::Error::custom(expected("at least one app")));
    }
    match apps.len() == apps.iter().collect::<BTreeSet<_>>().len() {
        true => Ok(apps),
        false => Err(D::Error::custom(expected("each app once"))),
    }
}

/// Reads the groups. The name of a group must not be that of an app, because a command line could mean both.
pub(super) fn groups(
    tables: GroupTables,
    is_configured: impl Fn(&str) -> bool,
) -> Result<Vec<AppGroup>, Fault> {
    let named: BTreeSet<String> = tables.values().flat_map(|Table(table)| table.apps.clone()).collect();
    let mut groups = Vec::with_capacity(tables.len());
    for (name, Table(GroupTable { apps })) in tables {
        let fault = |message: String| Err(Fault::new(name.span().start, message));
        let name_of = name.get_ref();
        if name_of.is_empty() {
            return fault("an empty name, expected that of a group".to_owned());
        }
        if apps.is_empty() {
            return fault("no apps, expected apps = [\"cart\", \"pay\"]".to_owned());
        }
        if named.contains(name_of) || is_configured(name_of) {
            return fault("an app has this name, expected another name".to_owned());
        }
        groups.push(AppGroup { name: name_of.clone(), apps });
    }
    Ok(groups)
}

#[cfg(test)]
mod tests {
    use crate::config::Config;
    use crate::fleet::app_group::AppGroup;

    fn fault(text: &str) -> String {
        Config::parse(text, "x").unwrap_err().to_string()
    }

    #[test]
    fn a_group_has_its_apps_in_their_order() {
        let text = "[groups.shop]\napps = [\"pay\", \"cart\"]\n[groups.all]\napps = [\"web\"]\n";
        let group = |name: &str, apps: &[&str]| AppGroup {
            name: name.to_owned(),
            apps: apps.iter().map(|app| (*app).to_owned()).collect(),
        };
        let groups = Config::parse(text, "x").unwrap().groups;
        assert_eq!(groups, [group("all", &["web"]), group("shop", &["pay", "cart"])]);
    }

    #[test]
    fn a_group_without_apps_or_with_the_name_of_one_is_a_fault_of_its_line() {
        for (text, expected) in [
            ("[groups.shop]", "x:1: shop in [groups]: no apps, expected apps = [\"cart\", \"pay\"]"),
            (
                "[groups.shop]\napps = []",
                "x:2: apps in [groups.shop]: found an empty array, expected at least one app",
            ),
            (
                "[groups.shop]\napps = [\"cart\", \"cart\"]",
                "x:2: apps in [groups.shop]: found an array, expected each app once",
            ),
            (
                "[groups.shop]\napps = [\"cart\", 3]",
                "x:2: apps in [groups.shop]: found 3, expected the name of an app in quotes",
            ),
            ("[groups.shop]\napp = []", "x:2: unknown key \"app\" in [groups.shop], did you mean \"apps\"?"),
            (
                "[groups.cart]\napps = [\"cart\", \"pay\"]",
                "x:1: cart in [groups]: an app has this name, expected another name",
            ),
            (
                "[apps.shop]\nrepo = \"r\"\n[groups.shop]\napps = [\"pay\"]",
                "x:3: shop in [groups]: an app has this name, expected another name",
            ),
            (
                "[groups.\"\"]\napps = [\"pay\"]",
                "x:1: \"\" in [groups]: an empty name, expected that of a group",
            ),
            ("groups = 3", "x:1: groups: found 3, expected a table [groups]"),
        ] {
            assert_eq!(fault(text), expected, "{text}");
        }
    }
}
