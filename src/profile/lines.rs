//! The lines of a text profile, each parsed from its end, so that a path may hold `:` and `,`.

use super::limits::ParseError;
use super::{Block, MAX_COUNT, Mode};

pub(super) fn mode_line(line: &[u8]) -> Result<Mode, ParseError> {
    line.strip_prefix(b"mode: ")
        .filter(|word| !word.is_empty() && word.iter().all(u8::is_ascii_alphabetic))
        .and_then(|word| str::from_utf8(word).ok())
        .map(Mode::from_word)
        .ok_or_else(|| ParseError::NoMode { found: excerpt(line) })
}

pub(super) fn strip_cr(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// Returns the name at the beginning of a line with its colon; `line` ends with its newline.
pub(super) fn section_head(line: &[u8]) -> Option<&[u8]> {
    split_name(line).map(|(name, _)| &line[..=name.len()])
}

/// Splits a line at its last colon, because the positions after it contain none.
pub(super) fn split_name(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let colon = memchr::memrchr(b':', line)?;
    (colon > 0).then(|| (&line[..colon], &line[colon + 1..]))
}

pub(super) enum LineFault {
    Form,
    Size,
}

/// Reads `1.2,3.4 5 6`.
pub(super) fn block_tail(tail: &[u8]) -> Result<(Block, u64), LineFault> {
    let mut at = 0;
    let start_line = number(tail, &mut at, Some(b'.'))?;
    let start_col = number(tail, &mut at, Some(b','))?;
    let end_line = number(tail, &mut at, Some(b'.'))?;
    let end_col = number(tail, &mut at, Some(b' '))?;
    let statements = number(tail, &mut at, Some(b' '))?;
    let count = number(tail, &mut at, None)?;
    let narrow = |number: u64| u32::try_from(number).map_err(|_| LineFault::Size);
    let block = Block {
        start: (narrow(start_line)?, narrow(start_col)?),
        end: (narrow(end_line)?, narrow(end_col)?),
        statements: narrow(statements)?,
    };
    Ok((block, count))
}

/// Reads digits up to `stop`, or up to the end if it is `None`. A leading `+` is allowed, as in Go's `strconv.Atoi`.
#[inline]
fn number(text: &[u8], at: &mut usize, stop: Option<u8>) -> Result<u64, LineFault> {
    let mut index = *at;
    if text.get(index) == Some(&b'+') {
        index += 1;
    }
    let start = index;
    let mut number = 0_u64;
    let mut overflow = false;
    while let Some(digit) = text.get(index).map(|byte| byte.wrapping_sub(b'0')).filter(|&digit| digit < 10) {
        // Up to 19 digits never exceed a u64, so only longer numbers need the check.
        if index - start < 19 {
            number = number * 10 + u64::from(digit);
        } else {
            overflow |= number.checked_mul(10).is_none_or(|n| n > MAX_COUNT);
            number = number.saturating_mul(10).saturating_add(digit.into());
        }
        index += 1;
    }
    if index == start || text.get(index).copied() != stop {
        return Err(LineFault::Form);
    }
    if overflow || number > MAX_COUNT {
        return Err(LineFault::Size);
    }
    *at = index + usize::from(stop.is_some());
    Ok(number)
}

/// The start of a text, for an error message.
pub(super) fn excerpt(text: &[u8]) -> String {
    const LONGEST: usize = 120;
    let mut found = String::from_utf8_lossy(&text[..text.len().min(LONGEST)]).into_owned();
    if text.len() > LONGEST {
        found.push('…');
    }
    found
}
