//! The parts of a coverage that has more than what the processes of a commit executed: other runs (`--with`), and other
//! commits (`--carry`).

use crate::carry::CarriedCoverage;
use crate::together::TogetherCoverage;

/// Returns the parts in words; `None` if only the processes of the commit count.
pub(crate) fn counted_words(
    together: Option<&TogetherCoverage>,
    carried: Option<&CarriedCoverage>,
) -> Option<String> {
    match (together, carried) {
        (None, None) => None,
        (None, Some(carried)) => Some(carried.words()),
        (Some(together), None) => Some(together.words()),
        (Some(together), Some(carried)) => {
            Some(format!("{}, {}", together.words(), words_of_rows(together, carried, "")))
        }
    }
}

/// Returns what is carried from rows, beside other runs, with a unit behind the points.
pub(crate) fn words_of_rows(together: &TogetherCoverage, carried: &CarriedCoverage, unit: &str) -> String {
    match together.is_partly_carried() && carried.is_empty() {
        true => "nothing more carried from other commits".to_owned(),
        false => carried.carried_words(unit),
    }
}

/// Returns the percentage of what the processes of the commit executed; `None` if only they count.
pub(crate) fn fresh_percent(
    together: Option<&TogetherCoverage>,
    carried: Option<&CarriedCoverage>,
) -> Option<f64> {
    let carried = carried.map(|carried| carried.fresh.percent());
    together.map(TogetherCoverage::alone_percent).or(carried)
}
