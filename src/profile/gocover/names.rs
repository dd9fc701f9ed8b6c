//! The names of files in a folder of coverage data (GOCOVERDIR), and which counters belong to which meta.

use super::header::MetaHash;

/// A name as the runtime of Go and its tools write it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DataFileName<'a> {
    /// `covmeta.TAG`
    Meta {
        /// The hash in hex, but for files of foreign tools.
        tag: &'a str,
    },
    /// `covcounters.TAG.PID.NANOSECONDS`
    Counters {
        /// The hash of the meta in hex, but for files of foreign tools.
        tag: &'a str,
        /// The process that counted; in a container 1, and 0 in what `go tool covdata merge` wrote.
        pid: u64,
        /// Nanoseconds since 1970 at which the file was written; foreign tools write other numbers.
        written_at: u64,
    },
    /// A name that begins with `tmp.`: the file is being written, or a kill has left it.
    Unfinished,
}

impl<'a> DataFileName<'a> {
    /// Reads a name; `None` for a file that is none of coverage data.
    ///
    /// The names are those that Go's tool takes, less pids and times beyond 64 bits, which no process has.
    #[must_use]
    pub fn parse(name: &'a str) -> Option<Self> {
        if name.starts_with("tmp.covmeta.") || name.starts_with("tmp.covcounters.") {
            return Some(Self::Unfinished);
        }
        let is_tag = |tag: &str| !tag.is_empty() && !tag.contains(char::is_whitespace);
        if let Some(tag) = name.strip_prefix("covmeta.") {
            return is_tag(tag).then_some(Self::Meta { tag });
        }
        let mut parts = name.strip_prefix("covcounters.")?.rsplitn(3, '.');
        let mut number = || parts.next().filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()));
        let (written_at, pid) = (number()?.parse().ok()?, number()?.parse().ok()?);
        let tag = parts.next().filter(|tag| is_tag(tag))?;
        Some(Self::Counters { tag, pid, written_at })
    }
}

/// Returns the index of the meta that counters belong to, among the hashes and the tags of all metas at hand.
///
/// The hash in the header of the counters decides. Where no meta has it, the tag in the name of the file does, as it
/// does for Go's tool. Of two metas of one hash, the one with the same tag is taken, else the first.
#[must_use]
pub fn find_meta(hash: MetaHash, tag: &str, metas: &[(MetaHash, &str)]) -> Option<usize> {
    let position = |is_it: &dyn Fn(&(MetaHash, &str)) -> bool| metas.iter().position(is_it);
    position(&|meta| *meta == (hash, tag))
        .or_else(|| position(&|meta| meta.0 == hash))
        .or_else(|| position(&|meta| meta.1 == tag))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_go_are_read() {
        let tag = "2580f4b65340bc2b63474139d103ae37";
        let counters = format!("covcounters.{tag}.15163.1795923341957589166");
        for (name, expected) in [
            (&*format!("covmeta.{tag}"), Some(DataFileName::Meta { tag })),
            (
                &counters,
                Some(DataFileName::Counters { tag, pid: 15163, written_at: 1_795_923_341_957_589_166 }),
            ),
            (&format!("tmp.{counters}"), Some(DataFileName::Unfinished)),
            (&format!("tmp.covmeta.{tag}1795923341957589166"), Some(DataFileName::Unfinished)),
            ("covcounters.a.b.7.9", Some(DataFileName::Counters { tag: "a.b", pid: 7, written_at: 9 })),
            ("covcounters.a.1", None),
            ("covcounters.a.pid.1", None),
            ("covcounters.a..1", None),
            ("covcounters.a.1.", None),
            ("covcounters.a.-1.1", None),
            ("covcounters..1.1", None),
            ("covcounters.a b.1.1", None),
            ("covcounters.a.99999999999999999999.1", None),
            ("covmeta.", None),
            ("covmeta.a b", None),
            ("covmeta", None),
            ("notes.txt", None),
            ("tmp.notes", None),
        ] {
            assert_eq!(DataFileName::parse(name), expected, "{name}");
        }
    }

    #[test]
    fn the_hash_in_the_header_decides_and_the_tag_only_where_no_meta_has_it() {
        let [a, b, c] = [1, 2, 3].map(|byte| MetaHash::from_bytes([byte; 16]));
        let metas = [(a, "x"), (b, "y"), (b, "z")];
        assert_eq!(find_meta(a, "y", &metas), Some(0));
        assert_eq!(find_meta(b, "z", &metas), Some(2));
        assert_eq!(find_meta(b, "x", &metas), Some(1));
        assert_eq!(find_meta(c, "y", &metas), Some(1));
        assert_eq!(find_meta(c, "w", &metas), None);
    }
}
