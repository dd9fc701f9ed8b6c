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
