//! The writer of Prometheus' text format for the node exporter's textfile collector.
//!
//! <https://prometheus.io/docs/instrumenting/exposition_formats/>: the collector drops the whole file for one sample that
//! it cannot read, or for two with the same labels.

use std::collections::HashSet;
use std::io::{self, Write};

/// A metric that can rise and fall, with a sample for each set of labels.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Gauge<'a> {
    /// Letters, digits and underscores.
    pub name: &'static str,
    /// Description in one line.
    pub help: &'static str,
    /// Samples, each with its labels.
    pub samples: Vec<(Labels<'a>, f64)>,
}

/// Names and values of labels.
pub(crate) type Labels<'a> = Vec<(&'static str, &'a str)>;

/// Writes the gauges that have samples.
pub(crate) fn write(gauges: &[Gauge<'_>], mut out: impl Write) -> io::Result<()> {
    for Gauge { name, help, samples } in gauges.iter().filter(|gauge| !gauge.samples.is_empty()) {
        writeln!(out, "# HELP {name} {help}\n# TYPE {name} gauge")?;
        // Two names can become equal by escaping.
        let mut written = HashSet::new();
        for (labels, value) in samples {
            let labels: Vec<String> =
                labels.iter().map(|(label, value)| format!("{label}=\"{}\"", escaped(value))).collect();
            let labels = labels.join(",");
            if !written.contains(&labels) {
                writeln!(out, "{name}{{{labels}}} {value}")?;
                written.insert(labels);
            }
        }
    }
    Ok(())
}

/// Escapes the three special characters of a label's value. The format has no escape for other control characters, so
/// these are shown as `\u{1b}` and never reach a terminal.
fn escaped(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    for c in value.chars() {
        match c {
            '\\' => text.push_str(r"\\"),
            '"' => text.push_str("\\\""),
            '\n' => text.push_str(r"\n"),
            c if c.is_control() => {
                text.push('\\');
                text.extend(c.escape_default());
            }
            c => text.push(c),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_are_equal_when_escaped_are_one_sample() {
        let samples = ["a\r", r"a\r"].map(|name| (vec![("service", name)], 1.0)).to_vec();
        let mut text = Vec::new();
        write(&[Gauge { name: "up", help: "Up.", samples }], &mut text).unwrap();
        assert_eq!(String::from_utf8(text).unwrap().lines().count(), 3);
    }

    #[test]
    fn control_characters_of_a_label_are_escaped() {
        assert_eq!(escaped("a\u{1b}[31m\r\n\"\\"), r#"a\\u{1b}[31m\\r\n\"\\"#);
    }

    #[test]
    fn gauges_are_written_in_the_format_of_prometheus() {
        let up = Gauge {
            name: "up",
            help: "Who answers.",
            samples: vec![
                (vec![("service", "a"), ("branch", "")], 1.0),
                (vec![("service", "q\"b\\n\nl\r}=,é")], 0.25),
            ],
        };
        let silent = Gauge { name: "silent", help: "Nothing.", samples: Vec::new() };
        let at = Gauge { name: "at", help: "When.", samples: vec![(vec![], 1_795_610_000.125)] };
        let mut text = Vec::new();
        write(&[up, silent, at], &mut text).unwrap();
        let expected = concat!(
            "# HELP up Who answers.\n",
            "# TYPE up gauge\n",
            "up{service=\"a\",branch=\"\"} 1\n",
            "up{service=\"q\\\"b\\\\n\\nl\\\\r}=,é\"} 0.25\n",
            "# HELP at When.\n",
            "# TYPE at gauge\n",
            "at{} 1795610000.125\n",
        );
        assert_eq!(String::from_utf8(text).unwrap(), expected);
    }
}
