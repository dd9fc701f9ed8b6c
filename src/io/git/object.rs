//! Objects of a repository: their hashes, and their content as `git cat-file --batch` prints it.

use std::io::{self, BufRead, Read as _};

/// Size of the largest file that is read. The largest Go files in use have a tenth of it.
pub(crate) const LARGEST_BLOB: u64 = 32 << 20;

/// The full hash of an object.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ObjectId(Box<str>);

impl ObjectId {
    /// Reads a full hash: 40 hex digits, or 64.
    #[must_use]
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let is_hash = matches!(text.len(), 40 | 64) && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_hash.then(|| Self(text.into()))
    }

    /// Returns the hex digits.
    #[must_use]
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for ObjectId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(&self.0)
    }
}

/// Joins hashes into one text.
pub(super) fn lines(ids: &[ObjectId], before: &str, after: &str) -> String {
    ids.iter().flat_map(|id| [before, id.as_str(), after]).collect()
}

/// The content of a file.
#[derive(Clone, Copy, Debug)]
pub(crate) enum BlobContent<'a> {
    /// Its bytes.
    Text(&'a [u8]),
    /// The repository lacks the file.
    Missing,
    /// The file is larger than [`LARGEST_BLOB`].
    TooLarge,
}

impl<'a> BlobContent<'a> {
    /// Returns the bytes; `None` if the file is missing or too large.
    #[must_use]
    pub(crate) fn text(self) -> Option<&'a [u8]> {
        match self {
            Self::Text(text) => Some(text),
            Self::Missing | Self::TooLarge => None,
        }
    }
}

/// Git's answer about a name or hash.
pub(super) enum ObjectAnswer {
    /// The name means no object, or several.
    Missing,
    /// The name means one object.
    Object { id: ObjectId, is_too_large: bool },
}

/// Reads an answer of `git cat-file --batch`: `<hash> <type> <size>`, the bytes and a line end, or `<name> missing` or
/// `<name> ambiguous`. The bytes of an object that is too large are skipped.
pub(super) fn read_answer(out: &mut impl BufRead, body: &mut Vec<u8>) -> io::Result<ObjectAnswer> {
    let mut head = Vec::new();
    out.read_until(b'\n', &mut head)?;
    if head.ends_with(b" missing\n") || head.ends_with(b" ambiguous\n") {
        return Ok(ObjectAnswer::Missing);
    }
    let head = String::from_utf8_lossy(&head);
    let words: Vec<&str> = head.trim_end_matches('\n').split(' ').collect();
    let object = match words[..] {
        [id, _, size] => ObjectId::parse(id).zip(size.parse::<u64>().ok()),
        _ => None,
    };
    let (id, size) = object.ok_or(io::ErrorKind::UnexpectedEof)?;
    let is_too_large = size > LARGEST_BLOB;
    body.clear();
    if is_too_large {
        io::copy(&mut out.take(size), &mut io::sink())?;
    } else {
        body.reserve(usize::try_from(size).unwrap_or(0));
        out.take(size).read_to_end(body)?;
    }
    out.read_exact(&mut [0])?;
    Ok(ObjectAnswer::Object { id, is_too_large })
}
