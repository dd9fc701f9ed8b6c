//! Limits of the programs that read reports.

use std::borrow::Cow;
use std::collections::HashMap;

use super::FunctionReport;

/// Returns a count, reduced to the largest signed integer of 32 bits.
///
/// Jenkins (`coverage-model`) reads a larger count in Cobertura's XML as 0, so that it would show the hottest lines as
/// missed. It fails at a larger count in an lcov tracefile.
pub(super) fn int_count(count: u64) -> u64 {
    const LARGEST: u64 = i32::MAX as u64;
    count.min(LARGEST)
}

/// A function with a suffix that makes its name unique in its file.
pub(super) struct DistinctFunction<'r> {
    pub(super) function: &'r FunctionReport,
    /// `Type.method`, or the name of a function.
    pub(super) name: Cow<'r, str>,
    /// Empty for the first function of that name, `#2` for the second, and so on.
    pub(super) suffix: String,
}

/// Returns the functions of a file with unique names. A file may declare `init`, `_` and methods `_` many times.
///
/// The suffix is a count, because a line number changes with each edit above it, and two functions can share a line.
pub(super) fn distinct(functions: &[FunctionReport]) -> impl Iterator<Item = DistinctFunction<'_>> {
    let mut seen: HashMap<Cow<'_, str>, usize> = HashMap::new();
    functions.iter().map(move |function| {
        let name = function.extent.qualified_name();
        let number = seen.entry(name.clone()).and_modify(|number| *number += 1).or_insert(1);
        let suffix = if *number == 1 { String::new() } else { format!("#{number}") };
        DistinctFunction { function, name, suffix }
    })
}

#[cfg(test)]
mod tests {
    use super::super::TextLayout;
    use super::super::testing::{PROFILE, SOURCES, render, with_report, written};

    /// A file with two functions on one line, methods of one name, and counts above 2^31-1.
    const TWICE: &str = "package m\n\nfunc init() { a() }; func init() { b() }\n\nfunc (T) Do() { a() }\n\nfunc (*U) Do() { a() }\n\nfunc (T) _() { a() }\n\nfunc (T) _() {}\n\nfunc (T) _() { b() }\n";
    const TWICE_PROFILE: &str = "mode: count\nm/x.go:3.13,3.20 1 2147483647\nm/x.go:3.34,3.41 1 2147483648\n\
        m/x.go:5.15,5.22 1 9223372036854775807\nm/x.go:7.16,7.23 1 0\nm/x.go:9.14,9.21 1 1\nm/x.go:13.14,13.21 1 0\n";

    #[test]
    fn functions_of_one_name_are_told_apart_where_readers_take_a_name_for_one_function() {
        let functions = |form, begin: &str| -> Vec<String> {
            let text = written(form, TWICE_PROFILE, &[Some(TWICE)]);
            let lines = text.lines().filter_map(|line| line.strip_prefix(begin));
            lines.map(|line| line.split(" line-rate").next().unwrap().to_owned()).collect()
        };
        // Jenkins refuses a class in which a name and signature occur twice.
        assert_eq!(
            functions("cobertura", "<method "),
            [
                r#"name="init" signature="""#,
                r##"name="init" signature="#2""##,
                r#"name="T.Do" signature="""#,
                r#"name="U.Do" signature="""#,
                r#"name="T._" signature="""#,
                r##"name="T._" signature="#2""##,
                r##"name="T._" signature="#3""##,
            ]
        );
        let names = ["3,init", "3,init#2", "5,T.Do", "7,U.Do", "9,T._", "13,T._#3"];
        assert_eq!(functions("lcov", "FN:"), names, "an empty function is none, and has its number");
    }

    #[test]
    fn counts_fit_an_int_of_32_bits_where_readers_have_no_larger_one() {
        let largest_of = |form, begin: &str| {
            let text = written(form, TWICE_PROFILE, &[Some(TWICE)]);
            let counts = text.match_indices(begin).map(|(at, _)| {
                let digits = text[at + begin.len()..].split(|c: char| !c.is_ascii_digit()).next().unwrap();
                digits.parse::<u64>().unwrap()
            });
            counts.max().unwrap()
        };
        assert_eq!(largest_of("cobertura", "hits=\""), 2_147_483_647);
        assert_eq!(largest_of("lcov", "DA:5,"), 2_147_483_647);
        assert_eq!(largest_of("lcov", "FNDA:"), 2_147_483_647);
        assert_eq!(largest_of("codecov", "\"5\":"), 2_147_483_647);
        assert_eq!(largest_of("json", "\"hits\":"), 9_223_372_036_854_775_807, "exact for scripts");
    }

    #[test]
    fn what_is_written_of_a_row_does_not_tell_when_it_was_last_found_and_where() {
        for form in ["lcov", "cobertura", "codecov", "badge"] {
            let later = with_report(PROFILE, &SOURCES, |mut report| {
                report.head.age = chrono::TimeDelta::days(9);
                report.head.confirmed_at = None;
                report.head.replicas = Some((0, 1));
                render(form, &report, None, TextLayout::default())
            });
            assert_eq!(later, written(form, PROFILE, &SOURCES), "{form:?}");
        }
    }
}
