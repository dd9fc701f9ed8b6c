//! Reading profiles as they stream in, strictly.
//!
//! The same input is accepted as by Go's own reader (golang.org/x/tools/cover, `ParseProfiles`), less
//! what only a damaged answer holds. A line is understood from its end, so that a path may hold `:`
//! and `,`. Replicas of one build print the same blocks in the same order inside a file, and only the
//! files change places, so what one answer taught (a [`Template`]) turns the next into comparing bytes
//! and reading one number a line: 354,000 lines in about 5 ms instead of 30. A line that does not match
//! sends the rest of that answer the ordinary way; the result is the same.

use std::collections::HashMap;
use std::io::{self, Read};
use std::sync::Arc;

use super::write::push_tail;
use super::{Block, Build, MAX_COUNT, Mode, Profile};

/// Bounds on what is read, because it comes from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Largest size of the text.
    pub max_bytes: u64,
    /// Longest line.
    pub max_line_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { max_bytes: 256 << 20, max_line_bytes: 64 << 10 }
    }
}

/// A text is not a profile.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// The first line is not a mode line.
    #[error("line 1: expected \"mode: set|count|atomic\", found {found:?}")]
    NoMode {
        /// The start of the line.
        found: String,
    },
    /// A line is not a block.
    #[error("line {line}: expected \"file:line.col,line.col statements count\", found {found:?}")]
    NotABlock {
        /// Counted from 1.
        line: u64,
        /// The start of the line.
        found: String,
    },
    /// A number has the right form, and no room.
    #[error("line {line}: a number is too large in {found:?}")]
    TooLarge {
        /// Counted from 1.
        line: u64,
        /// The start of the line.
        found: String,
    },
    /// One block has two numbers of statements.
    #[error("file {file:?}: block {}.{},{}.{} stands twice, with different numbers of statements",
        block.start.0, block.start.1, block.end.0, block.end.1)]
    Contradiction {
        /// The file.
        file: String,
        /// One of the two.
        block: Block,
    },
    /// A line exceeds its limit.
    #[error("line {line}: longer than {limit} bytes, starts with {found:?}")]
    LineTooLong {
        /// Counted from 1.
        line: u64,
        /// [`Limits::max_line_bytes`].
        limit: usize,
        /// The start of the line.
        found: String,
    },
    /// The text exceeds its limit.
    #[error("more than {limit} bytes, the limit for one answer (--max-body)")]
    TooLong {
        /// [`Limits::max_bytes`].
        limit: u64,
    },
    /// The text ends inside a line.
    #[error("line {line}: cut short, the text ends with {found:?}")]
    Cut {
        /// Counted from 1.
        line: u64,
        /// The start of the line.
        found: String,
    },
}

/// A profile could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The source failed.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The text is not a profile.
    #[error(transparent)]
    Parse(#[from] ParseError),
}

/// Reads a profile from a text that is at hand.
pub fn parse(text: &[u8], limits: Limits) -> Result<Profile, ParseError> {
    match read(text, limits, &[]) {
        Ok((profile, _)) => Ok(profile),
        Err(ReadError::Parse(error)) => Err(error),
        Err(ReadError::Io(error)) => unreachable!("reading from memory failed: {error}"),
    }
}

/// Reads a profile while it streams in.
///
/// `known` are templates of builds that this answer may be of; a match shares the template's
/// [`Build`]. With a build not among them comes the template to know it by next time, unless a block
/// stood twice. Holds one buffer of the text at a time.
pub fn read(
    mut source: impl Read,
    limits: Limits,
    known: &[Arc<Template>],
) -> Result<(Profile, Option<Template>), ReadError> {
    let mut scanner = Scanner::new(limits, known);
    let mut buffer = vec![0; BUFFER_BYTES];
    let mut filled = 0;
    let mut total = 0_u64;
    loop {
        if filled == buffer.len() {
            if filled > limits.max_line_bytes {
                return Err(scanner.too_long(&buffer[..filled]).into());
            }
            buffer.resize(filled * 2, 0);
        }
        let read = match source.read(&mut buffer[filled..]) {
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error.into()),
        };
        if read == 0 {
            break;
        }
        total += read as u64;
        if total > limits.max_bytes {
            return Err(ParseError::TooLong { limit: limits.max_bytes }.into());
        }
        filled += read;
        let used = scanner.scan(&buffer[..filled])?;
        buffer.copy_within(used..filled, 0);
        filled -= used;
    }
    if filled > 0 {
        let found = excerpt(&buffer[..filled]);
        return Err(ParseError::Cut { line: scanner.line + 1, found }.into());
    }
    Ok(scanner.finish()?)
}

const BUFFER_BYTES: usize = 128 << 10;

/// What an answer taught about its build: the text of each line up to its count, in the order in
/// which the agent prints the lines of a file.
#[derive(Clone)]
pub struct Template {
    build: Arc<Build>,
    /// For every line `1.2,3.4 5 `, one after the other, file by file.
    tails: Vec<u8>,
    lines: Vec<TemplateLine>,
}

#[derive(Clone, Copy)]
struct TemplateLine {
    /// Where the line's tail ends; it starts where the previous one ends.
    tail_end: u32,
    /// Index of its block in the build.
    block: u32,
}

impl std::fmt::Debug for Template {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Template({:?})", self.build)
    }
}

impl Template {
    /// Learns from files sorted by name, each with its blocks in order of arrival; `None` if a block
    /// stands twice.
    pub(super) fn from_arrivals(files: Vec<(Box<str>, Vec<Block>)>) -> Option<Self> {
        let total = files.iter().map(|(_, arrival)| arrival.len()).sum();
        let mut names = Vec::with_capacity(files.len());
        let mut first = Vec::with_capacity(files.len() + 1);
        first.push(0);
        let mut blocks = Vec::with_capacity(total);
        let mut lines = Vec::with_capacity(total);
        let mut tails = Vec::with_capacity(total * 18);
        let mut order: Vec<u32> = Vec::new();
        for (name, arrival) in files {
            order.clear();
            order.extend(0..u32::try_from(arrival.len()).ok()?);
            order.sort_by_key(|&at| (arrival[at as usize].start, arrival[at as usize].end));
            let base = blocks.len();
            lines.resize(base + arrival.len(), TemplateLine { tail_end: 0, block: 0 });
            for &at in &order {
                let block = arrival[at as usize];
                if blocks.len() > base && same_place(blocks[blocks.len() - 1], block) {
                    return None;
                }
                lines[base + at as usize].block = u32::try_from(blocks.len()).ok()?;
                blocks.push(block);
            }
            for (at, block) in arrival.iter().enumerate() {
                push_tail(&mut tails, block);
                lines[base + at].tail_end = u32::try_from(tails.len()).ok()?;
            }
            names.push(name);
            first.push(u32::try_from(blocks.len()).ok()?);
        }
        Some(Self { build: Arc::new(Build::from_sorted(names, first, blocks)), tails, lines })
    }

    /// Returns the build it was learned from.
    #[must_use]
    pub fn build(&self) -> &Arc<Build> {
        &self.build
    }

    /// Returns the blocks of the file at `index` in order of arrival.
    pub(super) fn arrival(&self, index: usize) -> impl Iterator<Item = &Block> {
        let (start, end) = self.build.file(index).range;
        self.lines[start..end].iter().map(|line| &self.build.blocks[line.block as usize])
    }

    fn tail(&self, line: usize) -> &[u8] {
        let start = if line == 0 { 0 } else { self.lines[line - 1].tail_end as usize };
        &self.tails[start..self.lines[line].tail_end as usize]
    }
}

/// The state between two buffers of one text.
struct Scanner<'a> {
    limits: Limits,
    /// Lines understood so far.
    line: u64,
    mode: Option<Mode>,
    known: &'a [Arc<Template>],
    matching: Option<Matching<'a>>,
    loose: Loose,
}

/// A text that has followed a template so far.
struct Matching<'a> {
    template: &'a Arc<Template>,
    counts: Vec<u64>,
    /// Files that were read to their end.
    seen: Vec<bool>,
    files_seen: usize,
    /// The file being read, and its next line.
    file: usize,
    next: usize,
    end: usize,
    /// Name and colon, as each line of the file starts.
    head: Vec<u8>,
}

/// Blocks of a file with their counts, in order of arrival.
type Rows = Vec<(Block, u64)>;

/// A text of a build that is not known.
#[derive(Default)]
struct Loose {
    files: Vec<(Box<str>, Rows)>,
    by_name: HashMap<Box<str>, usize>,
    /// Index of the file being read, and its name with a colon.
    current: usize,
    head: Vec<u8>,
}

impl<'a> Scanner<'a> {
    fn new(limits: Limits, known: &'a [Arc<Template>]) -> Self {
        Self { limits, line: 0, mode: None, known, matching: None, loose: Loose::default() }
    }

    /// Takes in the whole lines of `text` and returns how many bytes those were.
    fn scan(&mut self, text: &[u8]) -> Result<usize, ParseError> {
        let mut at = 0;
        if self.mode.is_none() {
            let Some(end) = memchr::memchr(b'\n', text) else { return Ok(0) };
            self.mode = Some(mode_line(strip_cr(&text[..end]))?);
            self.line = 1;
            at = end + 1;
        }
        loop {
            if let Some(matching) = &mut self.matching {
                let (used, state) = matching.scan(&text[at..], &mut self.line);
                at += used;
                match state {
                    Followed::NeedsMore => return Ok(at),
                    Followed::Left => self.loosen(),
                }
            }
            let Some(len) = memchr::memchr(b'\n', &text[at..]) else { break };
            let line = &text[at..at + len];
            if len > self.limits.max_line_bytes {
                return Err(self.too_long(line));
            }
            self.block_line(strip_cr(line))?;
            self.line += 1;
            at += len + 1;
        }
        Ok(at)
    }

    fn too_long(&self, line: &[u8]) -> ParseError {
        ParseError::LineTooLong {
            line: self.line + 1,
            limit: self.limits.max_line_bytes,
            found: excerpt(line),
        }
    }

    fn block_line(&mut self, line: &[u8]) -> Result<(), ParseError> {
        if self.line == 1 {
            // The first file decides which of the known builds this can be.
            let name = split_name(line).and_then(|(name, _)| str::from_utf8(name).ok());
            let place = name.and_then(|name| {
                self.known.iter().find_map(|known| Some((known, known.build.index_of(name)?)))
            });
            if let Some((template, file)) = place {
                let mut matching = Matching::new(template);
                matching.enter(file);
                let mut whole = line.to_vec();
                whole.push(b'\n');
                let mut lines = self.line;
                if matching.scan(&whole, &mut lines).0 == whole.len() {
                    self.matching = Some(matching);
                    return Ok(());
                }
            }
        }
        let loose = &mut self.loose;
        if !loose.head.is_empty()
            && line.starts_with(&loose.head)
            && let Ok((block, count)) = block_tail(&line[loose.head.len()..])
        {
            loose.files[loose.current].1.push((block, count));
            return Ok(());
        }
        let not_a_block = || ParseError::NotABlock { line: self.line + 1, found: excerpt(line) };
        let (name, tail) = split_name(line).ok_or_else(not_a_block)?;
        let (block, count) = block_tail(tail).map_err(|fault| match fault {
            Fault::Form => not_a_block(),
            Fault::Size => ParseError::TooLarge { line: self.line + 1, found: excerpt(line) },
        })?;
        let name = str::from_utf8(name).map_err(|_| not_a_block())?;
        loose.enter(name);
        loose.files[loose.current].1.push((block, count));
        Ok(())
    }

    /// Leaves the template and keeps what was read by it.
    fn loosen(&mut self) {
        let Some(matching) = self.matching.take() else { return };
        let build = &matching.template.build;
        let mut keep = |index: usize, lines: std::ops::Range<usize>| {
            self.loose.enter(build.file(index).name);
            let rows = &mut self.loose.files[self.loose.current].1;
            rows.extend(lines.map(|line| {
                let block = matching.template.lines[line].block as usize;
                (build.blocks[block], matching.counts[block])
            }));
        };
        for (index, _) in matching.seen.iter().enumerate().filter(|&(_, &seen)| seen) {
            let (start, end) = build.file(index).range;
            keep(index, start..end);
        }
        let start = build.file(matching.file).range.0;
        if !matching.seen[matching.file] && matching.next > start {
            keep(matching.file, start..matching.next);
        }
    }

    fn finish(mut self) -> Result<(Profile, Option<Template>), ParseError> {
        let Some(mode) = self.mode else { return Err(ParseError::NoMode { found: String::new() }) };
        match self.matching.take() {
            Some(matching) if matching.files_seen == matching.seen.len() => {
                let build = Arc::clone(&matching.template.build);
                return Ok((Profile { mode, build, counts: matching.counts }, None));
            }
            unfinished => {
                self.matching = unfinished;
                self.loosen();
            }
        }
        let (profile, template) = self.loose.into_profile(mode)?;
        match self.known.iter().find(|known| known.build.fingerprint() == profile.build.fingerprint()) {
            Some(known) => Ok((Profile { build: Arc::clone(&known.build), ..profile }, None)),
            None => Ok((profile, template)),
        }
    }
}

enum Followed {
    /// The rest of the text is not a whole line yet.
    NeedsMore,
    /// The next line is not the template's.
    Left,
}

impl<'a> Matching<'a> {
    fn new(template: &'a Arc<Template>) -> Self {
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
        }
    }

    fn enter(&mut self, file: usize) {
        let known = self.template.build.file(file);
        self.file = file;
        (self.next, self.end) = known.range;
        self.head.clear();
        self.head.extend_from_slice(known.name.as_bytes());
        self.head.push(b':');
    }

    /// Follows the template through the whole lines of `text`; returns how many bytes were used.
    fn scan(&mut self, text: &[u8], lines: &mut u64) -> (usize, Followed) {
        let mut at = 0;
        loop {
            if self.next == self.end && !self.next_file(&text[at..]) {
                let whole = memchr::memchr(b'\n', &text[at..]).is_some();
                return (at, if whole { Followed::Left } else { Followed::NeedsMore });
            }
            let rest = &text[at..];
            let tail = self.template.tail(self.next);
            let head = self.head.len();
            let follows = rest.len() > head + tail.len()
                && rest[..head] == *self.head
                && rest[head..head + tail.len()] == *tail;
            let count = if follows { plain_count(&rest[head + tail.len()..]) } else { None };
            let Some((count, digits)) = count else {
                let whole = memchr::memchr(b'\n', rest).is_some();
                return (at, if whole { Followed::Left } else { Followed::NeedsMore });
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

    /// Enters the file whose line comes next; false if there is none, or it was seen before.
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

impl Loose {
    fn enter(&mut self, name: &str) {
        self.current = if let Some(&index) = self.by_name.get(name) {
            index
        } else {
            self.by_name.insert(name.into(), self.files.len());
            self.files.push((name.into(), Vec::new()));
            self.files.len() - 1
        };
        self.head.clear();
        self.head.extend_from_slice(name.as_bytes());
        self.head.push(b':');
    }

    fn into_profile(self, mode: Mode) -> Result<(Profile, Option<Template>), ParseError> {
        let mut files = self.files;
        files.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        let mut counts = Vec::with_capacity(files.iter().map(|(_, rows)| rows.len()).sum());
        let mut arrivals = Vec::with_capacity(files.len());
        let mut repeats = false;
        for (name, mut rows) in files {
            let arrival: Vec<Block> = rows.iter().map(|&(block, _)| block).collect();
            rows.sort_by_key(|(block, _)| (block.start, block.end));
            for (at, &(block, count)) in rows.iter().enumerate() {
                match at.checked_sub(1).map(|before| rows[before].0) {
                    Some(twin) if same_place(twin, block) => {
                        if twin.statements != block.statements {
                            return Err(ParseError::Contradiction { file: name.into(), block });
                        }
                        repeats = true;
                        let sum: &mut u64 = counts.last_mut().expect("its twin came before");
                        *sum = match mode {
                            Mode::Set => *sum | count,
                            Mode::Count | Mode::Atomic => sum.saturating_add(count).min(MAX_COUNT),
                        };
                    }
                    _ => counts.push(count),
                }
            }
            arrivals.push((name, arrival));
        }
        if repeats {
            for (_, arrival) in &mut arrivals {
                arrival.sort_unstable();
                arrival.dedup();
            }
        }
        let template = Template::from_arrivals(arrivals).expect("no block stands twice any more");
        let profile = Profile { mode, build: Arc::clone(template.build()), counts };
        Ok((profile, Some(template)))
    }
}

fn same_place(a: Block, b: Block) -> bool {
    a.start == b.start && a.end == b.end
}

fn mode_line(line: &[u8]) -> Result<Mode, ParseError> {
    line.strip_prefix(b"mode: ")
        .filter(|word| !word.is_empty() && word.iter().all(u8::is_ascii_alphabetic))
        .and_then(|word| str::from_utf8(word).ok())
        .map(Mode::from_word)
        .ok_or_else(|| ParseError::NoMode { found: excerpt(line) })
}

fn strip_cr(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// Splits a line at its last colon: the positions after it hold none.
fn split_name(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let colon = memchr::memrchr(b':', line)?;
    (colon > 0).then(|| (&line[..colon], &line[colon + 1..]))
}

enum Fault {
    Form,
    Size,
}

/// Reads `1.2,3.4 5 6` whole.
fn block_tail(tail: &[u8]) -> Result<(Block, u64), Fault> {
    let mut at = 0;
    let start_line = number(tail, &mut at, Some(b'.'))?;
    let start_col = number(tail, &mut at, Some(b','))?;
    let end_line = number(tail, &mut at, Some(b'.'))?;
    let end_col = number(tail, &mut at, Some(b' '))?;
    let statements = number(tail, &mut at, Some(b' '))?;
    let count = number(tail, &mut at, None)?;
    let narrow = |number: u64| u32::try_from(number).map_err(|_| Fault::Size);
    let block = Block {
        start: (narrow(start_line)?, narrow(start_col)?),
        end: (narrow(end_line)?, narrow(end_col)?),
        statements: narrow(statements)?,
    };
    Ok((block, count))
}

/// Reads digits up to `stop`, or to the end where there is none. A leading `+` is allowed, as Go's
/// `strconv.Atoi` allows it.
#[inline]
fn number(text: &[u8], at: &mut usize, stop: Option<u8>) -> Result<u64, Fault> {
    let mut index = *at;
    if text.get(index) == Some(&b'+') {
        index += 1;
    }
    let start = index;
    let mut number = 0_u64;
    let mut overflow = false;
    while let Some(digit) = text.get(index).map(|byte| byte.wrapping_sub(b'0')).filter(|&digit| digit < 10) {
        // 19 digits never exceed u64, so the check is needed only beyond.
        if index - start < 19 {
            number = number * 10 + u64::from(digit);
        } else {
            overflow |= number.checked_mul(10).is_none_or(|n| n > MAX_COUNT);
            number = number.saturating_mul(10).saturating_add(digit.into());
        }
        index += 1;
    }
    if index == start || text.get(index).copied() != stop {
        return Err(Fault::Form);
    }
    if overflow || number > MAX_COUNT {
        return Err(Fault::Size);
    }
    *at = index + usize::from(stop.is_some());
    Ok(number)
}

/// Reads a count of up to 18 digits that a newline ends; anything else goes the ordinary way.
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

/// The start of a text, for an error message.
fn excerpt(text: &[u8]) -> String {
    const LONGEST: usize = 120;
    let mut found = String::from_utf8_lossy(&text[..text.len().min(LONGEST)]).into_owned();
    if text.len() > LONGEST {
        found.push('…');
    }
    found
}
