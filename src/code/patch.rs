//! The parser of unified diffs, which returns the changed lines of each file.
//!
//! The parser reads the output of `git diff` and `diff -u`, with any number of context lines. A text that is not a
//! diff, or a hunk that is cut short, is an error with its line, so that half a diff is never taken for a small one.
//!
//! Names keep their prefixes; [`place`] finds the files that they mean.

mod place;

use std::borrow::Cow;

pub use super::linediff::Hunk;
pub(crate) use place::place;

/// The changes of one file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FilePatch {
    /// Path before; `None` for a new file.
    pub old_path: Option<String>,
    /// Path after; `None` for a deleted file.
    pub new_path: Option<String>,
    /// The reason for which its lines are unknown; `None` if they are known.
    pub unread: Option<WhyUnread>,
    /// The hunks in order, each without context.
    pub hunks: Vec<Hunk>,
    /// Text of the added lines and the lines around them, in order, with their numbers in the new file.
    pub shown: Vec<(u32, Box<[u8]>)>,
    /// The paths come from lines with nothing else and without prefixes, so that a `---` line does not replace them.
    has_exact_paths: bool,
    /// The changes have a header of git.
    has_header: bool,
    /// Both names in that header, if it can be split; also for an added or deleted file.
    names_in_header: Option<(String, String)>,
}

/// The reason for which the lines of a file are unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhyUnread {
    /// The contents are not text.
    Binary,
    /// The contents are too large to be compared.
    TooLarge,
}

impl FilePatch {
    /// Returns the changes of a file without any hunk.
    #[must_use]
    pub fn without_hunks(old_path: Option<&str>, new_path: Option<&str>) -> Self {
        Self {
            old_path: old_path.map(str::to_owned),
            new_path: new_path.map(str::to_owned),
            ..Self::default()
        }
    }

    /// Returns its path after, or that of a deleted file.
    #[must_use]
    pub fn path(&self) -> Option<&str> {
        self.new_path.as_deref().or(self.old_path.as_deref())
    }

    /// Returns the added lines as ranges of the new file: the first line, and the line after the last.
    pub fn added(&self) -> impl Iterator<Item = (u32, u32)> {
        let came = self.hunks.iter().filter(|hunk| hunk.new_count > 0);
        came.map(|hunk| (hunk.new_start, hunk.new_start.saturating_add(hunk.new_count)))
    }

    /// Returns the number that a line of the new file had before; `None` for an added line.
    #[must_use]
    pub fn line_before(&self, line: u32) -> Option<u32> {
        if self.has_added(line) {
            return None;
        }
        let mut shift = 0_i64;
        for hunk in self
            .hunks
            .iter()
            .take_while(|hunk| hunk.new_start < line || hunk.new_count > 0 && hunk.new_start <= line)
        {
            shift += i64::from(hunk.old_count) - i64::from(hunk.new_count);
        }
        u32::try_from(i64::from(line) + shift).ok()
    }

    /// Tells whether a line of the old file was removed.
    #[must_use]
    pub fn has_removed(&self, line: u32) -> bool {
        let after = self.hunks.partition_point(|hunk| hunk.old_start <= line);
        self.hunks[..after]
            .iter()
            .rfind(|hunk| hunk.old_count > 0)
            .is_some_and(|hunk| line - hunk.old_start < hunk.old_count)
    }

    /// Tells whether a line of the new file was added.
    #[must_use]
    pub fn has_added(&self, line: u32) -> bool {
        let after = self.hunks.partition_point(|hunk| hunk.new_start <= line);
        self.hunks[..after]
            .iter()
            .rfind(|hunk| hunk.new_count > 0)
            .is_some_and(|hunk| line - hunk.new_start < hunk.new_count)
    }
}

/// The error for a text that is not a unified diff.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {reason}")]
pub struct PatchError {
    /// The line of the text, from 1.
    pub line: usize,
    /// The fault.
    pub reason: &'static str,
}

/// Reads a diff of any number of files, each named once.
///
/// Colours are ignored.
pub fn parse(text: &[u8]) -> Result<Vec<FilePatch>, PatchError> {
    let text = without_colors(text);
    // The empty text after the last line end is not a line.
    let body = text.strip_suffix(b"\n").unwrap_or(&text);
    let mut lines = body.split(|&byte| byte == b'\n').enumerate();
    let mut files: Vec<FilePatch> = Vec::new();
    while let Some((index, line)) = lines.next() {
        let fault = |reason| PatchError { line: index + 1, reason };
        let is_between_hunks = files.last().is_some_and(|file| !file.hunks.is_empty());
        if let Some(rest) = line.strip_prefix(b"diff --git ") {
            files.push(named_by_header(rest));
        } else if line.starts_with(b"diff --cc ") || line.starts_with(b"@@@") {
            return Err(fault(
                "a combined diff of a merge; give one from its base, as git diff BASE COMMIT prints it",
            ));
        } else if let Some(old) = line.strip_prefix(b"--- ") {
            let Some((_, new)) = lines.next() else { return Err(fault("expected a line with \"+++ \"")) };
            let new = new.strip_prefix(b"+++ ").ok_or(fault("expected \"+++ \" after this line"))?;
            // Without git's header a file begins here.
            if !files.last().is_some_and(|file| file.has_header && file.hunks.is_empty()) {
                files.push(FilePatch::default());
            }
            let file = files.last_mut().expect("one was pushed");
            if !file.has_exact_paths {
                (file.old_path, file.new_path) = (plain(old), plain(new));
            }
        } else if line.starts_with(b"@@") {
            let file = files.last_mut().ok_or(fault("a hunk without the name of its file"))?;
            let header = line.strip_prefix(b"@@ ").and_then(ranges);
            let (old, new) = header.ok_or(fault("expected \"@@ -LINE,COUNT +LINE,COUNT @@\""))?;
            if file.shown.last().is_some_and(|(last, _)| *last >= new.0) {
                return Err(fault(
                    "this hunk comes before the one above it; is this the diff of two states?",
                ));
            }
            read_hunk(file, old, new, &mut lines).ok_or(fault("this hunk is cut short"))?;
        } else if line.starts_with(b"Binary files ")
            && files.last().is_none_or(|file| is_between_hunks || !file.has_header)
        {
            // Without git's header only this line names the file, and its names cannot be separated from the words.
            files.push(FilePatch { unread: Some(WhyUnread::Binary), ..FilePatch::default() });
        } else if is_between_hunks && is_of_a_hunk(line) {
            return Err(fault("a line beyond what the header of its hunk says"));
        } else if let Some(file) = files.last_mut().filter(|_| !is_between_hunks) {
            header_line(file, line);
        }
    }
    files.retain(|file| file.unread.is_none() || file.path().is_some());
    if files.iter().any(|file| file.path().is_none()) {
        return Err(PatchError { line: 1, reason: "a file that is neither before nor after" });
    }
    if files.is_empty() && !text.iter().all(u8::is_ascii_whitespace) {
        return Err(PatchError { line: 1, reason: "no file of a unified diff is named" });
    }
    Ok(files)
}

/// Removes the colours that git writes with `color.ui = always`, around a line or parts of it.
///
/// A line of a diff without colours never begins with an escape. Escapes inside its text are kept.
fn without_colors(text: &[u8]) -> Cow<'_, [u8]> {
    const BEGIN: &[u8] = b"\x1b[";
    if !text.starts_with(BEGIN) && memchr::memmem::find(text, b"\n\x1b[").is_none() {
        return Cow::Borrowed(text);
    }
    let mut plain = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = memchr::memmem::find(rest, BEGIN) {
        let parameters = &rest[at + BEGIN.len()..];
        let digits = parameters.iter().take_while(|byte| byte.is_ascii_digit() || **byte == b';').count();
        // `m` sets a colour, `K` clears to the end of the line.
        let is_color = matches!(parameters.get(digits), Some(b'm' | b'K'));
        let end = at + BEGIN.len() + if is_color { digits + 1 } else { 0 };
        plain.extend_from_slice(&rest[..if is_color { at } else { end }]);
        rest = &rest[end..];
    }
    plain.extend_from_slice(rest);
    Cow::Owned(plain)
}

/// Tells whether a line has the form of a hunk's line. `-- ` begins the signature of a mail.
fn is_of_a_hunk(line: &[u8]) -> bool {
    matches!(line.first(), Some(b'+' | b' ')) || (line.starts_with(b"-") && !line.starts_with(b"-- "))
}

/// Reads the further lines of git's header.
fn header_line(file: &mut FilePatch, line: &[u8]) {
    const NAMES: [(&[u8], bool); 4] =
        [(b"rename from ", true), (b"copy from ", true), (b"rename to ", false), (b"copy to ", false)];
    if line.starts_with(b"new file mode ") {
        file.old_path = None;
    } else if line.starts_with(b"deleted file mode ") {
        file.new_path = None;
    } else if line.starts_with(b"Binary files ") || line == b"GIT binary patch" {
        file.unread = Some(WhyUnread::Binary);
    }
    for (start, is_old) in NAMES {
        if let Some(name) = line.strip_prefix(start) {
            let name = plain(name);
            file.has_exact_paths = true;
            if is_old {
                file.old_path = name;
            } else {
                file.new_path = name;
            }
        }
    }
}

/// Splits `a/path b/path`. For an unquoted name with spaces only one cut gives the same name twice. A renamed file has
/// its names in other lines.
fn named_by_header(names: &[u8]) -> FilePatch {
    let names = names.strip_suffix(b"\r").unwrap_or(names);
    let (old, new) = match names {
        [b'"', ..] => {
            let end = quoted_end(names).unwrap_or(names.len());
            (&names[..end], names.get(end + 1..).unwrap_or_default())
        }
        _ => {
            let below =
                |name: &[u8]| name.iter().position(|&byte| byte == b'/').map(|at| name[at + 1..].to_vec());
            let same = |at: &usize| {
                let (old, new) = (&names[..*at], &names[(*at + 1).min(names.len())..]);
                names[*at] == b' ' && (old == new || below(old).is_some_and(|old| Some(old) == below(new)))
            };
            let mut spaces = (0..names.len()).filter(|at| names[*at] == b' ');
            let only_space = spaces.next().filter(|_| spaces.next().is_none());
            let cut = (0..names.len()).find(same).or(only_space).unwrap_or(names.len());
            (&names[..cut], names.get(cut + 1..).unwrap_or_default())
        }
    };
    let (old_path, new_path) = (plain(old), plain(new));
    let names_in_header = old_path.clone().zip(new_path.clone());
    FilePatch { old_path, new_path, has_header: true, names_in_header, ..FilePatch::default() }
}

/// Returns the offset after the quote that ends a quoted name.
fn quoted_end(text: &[u8]) -> Option<usize> {
    let mut at = 1;
    loop {
        match text.get(at)? {
            b'"' => return Some(at + 1),
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
}

/// Reads a name without its quotes, and without the time that `diff -u` puts after a tab.
fn plain(name: &[u8]) -> Option<String> {
    let name: Cow<'_, [u8]> = match name {
        [b'"', ..] => Cow::Owned(unquoted(name)),
        _ => {
            let end = name.iter().position(|&byte| byte == b'\t').unwrap_or(name.len());
            Cow::Borrowed(name[..end].strip_suffix(b"\r").unwrap_or(&name[..end]))
        }
    };
    if name.is_empty() || *name == *b"/dev/null" {
        return None;
    }
    let name = String::from_utf8_lossy(&name).into_owned();
    Some(name.strip_prefix("./").map_or(name.clone(), str::to_owned))
}

/// Removes the quotes that git puts around a name (`quote_c_style` in its quote.c).
fn unquoted(name: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(name.len());
    let mut bytes = name[1..].iter().copied();
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => break,
            b'\\' => match bytes.next() {
                Some(digit @ b'0'..=b'3') => {
                    let rest = [bytes.next().unwrap_or(b'0'), bytes.next().unwrap_or(b'0')];
                    let digits = [digit, rest[0], rest[1]].map(|digit| digit.wrapping_sub(b'0') & 7);
                    plain.push(digits[0] << 6 | digits[1] << 3 | digits[2]);
                }
                Some(b'a') => plain.push(7),
                Some(b'b') => plain.push(8),
                Some(b't') => plain.push(b'\t'),
                Some(b'n') => plain.push(b'\n'),
                Some(b'v') => plain.push(11),
                Some(b'f') => plain.push(12),
                Some(b'r') => plain.push(b'\r'),
                Some(other) => plain.push(other),
                None => {}
            },
            byte => plain.push(byte),
        }
    }
    plain
}

type HunkRange = (u32, u32);

/// Reads `-LINE,COUNT +LINE,COUNT @@...`. A missing count is 1.
fn ranges(header: &[u8]) -> Option<(HunkRange, HunkRange)> {
    let header = str::from_utf8(&header[..header.len().min(64)]).unwrap_or_else(|error| {
        // The name of a function may follow, cut at any byte.
        str::from_utf8(&header[..error.valid_up_to()]).unwrap_or_default()
    });
    let (old, rest) = header.strip_prefix('-')?.split_once(" +")?;
    let (new, _) = rest.split_once(" @@")?;
    let range = |text: &str| -> Option<HunkRange> {
        let (start, count) = text.split_once(',').unwrap_or((text, "1"));
        let (start, count): (u32, u32) = (start.parse().ok()?, count.parse().ok()?);
        // An empty range has the number of the line before it.
        let is_sound = start > 0 || count == 0;
        start.checked_add(count.max(1)).filter(|_| is_sound)?;
        Some((start, count))
    };
    Some((range(old)?, range(new)?))
}

/// Reads the lines of a hunk and keeps its changes; `None` if lines are missing.
fn read_hunk<'t>(
    file: &mut FilePatch,
    old: HunkRange,
    new: HunkRange,
    lines: &mut impl Iterator<Item = (usize, &'t [u8])>,
) -> Option<()> {
    let (mut old_left, mut new_left) = (old.1, new.1);
    // The header of an empty range has the number of the line before it.
    let first = |range: HunkRange| if range.1 == 0 { range.0 + 1 } else { range.0 };
    let (mut old_line, mut new_line) = (first(old), first(new));
    let mut change: Option<Hunk> = None;
    while old_left > 0 || new_left > 0 {
        let (_, line) = lines.next()?;
        let begun = || Hunk { old_start: old_line, old_count: 0, new_start: new_line, new_count: 0 };
        match line.first() {
            Some(b'-') => {
                old_left = old_left.checked_sub(1)?;
                change.get_or_insert_with(begun).old_count += 1;
                old_line += 1;
            }
            Some(b'+') => {
                new_left = new_left.checked_sub(1)?;
                change.get_or_insert_with(begun).new_count += 1;
                file.shown.push((new_line, line[1..].into()));
                new_line += 1;
            }
            // Some tools remove the only blank of an empty line.
            Some(b' ' | b'\r') | None => {
                (old_left, new_left) = (old_left.checked_sub(1)?, new_left.checked_sub(1)?);
                file.hunks.extend(change.take().map(named_from_before));
                file.shown.push((new_line, line.get(1..).unwrap_or_default().into()));
                (old_line, new_line) = (old_line + 1, new_line + 1);
            }
            Some(b'\\') => {}
            Some(_) => return None,
        }
    }
    file.hunks.extend(change.take().map(named_from_before));
    Some(())
}

/// Gives an empty range the number of the line before it, as in a header.
fn named_from_before(hunk: Hunk) -> Hunk {
    let named = |start: u32, count| if count == 0 { start - 1 } else { start };
    Hunk {
        old_start: named(hunk.old_start, hunk.old_count),
        new_start: named(hunk.new_start, hunk.new_count),
        ..hunk
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hunk(old_start: u32, old_count: u32, new_start: u32, new_count: u32) -> Hunk {
        Hunk { old_start, old_count, new_start, new_count }
    }

    fn only(text: &str) -> FilePatch {
        let mut files = parse(text.as_bytes()).unwrap();
        assert_eq!(files.len(), 1, "{files:?}");
        files.remove(0)
    }

    fn paths(text: &str) -> (Option<String>, Option<String>) {
        let file = only(text);
        (file.old_path, file.new_path)
    }

    fn some(old: &str, new: &str) -> (Option<String>, Option<String>) {
        (Some(old.to_owned()), Some(new.to_owned()))
    }

    #[test]
    fn context_is_cut_away() {
        let text = "diff --git a/x.go b/x.go\nindex 1..2 100644\n--- a/x.go\n+++ b/x.go\n\
                    @@ -1,7 +1,8 @@ func f() {\n one\n-two\n+2\n+2b\n three\n\n-five\n six\n+seven\n seven\n\\ No newline at end of file\n";
        let file = only(text);
        assert_eq!(file.hunks, [hunk(2, 1, 2, 2), hunk(5, 1, 5, 0), hunk(6, 0, 7, 1)]);
        assert_eq!(file.added().collect::<Vec<_>>(), [(2, 4), (7, 8)]);
        let added: Vec<u32> = (0..12).filter(|line| file.has_added(*line)).collect();
        assert_eq!(added, [2, 3, 7]);
        let before: Vec<_> = (1..10).map(|line| file.line_before(line)).collect();
        assert_eq!(before, [Some(1), None, None, Some(3), Some(4), Some(6), None, Some(7), Some(8)]);
        let removed: Vec<u32> = (0..12).filter(|line| file.has_removed(*line)).collect();
        assert_eq!(removed, [2, 5]);
    }

    #[test]
    fn hunks_without_context_are_as_their_headers_say() {
        let text = "--- x\n+++ x\n@@ -3 +3,2 @@\n-a\n+b\n+c\n@@ -9,2 +9,0 @@\n-d\n-e\n@@ -20,0 +19 @@\n+f\n";
        assert_eq!(only(text).hunks, [hunk(3, 1, 3, 2), hunk(9, 2, 9, 0), hunk(20, 0, 19, 1)]);
    }

    #[test]
    fn new_deleted_renamed_and_binary_files_are_told_apart() {
        let new = "diff --git a/x.go b/x.go\nnew file mode 100644\nindex 0..1\n--- /dev/null\n+++ b/x.go\n@@ -0,0 +1 @@\n+a\n";
        assert_eq!(paths(new), (None, Some("b/x.go".to_owned())));
        assert_eq!(
            paths("diff --git a/x.go b/x.go\nnew file mode 100644\nindex 0..1\n"),
            (None, Some("b/x.go".to_owned()))
        );
        let deleted = "diff --git a/x b.go b/x b.go\ndeleted file mode 100644\n--- a/x b.go\t\n+++ /dev/null\n@@ -1 +0,0 @@\n-a\n";
        assert_eq!(paths(deleted), (Some("a/x b.go".to_owned()), None));
        let renamed = "diff --git a/old name.go b/new.go\nsimilarity index 100%\nrename from old name.go\nrename to new.go\n";
        assert_eq!(paths(renamed), some("old name.go", "new.go"));
        let binary =
            only("diff --git a/x.png b/x.png\nindex 1..2 100644\nBinary files a/x.png and b/x.png differ\n");
        assert_eq!(binary.unread, Some(WhyUnread::Binary));
    }

    #[test]
    fn names_are_read_as_git_quotes_them() {
        let quoted = "diff --git \"a/\\303\\274 \\\"q\\\"\\t.go\" \"b/\\303\\274 \\\"q\\\"\\t.go\"\n--- \"a/\\303\\274 \\\"q\\\"\\t.go\"\n+++ \"b/\\303\\274 \\\"q\\\"\\t.go\"\n@@ -1 +1 @@\n-a\n+b\n";
        assert_eq!(paths(quoted), some("a/ü \"q\"\t.go", "b/ü \"q\"\t.go"));
        assert_eq!(
            paths("diff --git a/a b b/a b\nold mode 100644\nnew mode 100755\n"),
            some("a/a b", "b/a b")
        );
        assert_eq!(
            paths("--- x.go\t2026-01-01\n+++ x.go\t2026-01-02\n@@ -1 +1 @@\n-a\n+b\n"),
            some("x.go", "x.go")
        );
        assert_eq!(
            paths("diff --git i/x.go w/x.go\nold mode 100644\nnew mode 100755\n"),
            some("i/x.go", "w/x.go")
        );
        assert_eq!(paths("--- b/x.go\n+++ b/x.go\n@@ -1 +1 @@\n-a\n+b\n"), some("b/x.go", "b/x.go"));
        assert_eq!(paths("--- ./x.go\n+++ ./x.go\n@@ -1 +1 @@\n-a\n+b\n"), some("x.go", "x.go"));
        assert_eq!(paths("--- ../../x\n+++ ../../x\n@@ -1 +1 @@\n-a\n+b\n"), some("../../x", "../../x"));
    }

    #[test]
    fn files_follow_each_other_with_and_without_gits_header() {
        let text = "diff --git a/m b/m\nold mode 100644\nnew mode 100755\ndiff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\n\
                    --- a/y\n+++ b/y\n@@ -1 +1 @@\n--- a\n+++ b\n";
        let files = parse(text.as_bytes()).unwrap();
        let names: Vec<_> = files.iter().map(|file| file.new_path.as_deref().unwrap()).collect();
        assert_eq!(names, ["b/m", "b/x", "b/y"]);
        assert_eq!(files[2].hunks, [hunk(1, 1, 1, 1)], "lines that look like a header are lines");
        assert_eq!(parse(b"").unwrap(), []);
        assert_eq!(parse(b"\n").unwrap(), []);
    }

    #[test]
    fn colours_are_no_part_of_a_diff() {
        let plain = "diff --git a/x.go b/x.go\nindex 1..2 100644\n--- a/x.go\n+++ b/x.go\n@@ -1,2 +1,3 @@ func f() {\n a\n-b\n+c\n+\n";
        // The output of git 2.39 with its marks of whitespace errors, and changed lines without context.
        let colored = "\x1b[1mdiff --git a/x.go b/x.go\x1b[m\n\x1b[1mindex 1..2 100644\x1b[m\n\x1b[1m--- a/x.go\x1b[m\n\
                       \x1b[1m+++ b/x.go\x1b[m\n\x1b[36m@@ -1,2 +1,3 @@\x1b[m func f() {\x1b[m\n a\x1b[m\n\x1b[31m-b\x1b[m\n\
                       \x1b[32m+\x1b[m\x1b[32mc\x1b[m\n\x1b[1;38;5;10m+\x1b[m\x1b[K\n";
        assert_eq!(parse(colored.as_bytes()), parse(plain.as_bytes()));
        let partly = plain.replace("-b", "\x1b[31m-b\x1b[m").replace("+c", "\x1b[32m+c\x1b[m");
        assert_eq!(parse(partly.as_bytes()), parse(plain.as_bytes()));
        let text = "--- x\n+++ x\n@@ -1 +1 @@\n-a\n+\x1b[31mred\x1b[2J\n";
        assert_eq!(only(text).shown, [(1, b"\x1b[31mred\x1b[2J"[..].into())], "escapes of a source are text");
    }

    #[test]
    fn half_a_diff_is_refused() {
        let refused = |text: &str| parse(text.as_bytes()).unwrap_err().to_string();
        assert_eq!(refused("hello\n"), "line 1: no file of a unified diff is named");
        assert_eq!(refused("--- a\n+++ b\n@@ -1,2 +1 @@\n-a\n"), "line 3: this hunk is cut short");
        assert_eq!(refused("--- a\n+++ b\n@@ -1 +1 @@\n-a\nx\n"), "line 3: this hunk is cut short");
        assert_eq!(refused("--- a\n@@ -1 +1 @@\n"), "line 1: expected \"+++ \" after this line");
        assert_eq!(refused("@@ -1 +1 @@\n-a\n+b\n"), "line 1: a hunk without the name of its file");
        let header = "--- a\n+++ b\n@@ -1 +1 @@\n-a\n+b\n";
        assert_eq!(
            refused(&format!("{header}+c\n")),
            "line 6: a line beyond what the header of its hunk says"
        );
        assert_eq!(
            refused(&format!("{header}@@ -1 +1 @@\n-a\n+b\n")),
            "line 6: this hunk comes before the one above it; is this the diff of two states?"
        );
        let combined =
            "line 6: a combined diff of a merge; give one from its base, as git diff BASE COMMIT prints it";
        assert_eq!(refused(&format!("{header}@@@ -1 -1 +1 @@@\n")), combined);
        assert_eq!(refused(&format!("{header}diff --cc x\n")), combined);
        assert_eq!(
            refused("--- /dev/null\n+++ /dev/null\n"),
            "line 1: a file that is neither before nor after"
        );
        for header in [
            "-1 +1",
            "-0,2 +0,1 @@",
            "-4294967295,0 +1 @@",
            "-1 +4294967295,0 @@",
            "-1,99999999999 +1 @@",
            "-4294967295,2 +1 @@",
            "-x +1 @@",
            "-1 +-1 @@",
        ] {
            let text = format!("--- a\n+++ b\n@@ {header}\n");
            assert_eq!(refused(&text), "line 3: expected \"@@ -LINE,COUNT +LINE,COUNT @@\"", "{header}");
        }
    }
}
