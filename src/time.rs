//! The written forms of times and spans.

use std::time::Duration;

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, SecondsFormat, TimeDelta, Utc};

/// Returns a time for JSON and the database: UTC, RFC 3339, always of the same width, so that texts sort by time.
#[must_use]
pub(crate) fn iso(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// Returns a time for people, to the minute: `2026-11-25 14:20 UTC`.
#[must_use]
pub(crate) fn minute(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M UTC").to_string()
}

/// Returns a time for people, to the second: `2026-11-25 14:20:31 UTC`.
#[must_use]
pub(crate) fn second(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// Returns two times for people, to the minute, or to the second within one minute: `2026-11-25 14:20 to 15:02 UTC`,
/// `2026-11-25 23:50 to 2026-11-26 00:10 UTC`.
#[must_use]
pub(crate) fn from_to(from: DateTime<Utc>, to: DateTime<Utc>) -> String {
    let clock = if minute(from) == minute(to) { "%H:%M:%S" } else { "%H:%M" };
    let day_of_end = if day(from) == day(to) { String::new() } else { day(to) + " " };
    format!("{} {} to {day_of_end}{} UTC", day(from), from.format(clock), to.format(clock))
}

/// Returns a time for people, to the day: `2026-11-25`.
#[must_use]
pub(crate) fn day(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d").to_string()
}

/// Reads a time: RFC 3339, or in UTC a day (its begin), a minute or a second, as messages have them: `2026-11-25`,
/// `2026-11-25 14:20 UTC`, `2026-11-25T14:20:31`.
#[must_use]
pub(crate) fn parse_moment(text: &str) -> Option<DateTime<Utc>> {
    if let Ok(at) = DateTime::parse_from_rfc3339(text) {
        return Some(at.to_utc());
    }
    let text = text.strip_suffix(" UTC").unwrap_or(text);
    if let Ok(day) = NaiveDate::parse_from_str(text, "%Y-%m-%d") {
        return Some(day.and_time(NaiveTime::MIN).and_utc());
    }
    let forms = ["%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S"];
    forms.iter().find_map(|form| Some(NaiveDateTime::parse_from_str(text, form).ok()?.and_utc()))
}

/// Returns the length of a span, without its sign, in its largest unit: `42s`, `7m`, `3h`, `12d`.
#[must_use]
pub(crate) fn span(span: TimeDelta) -> String {
    let seconds = span.num_seconds().abs();
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{}m", seconds / 60),
        3600..172_800 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / 86_400),
    }
}

/// Returns a duration to the second, or to the millisecond if it is shorter than one, for a message.
#[must_use]
pub(crate) fn rounded(duration: Duration) -> Duration {
    let millis = Duration::from_millis(duration.as_millis().try_into().unwrap_or(u64::MAX));
    match duration.as_secs() {
        0 => millis,
        seconds => Duration::from_secs(seconds + u64::from(millis.subsec_millis() >= 500)),
    }
}

#[cfg(test)]
mod tests {
    use humantime::format_duration;

    use super::*;

    #[test]
    fn durations_of_messages_are_as_people_read_them() {
        let written = [0, 999, 227_000, 999_600_000, 1_988_227_000, 2_499_999_999, 60_000_000_000]
            .map(|nanos| format_duration(rounded(Duration::from_nanos(nanos))).to_string());
        assert_eq!(written, ["0s", "0s", "0s", "999ms", "2s", "2s", "1m"]);
    }

    #[test]
    fn times_are_read_in_the_forms_of_messages_and_of_json() {
        for (text, read) in [
            ("2026-11-25", Some("2026-11-25T00:00:00.000Z")),
            ("2026-11-25 14:20", Some("2026-11-25T14:20:00.000Z")),
            ("2026-11-25 14:20 UTC", Some("2026-11-25T14:20:00.000Z")),
            ("2026-11-25T14:20", Some("2026-11-25T14:20:00.000Z")),
            ("2026-11-25 14:20:31", Some("2026-11-25T14:20:31.000Z")),
            ("2026-11-25T14:20:31.250Z", Some("2026-11-25T14:20:31.250Z")),
            ("2026-11-25T14:20:31+08:00", Some("2026-11-25T06:20:31.000Z")),
            ("2026-11", None),
            ("14:20", None),
            ("2026-02-30", None),
            ("regression-2026-11-25", None),
        ] {
            assert_eq!(parse_moment(text).map(iso).as_deref(), read, "{text}");
        }
    }

    #[test]
    fn two_times_have_what_tells_them_apart() {
        let at = |text: &str| parse_moment(text).unwrap();
        for (from, to, written) in [
            ("2026-11-25 14:20:31", "2026-11-25 15:02", "2026-11-25 14:20 to 15:02 UTC"),
            ("2026-11-25 14:20:01", "2026-11-25 14:20:31", "2026-11-25 14:20:01 to 14:20:31 UTC"),
            ("2026-11-25 23:50", "2026-11-26 00:10", "2026-11-25 23:50 to 2026-11-26 00:10 UTC"),
        ] {
            assert_eq!(from_to(at(from), at(to)), written);
        }
    }

    #[test]
    fn spans_are_written_in_their_largest_unit() {
        let written =
            [0, 59, 60, 3599, 3600, 172_799, 172_800].map(|seconds| span(TimeDelta::seconds(seconds)));
        assert_eq!(written, ["0s", "59s", "1m", "59m", "1h", "47h", "2d"]);
    }
}
