//! The two rows between which a report tells what was executed.

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::json::ReplicasJson;
use crate::names::in_message;
use crate::phrases::{count, rows};
use crate::time::{iso, minute};

/// The warning about counts of mode `set`.
pub(crate) const SET_KNOWS_THE_FIRST: &str =
    "mode set knows only the first execution of a block, so what was executed before, too, is not counted";

/// A stored state at an end of the time in between.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StoredMoment {
    /// The row; several of a group, ascending.
    pub rows: Vec<i64>,
    /// Time at which the row was stored; of several, that of the oldest one.
    pub stored_at: DateTime<Utc>,
    /// The name that a person gave to it.
    pub mark: Option<String>,
    /// Number of replicas that answered, and of those listed, of all apps of a group; `None` where they are not stored.
    pub replicas: Option<(u32, u32)>,
}

/// The two states, and what is to be known of their difference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SinceFacts {
    pub from: StoredMoment,
    pub until: StoredMoment,
    /// The mode is `set`, which knows the first execution alone.
    pub is_set: bool,
    /// Number of blocks whose counts fell, which count as not executed.
    pub fallen: usize,
}

/// The difference in the form for scripts.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct SinceJson {
    #[serde(flatten)]
    from: MomentJson,
    until: MomentJson,
    newly_covered: bool,
    fallen_blocks: usize,
}

/// A stored state in the form for scripts.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct MomentJson {
    id: Option<i64>,
    rows: Vec<i64>,
    stored_at: String,
    mark: Option<String>,
    replicas: ReplicasJson,
}

impl StoredMoment {
    /// Returns the moment in words: `row 2 "before" (2026-11-25 14:20 UTC)`.
    pub(crate) fn words(&self) -> String {
        let mark = self.mark.as_deref().map(|mark| format!(" \"{}\"", in_message(mark))).unwrap_or_default();
        format!("{}{mark} ({})", rows(&self.rows), minute(self.stored_at))
    }

    /// Returns the moment of several apps, at the earlier or the later time.
    fn with(self, other: Self, choose: fn(DateTime<Utc>, DateTime<Utc>) -> DateTime<Utc>) -> Self {
        let mut rows = [self.rows, other.rows].concat();
        rows.sort_unstable();
        let stored_at = choose(self.stored_at, other.stored_at);
        let mark = self.mark.filter(|mark| other.mark.as_ref() == Some(mark));
        let replicas =
            self.replicas.zip(other.replicas).map(|(own, other)| (own.0 + other.0, own.1 + other.1));
        Self { rows, stored_at, mark, replicas }
    }

    /// Returns the moment in the form for scripts.
    pub(super) fn to_json(&self) -> MomentJson {
        MomentJson {
            id: self.id(),
            rows: self.rows.clone(),
            stored_at: iso(self.stored_at),
            mark: self.mark.clone(),
            replicas: self.replicas.into(),
        }
    }

    /// Returns the row with the replicas of which it has data, if it lacks some: `row 2 has data of 1 of 2 replicas`.
    pub(crate) fn lack_of_replicas(&self) -> Option<String> {
        let (answered, known) = self.replicas.filter(|(answered, known)| answered < known)?;
        let have = if self.rows.len() == 1 { "has" } else { "have" };
        Some(format!("{} {have} data of {answered} of {known} replicas", rows(&self.rows)))
    }

    /// Returns the number of the row; `None` for several.
    fn id(&self) -> Option<i64> {
        if let [row] = self.rows[..] { Some(row) } else { None }
    }
}

impl SinceFacts {
    /// Returns the two states of several apps.
    pub(crate) fn with(self, other: Self) -> Self {
        Self {
            from: self.from.with(other.from, Ord::min),
            until: self.until.with(other.until, Ord::max),
            is_set: self.is_set || other.is_set,
            fallen: self.fallen + other.fallen,
        }
    }

    /// Returns both states in words, which begin with a verb.
    pub(crate) fn words(&self) -> String {
        let executed = if self.is_set { "newly covered" } else { "executed" };
        format!("{executed} between {} and {}", self.from.words(), self.until.words())
    }

    /// Returns warnings about what the difference cannot know.
    pub(crate) fn warnings(&self) -> Vec<String> {
        let set = self.is_set.then(|| SET_KNOWS_THE_FIRST.to_owned());
        let fallen = (self.fallen > 0).then(|| {
            format!(
                "the counts of {} fell between the rows, so it is unknown what was executed there; they count as not \
                 executed",
                count(self.fallen, "blocks")
            )
        });
        let before = self.from.lack_of_replicas();
        let before = before.map(|lack| format!("{lack}; what the others had executed before it counts, too"));
        let until = self.until.lack_of_replicas();
        let until =
            until.map(|lack| format!("{lack}; what the others executed since their last answer is lacking"));
        [set, fallen, before, until].into_iter().flatten().collect()
    }

    pub(crate) fn to_json(&self) -> SinceJson {
        let Self { from, until, is_set, fallen } = self;
        SinceJson {
            from: from.to_json(),
            until: until.to_json(),
            newly_covered: *is_set,
            fallen_blocks: *fallen,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::fixtures::at;

    fn moment(rows: &[i64], mark: Option<&str>) -> StoredMoment {
        let mark = mark.map(str::to_owned);
        StoredMoment { rows: rows.to_vec(), stored_at: at(rows[0]), mark, replicas: Some((1, 1)) }
    }

    #[test]
    fn both_states_are_told_with_their_times_and_marks() {
        let facts = SinceFacts {
            from: moment(&[2], Some("before")),
            until: moment(&[3], None),
            is_set: false,
            fallen: 0,
        };
        let times = [minute(at(2)), minute(at(3))];
        assert_eq!(
            facts.words(),
            format!("executed between row 2 \"before\" ({}) and row 3 ({})", times[0], times[1])
        );
        assert_eq!(facts.warnings(), [""; 0]);
        let of_two = facts.clone().with(SinceFacts { from: moment(&[1], Some("before")), ..facts.clone() });
        let both = StoredMoment { rows: vec![1, 2], replicas: Some((2, 2)), ..moment(&[1], Some("before")) };
        assert_eq!(of_two.from, both);
        let set = SinceFacts { until: moment(&[3, 5], None), is_set: true, fallen: 1, ..facts };
        assert!(
            set.words().starts_with("newly covered between row 2")
                && set.words().contains("and rows 3 and 5 (")
        );
        assert_eq!(set.warnings().len(), 2);
        let json = serde_json::to_value(set.to_json()).unwrap();
        assert_eq!(
            (&json["id"], &json["mark"], &json["until"]["id"]),
            (&2.into(), &"before".into(), &().into())
        );
    }
}
