//! The parse of a text that follows a template: bytes are compared, and only the count of each line is read.

use std::sync::Arc;

use super::answer_digest::AnswerDigester;
use super::lines::split_name;
use super::reader::PreviousAnswer;
use super::template::Template;

/// A text that has followed a template so far.
pub(super) struct TemplateParse<'a> {
    pub(super) template: &'a Arc<Template>,
    pub(super) counts: Vec<u64>,
    /// Whether each file was read completely.
    pub(super) seen: Vec<bool>,
    pub(super) files_seen: usize,
    /// Index of the file that is read, and then its next line.
    pub(super) file: usize,
    pub(super) next: usize,
    pub(super) end: usize,
    /// Name and colon at the beginning of each line of the file.
    pub(super) head: Vec<u8>,
    /// The last answer of the same build, and the number of further files that may differ from it before the comparison
    /// ends.
    pub(super) last: Option<&'a PreviousAnswer<'a>>,
    pub(super) misses_left: u32,
}

pub(super) enum TemplateStep {
    /// The rest of the text is not a complete line yet.
    NeedsMore,
    /// The next line does not follow the template.
    Left,
}

/// Number of files in a row that may differ from the last answer before the comparison with it ends.
const MISSES_ALLOWED: u32 = 16;

impl<'a> TemplateParse<'a> {
    pub(super) fn new(template: &'a Arc<Template>, last: Option<&'a PreviousAnswer<'a>>) -> Self {
        let build = &template.build;
        Self {
            template,
            counts: vec![0; build.blocks.len()],
            seen: vec![false; build.file_count()],
            files_seen: 0,
            file: 0,
            next: 0,
            end: 0,
            head: Vec::new(),
            last: last.filter(|last| Arc::ptr_eq(last.template, template)),
            misses_left: MISSES_ALLOWED,
        }
    }

    /// Starts after the files that were `seen` in the last answer, with their counters there.
    pub(super) fn resume(last: &'a PreviousAnswer<'a>, seen: &[bool]) -> Self {
        let mut following = Self::new(last.template, Some(last));
        for (index, _) in seen.iter().enumerate().filter(|&(_, &seen)| seen) {
            following.count_as(last, index);
        }
        following
    }

    /// Takes a file's counters from the last answer.
    fn count_as(&mut self, last: &PreviousAnswer<'_>, file: usize) {
        let (start, end) = self.template.build.file(file).range;
        self.counts[start..end].copy_from_slice(&last.counts[start..end]);
        self.seen[file] = true;
        self.files_seen += 1;
        self.file = file;
    }

    /// Skips the present file if all of it is in the buffer and equal to that in the last answer; returns its length
    /// then.
    fn pass_over(&mut self, text: &[u8]) -> Option<usize> {
        let last = self.last.filter(|_| self.misses_left > 0)?;
        let (section, length) = last.answer_digest.find(&self.head)?;
        let (own, behind) = text.split_at_checked(length)?;
        // These two checks avoid hashing a file whose length changed.
        let is_whole = own.last() == Some(&b'\n') && !behind.starts_with(&self.head);
        if !is_whole || !last.answer_digest.is_section(section, own) {
            self.misses_left -= 1;
            return None;
        }
        self.misses_left = MISSES_ALLOWED;
        self.count_as(last, self.file);
        self.next = self.end;
        Some(length)
    }

    pub(super) fn lines_seen(&self) -> usize {
        let seen = self.template.build.files().zip(&self.seen).filter(|&(_, &seen)| seen);
        seen.map(|(file, _)| file.blocks.len()).sum()
    }

    pub(super) fn enter(&mut self, file: usize) {
        let known = self.template.build.file(file);
        self.file = file;
        (self.next, self.end) = known.range;
        self.head.clear();
        self.head.extend_from_slice(known.name.as_bytes());
        self.head.push(b':');
    }

    /// Follows the template through the complete lines of `text` from `at` on; returns the offset that was reached.
    ///
    /// `section` is the offset of the present file in this text.
    pub(super) fn scan(
        &mut self,
        text: &[u8],
        mut at: usize,
        lines: &mut u64,
        section: &mut usize,
        mut digester: Option<&mut AnswerDigester>,
    ) -> (usize, TemplateStep) {
        loop {
            if self.next == self.end {
                if !self.next_file(&text[at..]) {
                    let whole = memchr::memchr(b'\n', &text[at..]).is_some();
                    return (at, if whole { TemplateStep::Left } else { TemplateStep::NeedsMore });
                }
                if let Some(digester) = &mut digester {
                    digester.turn(&text[*section..at], &self.head);
                    *section = at;
                }
                if let Some(length) = self.pass_over(&text[at..]) {
                    at += length;
                    *lines += self.template.build.file(self.file).blocks.len() as u64;
                    continue;
                }
            }
            let rest = &text[at..];
            let tail = self.template.tail(self.next);
            let head = self.head.len();
            let follows = rest.len() > head + tail.len()
                && same(&rest[..head], &self.head)
                && same(&rest[head..head + tail.len()], tail);
            let count = if follows { plain_count(&rest[head + tail.len()..]) } else { None };
            let Some((count, digits)) = count else {
                let whole = memchr::memchr(b'\n', rest).is_some();
                return (at, if whole { TemplateStep::Left } else { TemplateStep::NeedsMore });
            };
            self.counts[self.template.lines[self.next].block as usize] = count;
            self.next += 1;
            at += head + tail.len() + digits + 1;
            *lines += 1;
            if self.next == self.end {
                self.seen[self.file] = true;
                self.files_seen += 1;
            }
        }
    }

    /// Enters the file of the next line; `false` if the template lacks it, or it was seen before.
    fn next_file(&mut self, text: &[u8]) -> bool {
        let Some(end) = memchr::memchr(b'\n', text) else { return false };
        let Some((name, _)) = split_name(&text[..end]) else { return false };
        let Some(file) = str::from_utf8(name).ok().and_then(|name| self.template.build.index_of(name)) else {
            return false;
        };
        if self.seen[file] {
            return false;
        }
        self.enter(file);
        true
    }
}

/// Tells whether two texts of the same length are equal.
///
/// Lines are short, so the call of `memcmp` behind `==` would cost as much as the comparison itself.
#[inline]
pub(super) fn same(a: &[u8], b: &[u8]) -> bool {
    fn same_ends<const N: usize>(a: &[u8], b: &[u8]) -> bool {
        a.first_chunk::<N>() == b.first_chunk::<N>() && a.last_chunk::<N>() == b.last_chunk::<N>()
    }
    match a.len() {
        8..=16 => same_ends::<8>(a, b),
        17..=32 => same_ends::<16>(a, b),
        33..=64 => {
            let middle = |text: &[u8]| text[16..].first_chunk::<16>().copied();
            let end = |text: &[u8]| text[..text.len() - 16].last_chunk::<16>().copied();
            same_ends::<16>(a, b) && middle(a) == middle(b) && end(a) == end(b)
        }
        _ => a == b,
    }
}

/// Reads a count of up to 18 digits before a newline; other texts are parsed in the ordinary way.
#[inline]
fn plain_count(text: &[u8]) -> Option<(u64, usize)> {
    let mut count = 0_u64;
    for (digits, &byte) in text.iter().take(19).enumerate() {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return (byte == b'\n' && digits > 0).then_some((count, digits));
        }
        count = count * 10 + u64::from(digit);
    }
    None
}
