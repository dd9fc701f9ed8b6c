//! The migration of addresses, which an earlier release stored as they were listed, to their normal form.
//!
//! The earlier release took two spellings of one address for two processes. Their records are joined: the better of two
//! states is kept, and the larger counts of two lives. Addresses in `listing` and `tombstone` keep the spelling of the
//! center.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::{Connection, OptionalExtension as _, params};

use super::lives::life_from_row;
use crate::address::normal_form;
use crate::fleet::ids::{LifeId, StructureId};
use crate::fleet::records::Life;
use crate::fleet::snapshot::larger;
use crate::profile::{decode_build, decode_counts, encode_counts};
use crate::time::iso;

/// Runs the migration in the open transaction.
pub(super) fn normalize(connection: &Connection) -> rusqlite::Result<()> {
    centers(connection)?;
    answers(connection)?;
    suspicions(connection)?;
    schedules(connection)?;
    lives(connection)
}

/// Returns the values of a column that are not in their normal form, each with its normal form.
fn misspelled(connection: &Connection, column: &str, table: &str) -> rusqlite::Result<Vec<(String, String)>> {
    let sql = format!("SELECT DISTINCT {column} FROM {table} WHERE {column} IS NOT NULL ORDER BY 1");
    let mut statement = connection.prepare(&sql)?;
    let mut found = Vec::new();
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let spelling: String = row.get(0)?;
        let normal = normal_form(&spelling);
        if normal != spelling {
            found.push((spelling, normal));
        }
    }
    Ok(found)
}

fn centers(connection: &Connection) -> rusqlite::Result<()> {
    for (spelling, normal) in misspelled(connection, "url", "center")? {
        let sql = "INSERT INTO center (url, last_listed_at) SELECT ?2, last_listed_at FROM center WHERE url = ?1
                   ON CONFLICT (url) DO UPDATE SET last_listed_at = max(last_listed_at, excluded.last_listed_at)";
        connection.execute(sql, [&spelling, &normal])?;
        connection.execute("DELETE FROM center WHERE url = ?1", [&spelling])?;
        connection.execute("UPDATE listing SET center = ?2 WHERE center = ?1", [&spelling, &normal])?;
        connection
            .execute("UPDATE OR REPLACE tombstone SET center = ?2 WHERE center = ?1", [spelling, normal])?;
    }
    Ok(())
}

/// Keeps of several spellings the state with the fewest failures, and of these the one that answered last.
fn answers(connection: &Connection) -> rusqlite::Result<()> {
    for (spelling, normal) in misspelled(connection, "address", "address")? {
        let better = "(other.failures, coalesce(this.last_answer_at, '')) < (this.failures, coalesce(other.last_answer_at, ''))";
        let sql = format!(
            "DELETE FROM address AS this WHERE address = ?1 AND EXISTS (
                 SELECT 1 FROM address AS other
                 WHERE other.key_id = this.key_id AND other.address = ?2 AND {better})"
        );
        connection.execute(&sql, [&spelling, &normal])?;
        connection
            .execute("UPDATE OR REPLACE address SET address = ?2 WHERE address = ?1", [spelling, normal])?;
    }
    Ok(())
}

/// Keeps of several spellings the record with failures in the fewest runs.
fn suspicions(connection: &Connection) -> rusqlite::Result<()> {
    for (spelling, normal) in misspelled(connection, "address", "suspicion")? {
        let sql = "DELETE FROM suspicion AS this WHERE address = ?1 AND EXISTS (
                       SELECT 1 FROM suspicion AS other WHERE other.address = ?2 AND other.runs <= this.runs)";
        connection.execute(sql, [&spelling, &normal])?;
        connection
            .execute("UPDATE OR REPLACE suspicion SET address = ?2 WHERE address = ?1", [spelling, normal])?;
    }
    Ok(())
}

/// Rewrites the addresses of each schedule. A service whose addresses changed would be due at once.
fn schedules(connection: &Connection) -> rusqlite::Result<()> {
    let mut statement = connection.prepare("SELECT key_id, addresses FROM schedule")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (key, text): (i64, String) = (row.get(0)?, row.get(1)?);
        // A value that cannot be read is found where it is used.
        let Ok(addresses) = serde_json::from_str::<Vec<String>>(&text) else { continue };
        let normal: BTreeSet<String> = addresses.iter().map(|address| normal_form(address)).collect();
        if !normal.iter().eq(&addresses) {
            let normal = serde_json::json!(normal).to_string();
            connection
                .execute("UPDATE schedule SET addresses = ?2 WHERE key_id = ?1", params![key, normal])?;
        }
    }
    Ok(())
}

fn lives(connection: &Connection) -> rusqlite::Result<()> {
    let mut spellings: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (spelling, normal) in misspelled(connection, "address", "generation")? {
        spellings.entry(normal.clone()).or_insert_with(|| BTreeSet::from([normal])).insert(spelling);
    }
    for (normal, spellings) in spellings {
        let mut alike: BTreeMap<(i64, i64, &'static str), Vec<Life>> = BTreeMap::new();
        for spelling in &spellings {
            // The table has no mixtures yet where this runs.
            let sql = "SELECT id, edition_id, structure_id, address, mode, opened_at, pulled_at, closed_at, 0
                       FROM generation WHERE address = ?1";
            let mut statement = connection.prepare_cached(sql)?;
            for life in statement.query_map([spelling], |row| life_from_row(row, |_| ()))? {
                let life = life?;
                let kind = (life.build_group.0, life.structure.0, life.mode.as_str());
                alike.entry(kind).or_default().push(life);
            }
        }
        for lives in alike.into_values() {
            for same in same_processes(lives) {
                join(connection, &same)?;
            }
        }
        let sql = "UPDATE generation SET address = ?2 WHERE address = ?1";
        for spelling in &spellings {
            connection.execute(sql, [spelling, &normal])?;
        }
    }
    Ok(())
}

/// Groups lives at spellings of one address. Two lives were of the same process if their spellings differ and both were
/// open at the same time.
fn same_processes(mut lives: Vec<Life>) -> Vec<Vec<Life>> {
    lives.sort_by_key(|life| (life.opened_at, life.id));
    let mut groups: Vec<Vec<Life>> = Vec::new();
    for life in lives {
        let is_other_side = |known: &Life| {
            known.address != life.address && known.closed_at.is_none_or(|closed| closed > life.opened_at)
        };
        let has_own_side = |group: &[Life]| group.iter().any(|known| known.address == life.address);
        let fitting = |group: &&mut Vec<Life>| group.iter().any(is_other_side) && !has_own_side(group);
        match groups.iter_mut().rev().find(fitting) {
            Some(group) => group.push(life),
            None => groups.push(vec![life]),
        }
    }
    groups
}

/// Makes one life of several, with the larger count of each block.
fn join(connection: &Connection, lives: &[Life]) -> rusqlite::Result<()> {
    let Some(kept) = lives.iter().max_by_key(|life| (life.closed_at.is_none(), life.pulled_at, life.id))
    else {
        return Ok(());
    };
    // Counters that cannot be read stay as a life of their own, so that nothing is lost.
    let Some(blocks) = block_count(connection, kept.structure)? else { return Ok(()) };
    let read = |id: LifeId| -> rusqlite::Result<Option<Vec<u64>>> {
        let counts: Vec<u8> = connection
            .prepare_cached("SELECT counts FROM generation WHERE id = ?1")?
            .query_row([id], |row| row.get(0))?;
        Ok(decode_counts(&counts, blocks).ok())
    };
    let Some(stored) = read(kept.id)? else { return Ok(()) };
    let mut joined = stored.clone();
    let (mut opened_at, mut pulled_at, mut closed_at) = (kept.opened_at, kept.pulled_at, kept.closed_at);
    let mut is_joined = false;
    for life in lives.iter().filter(|life| life.id != kept.id) {
        let Some(counts) = read(life.id)? else { continue };
        joined = larger(&joined, &counts);
        opened_at = opened_at.min(life.opened_at);
        pulled_at = pulled_at.max(life.pulled_at);
        closed_at = closed_at.and_then(|closed| life.closed_at.map(|other| closed.max(other)));
        connection.execute("DELETE FROM generation WHERE id = ?1", [life.id])?;
        is_joined = true;
    }
    if !is_joined {
        return Ok(());
    }
    let sql =
        "UPDATE generation SET counts = ?2, opened_at = ?3, pulled_at = ?4, closed_at = ?5 WHERE id = ?1";
    let (counts, closed_at) = (encode_counts(&joined), closed_at.map(iso));
    connection.execute(sql, params![kept.id, counts, iso(opened_at), iso(pulled_at), closed_at])?;
    if joined != stored {
        connection.execute("DELETE FROM last_answer WHERE generation_id = ?1", [kept.id])?;
    }
    // The latest row has the sum of both lives, so the next pull has to decide about a row.
    let sql = "UPDATE schedule SET unfinished = 1 WHERE key_id = (SELECT key_id FROM edition WHERE id = ?1)";
    connection.execute(sql, [kept.build_group])?;
    Ok(())
}

fn block_count(connection: &Connection, structure: StructureId) -> rusqlite::Result<Option<usize>> {
    let sql = "SELECT data FROM structure WHERE id = ?1";
    let data: Option<Vec<u8>> =
        connection.prepare_cached(sql)?.query_row([structure], |row| row.get(0)).optional()?;
    Ok(data.and_then(|data| decode_build(&data).ok()).map(|template| template.build().blocks().len()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::ids::BuildGroupId;
    use crate::profile::Mode;

    fn life(spelling: &str, opened: i64, closed: Option<i64>) -> Life {
        let at = |minute: i64| chrono::DateTime::from_timestamp(minute * 60, 0).unwrap();
        Life {
            id: LifeId(opened),
            build_group: BuildGroupId(1),
            structure: StructureId(1),
            address: Some(spelling.to_owned()),
            mode: Mode::Count,
            opened_at: at(opened),
            pulled_at: at(closed.unwrap_or(100)),
            closed_at: closed.map(at),
            is_mixture: false,
        }
    }

    #[test]
    fn lives_of_two_spellings_are_one_process_where_both_were_open_at_a_time() {
        type Lives<'a> = &'a [(&'a str, i64, Option<i64>)];
        // The expected groups name each life by the minute in which it was opened.
        let cases: [(Lives<'_>, &[&[i64]]); 10] = [
            (&[], &[]),
            (&[("a", 1, None)], &[&[1]]),
            (&[("a", 1, None), ("b", 2, None)], &[&[1, 2]]),
            (&[("b", 2, None), ("a", 1, None)], &[&[1, 2]]),
            (&[("a", 1, Some(3)), ("b", 2, Some(4))], &[&[1, 2]]),
            (&[("a", 1, Some(2)), ("b", 2, None)], &[&[1], &[2]]),
            (&[("a", 1, None), ("a", 2, None)], &[&[1], &[2]]),
            (&[("a", 1, Some(5)), ("b", 2, Some(6)), ("a", 5, None), ("b", 7, None)], &[&[1, 2], &[5, 7]]),
            (&[("a", 1, None), ("b", 2, None), ("c", 3, None)], &[&[1, 2, 3]]),
            // The process of the first spelling was started anew, which no pull saw at the second spelling.
            (&[("a", 1, Some(3)), ("b", 2, None), ("a", 4, None)], &[&[1, 2], &[4]]),
        ];
        for (lives, expected) in cases {
            let stored = lives.iter().map(|&(spelling, opened, closed)| life(spelling, opened, closed));
            let groups = same_processes(stored.collect());
            let found: Vec<Vec<i64>> =
                groups.iter().map(|group| group.iter().map(|life| life.id.0).collect()).collect();
            assert_eq!(found, expected, "{lives:?}");
        }
    }
}
