//! The writer of a profile's canonical text: sorted files with sorted blocks, one line for each block.

use std::io::{self, Write};

use super::{Block, Build, Mode, Template};

/// Writes a profile in canonical form, so that equal coverage has equal bytes.
///
/// `counts` has one entry for each block of `build`.
pub fn write(mode: Mode, build: &Build, counts: &[u64], out: &mut impl Write) -> io::Result<()> {
    write_lines(mode, build, counts, out, |text, block| push_tail(text, &build.blocks()[block]))
}

/// Writes the same as [`write`], with the text of the lines from the template of the build.
pub(crate) fn write_known(
    mode: Mode,
    template: &Template,
    counts: &[u64],
    out: &mut impl Write,
) -> io::Result<()> {
    let order = template.canonical_order();
    write_lines(mode, template.build(), counts, out, |text, block| {
        text.extend_from_slice(template.tail(order[block] as usize));
    })
}

fn write_lines(
    mode: Mode,
    build: &Build,
    counts: &[u64],
    out: &mut impl Write,
    push_tail: impl Fn(&mut Vec<u8>, usize),
) -> io::Result<()> {
    assert_eq!(build.blocks().len(), counts.len(), "a counter for each block");
    let mut text = Vec::with_capacity(PIECE_BYTES + (64 << 10));
    writeln!(text, "mode: {mode}")?;
    let mut head = Vec::new();
    for file in build.files() {
        head.clear();
        head.extend_from_slice(file.name.as_bytes());
        head.push(b':');
        for (block, &count) in (file.range.0..file.range.1).zip(&counts[file.range.0..]) {
            text.extend_from_slice(&head);
            push_tail(&mut text, block);
            push_number(&mut text, count);
            text.push(b'\n');
            if text.len() >= PIECE_BYTES {
                out.write_all(&text)?;
                text.clear();
            }
        }
    }
    out.write_all(&text)
}

/// Appends the lines of one file, as [`write`] writes them.
pub(crate) fn push_file(text: &mut Vec<u8>, name: &str, blocks: &[Block], counts: &[u64]) {
    assert_eq!(blocks.len(), counts.len(), "a counter for each block");
    for (block, &count) in blocks.iter().zip(counts) {
        text.extend_from_slice(name.as_bytes());
        text.push(b':');
        push_tail(text, block);
        push_number(text, count);
        text.push(b'\n');
    }
}

/// Size of a piece of text for one write. It is at least as large as a file's buffer, so the buffer is bypassed.
const PIECE_BYTES: usize = 256 << 10;

/// Appends the text between the file's name and the count: `1.2,3.4 5 `.
pub(super) fn push_tail(text: &mut Vec<u8>, block: &Block) {
    push_number(text, block.start.0.into());
    text.push(b'.');
    push_number(text, block.start.1.into());
    text.push(b',');
    push_number(text, block.end.0.into());
    text.push(b'.');
    push_number(text, block.end.1.into());
    text.push(b' ');
    push_number(text, block.statements.into());
    text.push(b' ');
}

/// The digits of 00 to 99.
const PAIRS: [[u8; 2]; 100] = {
    let mut pairs = [[b'0'; 2]; 100];
    let mut digit = 0;
    let mut number = 0;
    while number < 100 {
        pairs[number] = [DIGITS[number / 10], DIGITS[digit]];
        digit = if digit == 9 { 0 } else { digit + 1 };
        number += 1;
    }
    pairs
};
const DIGITS: [u8; 10] = *b"0123456789";

#[inline]
pub(super) fn push_number(text: &mut Vec<u8>, number: u64) {
    let place = |number: u64| usize::try_from(number).expect("below 100");
    // Nearly all lines, columns and counts are this short.
    match number {
        0..10 => text.push(DIGITS[place(number)]),
        10..100 => text.extend_from_slice(&PAIRS[place(number)]),
        100..1000 => {
            let [tens, ones] = PAIRS[place(number % 100)];
            text.extend_from_slice(&[DIGITS[place(number / 100)], tens, ones]);
        }
        1000..10_000 => {
            let ([thousands, hundreds], [tens, ones]) =
                (PAIRS[place(number / 100)], PAIRS[place(number % 100)]);
            text.extend_from_slice(&[thousands, hundreds, tens, ones]);
        }
        _ => {
            push_number(text, number / 10_000);
            let ([thousands, hundreds], [tens, ones]) =
                (PAIRS[place(number / 100 % 100)], PAIRS[place(number % 100)]);
            text.extend_from_slice(&[thousands, hundreds, tens, ones]);
        }
    }
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
        fn a_known_build_is_written_as_any_other((_, other) in shuffled(), mode in modes()) {
            let (read, template) =
                crate::profile::read(text(mode, &other).as_bytes(), crate::profile::Limits::default(), &[]).unwrap();
            let mut written = Vec::new();
            super::write_known(mode, &template.unwrap(), &read.counts, &mut written).unwrap();
            prop_assert_eq!(String::from_utf8(written).unwrap(), canonical(&read));
        }

        #[test]
        fn equal_coverage_is_equal_bytes_in_whatever_order_it_came((one, other) in shuffled()) {
            let [one, other] = [one, other].map(|rows| canonical(&profile(text(super::Mode::Count, &rows))));
            prop_assert_eq!(&one, &other);
            prop_assert_eq!(canonical(&profile(&one)), one);
        }
    }
}
