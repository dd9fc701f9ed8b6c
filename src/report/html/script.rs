//! The script of pages. Its files below `script/` each have one concern and are joined into one text, because a page is
//! one file.
//!
//! A file uses names from files before it. `tests/page` runs the files that need no browser.

macro_rules! joined {
    ($($name:literal),+ $(,)?) => {
        concat!($(include_str!(concat!("script/", $name, ".js"))),+)
    };
}

/// The files of every page, including those of a site. The first one makes the object to which all others add.
pub(in crate::report) const SHARED: &str =
    joined!("words", "address", "rows", "neighbours", "elements", "switches", "map");

/// Further files of the page of a report: first logic, then the elements that show it.
pub(super) const OF_REPORT: &str = concat!(
    joined!(
        "names",
        "sentences",
        "files",
        "tree",
        "treemap",
        "streams",
        "choices",
        "catalog",
        "go",
        "layout"
    ),
    joined!("changes", "walks", "marks", "fuzzy", "find", "host"),
    joined!(
        "state",
        "figures",
        "choice",
        "placelinks",
        "packs",
        "filemap",
        "table",
        "allfunctions",
        "authors",
        "tabs",
        "lines",
        "source",
        "functions"
    ),
    joined!("outside", "position", "viewport", "jump", "search", "views", "start"),
);

/// Joins parts of a script without comment lines, which are a fifth of it.
pub(in crate::report) fn without_comments(parts: &[&str]) -> String {
    let is_comment = |line: &&str| {
        let line = line.trim();
        line.starts_with("//") || (line.starts_with("/**") && line.ends_with("*/"))
    };
    parts.iter().flat_map(|part| part.split_inclusive('\n')).filter(|line| !is_comment(line)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_with_nothing_but_a_comment_are_left_out() {
        let script =
            "// A\n'use strict';\n  /** Returns b. */\n  const b = '//'; // c\n\n  // d\n  /** e */ b();\n/";
        assert_eq!(
            without_comments(&[script]),
            "'use strict';\n  const b = '//'; // c\n\n  /** e */ b();\n/"
        );
    }
}
