//! The ways in which a text that a person typed can mean a name.

use super::escape::LONGEST_ESCAPED;
use super::naming::is_commit;
use super::printable;

/// The way in which a text fits a name; the first one is the strongest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fit {
    /// The text is the whole name.
    Full,
    /// The text is the name's app.
    App,
    /// The text is a run of whole segments between `_`.
    Segments,
    /// The text stands anywhere in the name.
    Part,
}

/// Returns the strongest way in which `query` fits a name of this app.
///
/// The query may also have the form of [`printable`], which people copy from the output. The empty query fits no name,
/// because an unset variable of a script must not choose a service.
pub(crate) fn fit(query: &str, name: &str, app: &str) -> Option<Fit> {
    if query.is_empty() {
        return None;
    }
    if is_name(query, name) {
        return Some(Fit::Full);
    }
    if is_name(query, app) {
        return Some(Fit::App);
    }
    let shown = printable(name);
    if has_segments(name, query) || has_segments(&shown, query) {
        Some(Fit::Segments)
    } else {
        (name.contains(query) || shown.contains(query)).then_some(Fit::Part)
    }
}

/// Tells whether a text is a name, or the form of it that people copy from the output.
pub(crate) fn is_name(text: &str, name: &str) -> bool {
    text == name || text == printable(name)
}

/// Tells whether `query` stands in a name between two `_`, or between one and an end.
fn has_segments(name: &str, query: &str) -> bool {
    format!("_{name}_").contains(&format!("_{query}_"))
}

/// Returns a text with a commit in it that has more digits than `commit`, which begins it, cut to those of `commit`;
/// `None` if there is none.
pub(crate) fn with_short_commit(text: &str, commit: &str) -> Option<String> {
    if commit.is_empty() {
        return None;
    }
    let is_longer = |segment: &&str| {
        segment.len() > commit.len() && is_commit(segment) && segment.to_ascii_lowercase().starts_with(commit)
    };
    let longer = text.split('_').find(is_longer)?;
    Some(text.replacen(longer, commit, 1))
}

/// Returns the word that is nearest to a mistyped one, if it is at most a third of that away from it.
pub(crate) fn nearest_word<'k>(word: &str, known: &[&'k str]) -> Option<&'k str> {
    let near = (word.chars().count() / 3).max(1);
    let by_distance = known.iter().map(|known| (strsim::osa_distance(word, known), *known));
    by_distance.min().filter(|(distance, _)| *distance <= near).map(|(_, known)| known)
}

/// Returns the name with a run of segments that is at most a quarter of the query away from it.
pub(crate) fn nearest(query: &str, names: &[&str]) -> Option<String> {
    let by_nearness = names.iter().filter_map(|name| Some((nearness(query, name)?, *name)));
    by_nearness.min().map(|(_, name)| name.to_owned())
}

/// Returns the smallest number of edits between `query` and a run of segments of `name`, in any case of letters, if it is
/// at most a quarter of the query.
pub(crate) fn nearness(query: &str, name: &str) -> Option<usize> {
    // A name of this length is not typed by hand, and the time for the distance grows with the product of both lengths.
    if query.is_empty() || name.is_empty() || query.len() > 2 * LONGEST_ESCAPED {
        return None;
    }
    let near = (query.chars().count() / 4).max(1);
    distance(&query.to_lowercase(), &name.to_lowercase(), near)
}

/// Returns the smallest edit distance, at most `near`, between `query` and a run of as many segments of `name`.
fn distance(query: &str, name: &str, near: usize) -> Option<usize> {
    let run = query.split('_').count();
    let starts: Vec<usize> =
        std::iter::once(0).chain(name.match_indices('_').map(|(at, _)| at + 1)).collect();
    let ends = starts.iter().skip(run).map(|next| next - 1).chain(std::iter::once(name.len()));
    starts
        .iter()
        .zip(ends)
        .map(|(start, end)| &name[*start..end])
        .filter(|part| part.len().abs_diff(query.len()) <= 4 * near)
        .map(|part| strsim::osa_distance(query, part))
        .filter(|distance| *distance <= near)
        .min()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_text_fits_a_name_as_a_whole_by_its_app_by_segments_or_by_any_part() {
        let (name, app) = ("staging_th_echo_v2_master_845820727e", "echo_v2");
        for (query, expected) in [
            (name, Some(Fit::Full)),
            ("echo_v2", Some(Fit::App)),
            ("echo", Some(Fit::Segments)),
            ("v2_master", Some(Fit::Segments)),
            ("staging_th", Some(Fit::Segments)),
            ("845820727e", Some(Fit::Segments)),
            ("_echo_", Some(Fit::Part)),
            ("ech", Some(Fit::Part)),
            ("aging_th_echo", Some(Fit::Part)),
            ("echo_master", None),
            ("", None),
        ] {
            assert_eq!(fit(query, name, app), expected, "{query}");
        }
        assert_eq!(fit("odd\\u{1b}name", "odd\u{1b}name", "odd\u{1b}name"), Some(Fit::Full));
        assert_eq!(fit("\\u{1b}", "odd\u{1b}name", "odd\u{1b}name"), Some(Fit::Part));
        assert_eq!(fit("b_b", "ab_b_b", "x"), Some(Fit::Segments), "the second of two places that overlap");
    }

    #[test]
    fn the_nearest_name_is_near() {
        let names = ["staging_th_echo_master_845820727e", "staging_sg_apa_goc_gateway_master_1234567"];
        for (query, expected) in [
            ("apa_goc_gatewya", Some(names[1])),
            ("staging_th_echo_mastre_845820727e", Some(names[0])),
            ("billing", None),
            ("", None),
        ] {
            assert_eq!(nearest(query, &names).as_deref(), expected, "{query}");
        }
    }

    proptest! {
        #[test]
        fn any_text_and_name_can_be_compared(query in any::<String>(), names in prop::collection::vec("[aé_]{0,9}", 0..4)) {
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            for name in &names {
                let _ = fit(&query, name, "a");
            }
            let _ = nearest(&query, &names);
        }
    }
}
