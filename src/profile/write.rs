//! The canonical text of a profile: files sorted, blocks sorted, one line a block.

use std::io::{self, Write};

use super::{Build, Mode};

/// Writes a profile in canonical form, so that equal coverage is equal bytes.
///
/// `counts` has one entry for each block of `build`.
pub fn write(mode: Mode, build: &Build, counts: &[u64], out: &mut impl Write) -> io::Result<()> {
    assert_eq!(build.blocks().len(), counts.len(), "a counter for each block");
    writeln!(out, "mode: {mode}")?;
    let mut line = Vec::with_capacity(256);
    for file in build.files() {
        line.clear();
        line.extend_from_slice(file.name.as_bytes());
        line.push(b':');
        let head = line.len();
        for (block, &count) in file.blocks.iter().zip(&counts[file.range.0..]) {
            line.truncate(head);
            push_tail(&mut line, block);
            push_number(&mut line, count);
            line.push(b'\n');
            out.write_all(&line)?;
        }
    }
    Ok(())
}

/// Appends what stands between the file's name and the count: `1.2,3.4 5 `.
pub(super) fn push_tail(line: &mut Vec<u8>, block: &super::Block) {
    push_number(line, block.start.0.into());
    line.push(b'.');
    push_number(line, block.start.1.into());
    line.push(b',');
    push_number(line, block.end.0.into());
    line.push(b'.');
    push_number(line, block.end.1.into());
    line.push(b' ');
    push_number(line, block.statements.into());
    line.push(b' ');
}

fn push_number(line: &mut Vec<u8>, mut number: u64) {
    let mut digits = [0_u8; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + u8::try_from(number % 10).expect("a digit");
        number /= 10;
        if number == 0 {
            break;
        }
    }
    line.extend_from_slice(&digits[at..]);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use crate::profile::tests::{AGENT1, AGENT2, Rows, canonical, modes, profile, rows, text};

    #[test]
    fn files_and_blocks_are_sorted_and_the_shorter_of_two_blocks_comes_first() {
        let text = "mode: atomic\n\
                    b/a.go:1.1,2.2 1 0\n\
                    a/b.go:10.1,10.9 1 4\n\
                    a/b.go:9.12,20.2 3 18446744\n\
                    a/b.go:9.12,9.30 1 2\n\
                    a-b.go:7.0,7.0 0 9223372036854775807\n";
        let expected = "mode: atomic\n\
                        a-b.go:7.0,7.0 0 9223372036854775807\n\
                        a/b.go:9.12,9.30 1 2\n\
                        a/b.go:9.12,20.2 3 18446744\n\
                        a/b.go:10.1,10.9 1 4\n\
                        b/a.go:1.1,2.2 1 0\n";
        assert_eq!(canonical(&profile(text)), expected);
    }

    #[test]
    fn a_profile_without_blocks_is_its_mode_line() {
        assert_eq!(canonical(&profile("mode: set\n")), "mode: set\n");
    }

    #[test]
    fn recorded_profiles_keep_every_line() {
        for recorded in [AGENT1, AGENT2] {
            let sorted = |text: &str| {
                let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
                lines.sort();
                lines
            };
            let recorded = str::from_utf8(recorded).unwrap();
            assert_eq!(sorted(&canonical(&profile(recorded))), sorted(recorded));
        }
    }

    fn shuffled() -> impl Strategy<Value = (Rows, Rows)> {
        let lines_shuffled = |rows: Rows| {
            rows.into_iter().map(|(file, lines)| (Just(file), Just(lines).prop_shuffle())).collect::<Vec<_>>()
        };
        rows().prop_flat_map(move |rows| (Just(rows.clone()), lines_shuffled(rows).prop_shuffle()))
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back_as_the_same_profile(rows in rows(), mode in modes()) {
            let read = profile(text(mode, &rows));
            prop_assert_eq!(profile(canonical(&read)), read);
        }

        #[test]
        fn equal_coverage_is_equal_bytes_in_whatever_order_it_came((one, other) in shuffled()) {
            let [one, other] = [one, other].map(|rows| canonical(&profile(text(super::Mode::Count, &rows))));
            prop_assert_eq!(&one, &other);
            prop_assert_eq!(canonical(&profile(&one)), one);
        }
    }
}
