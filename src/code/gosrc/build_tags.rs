//! The tags of a build, which no profile has: they are concluded from files of which it is known whether the build compiled
//! them.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::constraints::{CGO, Constraint};

/// The values of `GOOS` (Go's internal/syslist).
pub(super) const SYSTEMS: [&str; 18] = [
    "aix",
    "android",
    "darwin",
    "dragonfly",
    "freebsd",
    "hurd",
    "illumos",
    "ios",
    "js",
    "linux",
    "nacl",
    "netbsd",
    "openbsd",
    "plan9",
    "solaris",
    "wasip1",
    "windows",
    "zos",
];
/// The systems among them that are no Unix.
const NOT_UNIX: [&str; 6] = ["js", "nacl", "plan9", "wasip1", "windows", "zos"];
/// The values of `GOARCH`.
pub(super) const ARCHITECTURES: [&str; 24] = [
    "386",
    "amd64",
    "amd64p32",
    "arm",
    "arm64",
    "arm64be",
    "armbe",
    "loong64",
    "mips",
    "mips64",
    "mips64le",
    "mips64p32",
    "mips64p32le",
    "mipsle",
    "ppc",
    "ppc64",
    "ppc64le",
    "riscv",
    "riscv64",
    "s390",
    "s390x",
    "sparc",
    "sparc64",
    "wasm",
];

/// The newest Go whose release tags are taken for set where nothing tells the Go of the build.
const NEWEST_GO: u32 = 26;

/// The experiments that Go 1.26 sets by itself, beside those of [`with_register_arguments`].
const EXPERIMENTS: [&str; 3] = ["dwarf5", "greenteagc", "randomizedheapbase64"];

/// Most values of tags that the search tries before it takes the best ones so far.
const MOST_TRIED: usize = 20_000;

/// Most tags that files can tie together.
const MOST_TAGS: usize = 100;

/// The system and the tags of a build.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BuildTags {
    system: &'static str,
    architecture: &'static str,
    /// Minor version of the oldest Go that the build can have.
    oldest_go: u32,
    /// Other tags that are known, `cgo` among them: whether they are set.
    known: BTreeMap<String, bool>,
}

/// A file of which it is known whether it was compiled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ConstrainedFile {
    pub(crate) constraint: Constraint,
    pub(crate) is_compiled: bool,
}

/// A constraint, with the number of files that have it.
struct Evidence<'f> {
    constraint: &'f Constraint,
    is_compiled: bool,
    files: usize,
}

impl BuildTags {
    /// Returns the tags of Go on a system, as far as nothing else is known. `oldest_go` is the minor version of the Go that
    /// the `go.mod` asks for.
    fn of_system(system: &'static str, architecture: &'static str, oldest_go: u32) -> Self {
        Self { system, architecture, oldest_go, known: BTreeMap::new() }
    }

    /// Concludes the tags of a build from files of which it is known whether it compiled them: those by which most of these
    /// files are explained, and of several such ones those that differ least from Go's own on Linux and amd64.
    pub(crate) fn concluded(files: &[ConstrainedFile], oldest_go: u32) -> Self {
        let mut counted: BTreeMap<(&Constraint, bool), usize> = BTreeMap::new();
        for file in files {
            *counted.entry((&file.constraint, file.is_compiled)).or_default() += 1;
        }
        let evidence: Vec<Evidence<'_>> = counted
            .into_iter()
            .map(|((constraint, is_compiled), files)| Evidence { constraint, is_compiled, files })
            .collect();
        let mut tags = BTreeSet::new();
        for found in &evidence {
            found.constraint.add_tags(&mut tags);
        }
        let tags: BTreeSet<&str> = tags.into_iter().map(modern).collect();
        let of_list = |list: &[&'static str], first: &'static str| {
            let mentioned = list.iter().copied().filter(|word| *word != first && tags.contains(word));
            [first].into_iter().chain(mentioned).collect::<Vec<_>>()
        };
        let mut best: Option<(Cost, Self)> = None;
        let mut left = MOST_TRIED;
        for system in of_list(&SYSTEMS, "linux") {
            for architecture in of_list(&ARCHITECTURES, "amd64") {
                let start = Self::of_system(system, architecture, oldest_go);
                let (cost, found) = start.completed(&evidence, &tags, &mut left);
                if best.as_ref().is_none_or(|(least, _)| cost.0 < least.0) {
                    best = Some((cost, found));
                }
            }
        }
        best.expect("Linux is tried").1
    }

    /// Adds the free tags by which most files are explained. Returns the cost of all.
    fn completed(self, evidence: &[Evidence<'_>], tags: &BTreeSet<&str>, left: &mut usize) -> (Cost, Self) {
        let free: BTreeSet<&str> = tags.iter().copied().filter(|tag| self.is_free(tag)).collect();
        let (mut cost, mut known) = ((0, 0), BTreeMap::new());
        for part in Part::all(evidence, &free, &self) {
            let mut search = Search::new(&self, &part, left);
            search.run(0, 0);
            let ((wrong, others), values) = search.best.expect("a first assignment is always tried");
            cost = (cost.0 + wrong, cost.1 + others);
            known.extend(part.tags.iter().map(|tag| (*tag).to_owned()).zip(values));
        }
        (cost, Self { known, ..self })
    }

    /// Tells whether files say by a tag more than the system.
    fn is_free(&self, tag: &str) -> bool {
        let is_of_system =
            SYSTEMS.contains(&tag) || ARCHITECTURES.contains(&tag) || matches!(tag, "gc" | "gccgo" | "unix");
        let is_of_other = || {
            tag.split_once('.').is_some_and(|(of, _)| ARCHITECTURES.contains(&of) && of != self.architecture)
        };
        !is_of_system && !is_of_other() && release(tag).is_none_or(|minor| minor > self.oldest_go)
    }

    /// Tells whether a tag is set.
    pub(super) fn have(&self, tag: &str) -> bool {
        let tag = modern(tag);
        if let Some(is_set) = self.known.get(tag) {
            return *is_set;
        }
        // A known tag of a level speaks for those below or above it.
        if let Some((family, level)) = level(tag) {
            let of_family =
                self.known.iter().filter_map(|(known, is_set)| Some((self::level(known)?, *is_set)));
            for ((other, known), is_set) in of_family {
                if other == family && (is_set && known > level || !is_set && known < level) {
                    return is_set;
                }
            }
        }
        self.has_by_itself(tag)
    }

    /// Tells whether a tag is set where nothing is known but the system.
    fn has_by_itself(&self, tag: &str) -> bool {
        let (system, architecture) = (self.system, self.architecture);
        if let Some(minor) = release(tag) {
            return minor <= self.oldest_go.max(NEWEST_GO);
        }
        if let Some(experiment) = tag.strip_prefix("goexperiment.") {
            return EXPERIMENTS.contains(&experiment) && !(experiment == "dwarf5" && has_no_dwarf5(system))
                || matches!(experiment, "regabiwrappers" | "regabiargs")
                    && with_register_arguments(architecture);
        }
        if let Some((of, feature)) = tag.split_once('.') {
            return of == architecture && is_feature(of, feature);
        }
        tag == system
            || tag == architecture
            || matches!(tag, "gc" | CGO)
            || tag == "unix" && !NOT_UNIX.contains(&system)
            || matches!((tag, system), ("linux", "android") | ("solaris", "illumos") | ("darwin", "ios"))
    }

    /// Returns the system, the architecture, `cgo`, and the other tags that differ from Go's own, in words.
    pub(crate) fn words(&self) -> String {
        let mut words = vec![self.system.to_owned(), self.architecture.to_owned()];
        words.extend(self.have(CGO).then(|| CGO.to_owned()));
        let others =
            self.known.iter().filter(|(tag, is_set)| *tag != CGO && **is_set != self.has_by_itself(tag));
        words.extend(others.map(|(tag, is_set)| if *is_set { tag.clone() } else { format!("!{tag}") }));
        words.join(", ")
    }
}

/// Files that speak of some tags, and these tags, of which no other part has any.
struct Part<'f> {
    files: Vec<&'f Evidence<'f>>,
    tags: Vec<&'f str>,
}

impl<'f> Part<'f> {
    /// Parts the files by their free tags. The tags of each part begin with those of most files.
    fn all(evidence: &'f [Evidence<'f>], free: &BTreeSet<&'f str>, system: &BuildTags) -> Vec<Self> {
        let of_system = |tag: &str| (!free.contains(modern(tag))).then(|| system.have(tag));
        // Each tag points to another one of its part, or to itself.
        let mut part_of: BTreeMap<&str, &str> = free.iter().map(|tag| (*tag, *tag)).collect();
        let mut files_of: BTreeMap<&str, usize> = BTreeMap::new();
        let mut first_of_family: BTreeMap<&str, &str> = BTreeMap::new();
        for tag in free {
            let first = level(tag).map(|(family, _)| *first_of_family.entry(family).or_insert(tag));
            join(&mut part_of, tag, first.unwrap_or(tag));
        }
        let mut first_tags = Vec::new();
        for found in evidence {
            let mut own = BTreeSet::new();
            // A constraint that the system decides says nothing about tags.
            if found.constraint.value(&of_system).is_none() {
                found.constraint.add_tags(&mut own);
            }
            let own: Vec<&str> = own.iter().filter_map(|tag| free.get(modern(tag)).copied()).collect();
            for tag in &own {
                *files_of.entry(tag).or_default() += found.files;
                join(&mut part_of, tag, own[0]);
            }
            first_tags.push(own.first().copied());
        }
        let mut parts: BTreeMap<Option<&str>, Self> = BTreeMap::new();
        let empty = || Self { files: Vec::new(), tags: Vec::new() };
        for (found, first) in evidence.iter().zip(first_tags) {
            let part = first.map(|tag| root(&part_of, tag));
            parts.entry(part).or_insert_with(empty).files.push(found);
        }
        for tag in files_of.keys() {
            parts.entry(Some(root(&part_of, tag))).or_insert_with(empty).tags.push(tag);
        }
        for part in parts.values_mut() {
            part.tags.sort_by_key(|tag| std::cmp::Reverse(files_of[tag]));
            part.tags.truncate(MOST_TAGS);
        }
        parts.into_values().collect()
    }
}

/// Returns the tag that stands for the part of a tag.
fn root<'t>(part_of: &BTreeMap<&'t str, &'t str>, mut tag: &'t str) -> &'t str {
    while part_of[tag] != tag {
        tag = part_of[tag];
    }
    tag
}

fn join<'t>(part_of: &mut BTreeMap<&'t str, &'t str>, one: &'t str, other: &'t str) {
    let (one, other) = (root(part_of, one), root(part_of, other));
    part_of.insert(one, other);
}

/// The search for the values of the tags of a part by which most files are explained.
struct Search<'s> {
    system: &'s BuildTags,
    part: &'s Part<'s>,
    positions: HashMap<&'s str, usize>,
    values: Vec<Option<bool>>,
    best: Option<(Cost, Vec<bool>)>,
    /// Number of values that may still be tried.
    left: &'s mut usize,
}

/// The number of files that are not explained, and the number of tags that differ from Go's own.
type Cost = (usize, usize);

impl<'s> Search<'s> {
    fn new(system: &'s BuildTags, part: &'s Part<'s>, left: &'s mut usize) -> Self {
        let positions = part.tags.iter().enumerate().map(|(at, tag)| (*tag, at)).collect();
        Self { system, part, positions, values: vec![None; part.tags.len()], best: None, left }
    }

    /// Gives the tag at a position and those behind it each value, the one first that leaves fewer files unexplained.
    fn run(&mut self, at: usize, others: usize) {
        if at == self.values.len() {
            let cost = (self.wrong(), others);
            if self.best.as_ref().is_none_or(|(best, _)| cost < *best) {
                self.best = Some((cost, self.values.iter().map(|value| *value == Some(true)).collect()));
            }
            return;
        }
        let usual = self.system.has_by_itself(self.part.tags[at]);
        let mut tried = [(usual, others), (!usual, others + 1)].map(|(value, others)| {
            self.values[at] = Some(value);
            ((self.wrong(), others), value)
        });
        tried.sort_unstable();
        for (cost, value) in tried {
            self.values[at] = Some(value);
            let is_worse = |(best, _): &(Cost, Vec<bool>)| cost >= *best || *self.left == 0;
            if self.best.as_ref().is_some_and(is_worse) || !self.is_in_order(at) {
                continue;
            }
            *self.left = self.left.saturating_sub(1);
            self.run(at + 1, cost.1);
        }
        self.values[at] = None;
    }

    /// Tells whether the value of a tag fits those of other levels: a level has all below it.
    fn is_in_order(&self, at: usize) -> bool {
        let Some((family, own)) = level(self.part.tags[at]) else { return true };
        let value = self.values[at];
        self.part.tags.iter().zip(&self.values).all(|(tag, other)| match level(tag) {
            Some((of, level)) if of == family && level != own => {
                let (low, high) = if level < own { (*other, value) } else { (value, *other) };
                low != Some(false) || high != Some(true)
            }
            _ => true,
        })
    }

    /// Returns the number of files that are not explained, whatever the tags without a value are.
    fn wrong(&self) -> usize {
        let value = |tag: &str| match self.positions.get(modern(tag)) {
            Some(at) => self.values[*at],
            None => Some(self.system.have(tag)),
        };
        let is_wrong = |found: &&&Evidence<'_>| found.constraint.value(&value) == Some(!found.is_compiled);
        self.part.files.iter().filter(is_wrong).map(|found| found.files).sum()
    }
}

/// Returns the present name of a tag.
fn modern(tag: &str) -> &str {
    if tag == "boringcrypto" { "goexperiment.boringcrypto" } else { tag }
}

/// Returns the minor version of a tag such as `go1.21`. The first one is `go1.1`.
fn release(tag: &str) -> Option<u32> {
    tag.strip_prefix("go1.")?.parse().ok().filter(|minor| *minor > 0)
}

/// Returns the family and the level of a tag that includes the tags of lower levels, such as `amd64.v3` or `go1.21`.
fn level(tag: &str) -> Option<(&str, u32)> {
    let (family, level) = match tag {
        "riscv64.rva20u64" => return Some(("riscv64", 20)),
        "riscv64.rva22u64" => return Some(("riscv64", 22)),
        "riscv64.rva23u64" => return Some(("riscv64", 23)),
        _ => tag.split_at(tag.rfind(|letter: char| !letter.is_ascii_digit())? + 1),
    };
    let is_of_levels = matches!(
        family,
        "go1." | "amd64.v" | "arm." | "arm64.v8." | "arm64.v9." | "ppc64.power" | "ppc64le.power"
    );
    is_of_levels.then(|| level.parse().ok()).flatten().map(|level| (family, level))
}

/// Tells whether Go sets the tag of a feature of an architecture unless it is asked for another one (`go help buildconstraint`).
fn is_feature(architecture: &str, feature: &str) -> bool {
    matches!(
        (architecture, feature),
        ("386", "sse2")
            | ("amd64", "v1")
            | ("arm", "5" | "6" | "7")
            | ("arm64", "v8.0")
            | ("mips" | "mipsle" | "mips64" | "mips64le", "hardfloat")
            | ("ppc64" | "ppc64le", "power8")
            | ("riscv64", "rva20u64")
            | ("wasm", "satconv" | "signext")
    )
}

/// Tells whether Go passes arguments in registers there (internal/buildcfg).
fn with_register_arguments(architecture: &str) -> bool {
    matches!(architecture, "amd64" | "arm64" | "loong64" | "ppc64" | "ppc64le" | "riscv64" | "s390x")
}

/// Tells whether the linker of a system cannot read DWARF 5 (internal/buildcfg).
fn has_no_dwarf5(system: &str) -> bool {
    matches!(system, "darwin" | "ios" | "aix")
}

#[cfg(test)]
mod tests {
    use super::super::constraints::FileConstraint;
    use super::*;

    /// Concludes the tags from files: name, line, and whether it was compiled.
    fn concluded(files: &[(&str, &str, bool)]) -> BuildTags {
        let file = |(name, line, is_compiled): &(&str, &str, bool)| {
            let constraint = of_file(name, line).constraint.unwrap();
            ConstrainedFile { constraint, is_compiled: *is_compiled }
        };
        BuildTags::concluded(&files.iter().map(file).collect::<Vec<_>>(), 21)
    }

    fn of_file(name: &str, line: &str) -> FileConstraint {
        FileConstraint::of(name, format!("{line}\n\npackage p\n").as_bytes())
    }

    #[test]
    fn the_tags_of_a_build_follow_from_what_it_compiled() {
        for (files, words) in [
            (&[][..], "linux, amd64, cgo"),
            (
                &[("a_windows.go", "", true), ("a_linux.go", "", false), ("b_arm64.go", "", true)],
                "windows, arm64, cgo",
            ),
            (
                &[
                    ("a.go", "//go:build !cgo", true),
                    ("b.go", "//go:build enterprise && !lite", true),
                    ("c.go", "//go:build ignore", false),
                ],
                "linux, amd64, enterprise",
            ),
            (&[("a.go", "//go:build netgo && osusergo", true)], "linux, amd64, cgo, netgo, osusergo"),
            (&[("a.go", "//go:build !(netgo && osusergo)", false)], "linux, amd64, cgo, netgo, osusergo"),
            (&[("a.go", "//go:build windows && ee && !cgo", true)], "windows, amd64, ee"),
            // Tags that other files leave out are not taken.
            (
                &[("a.go", "//go:build a || b || c", true), ("b.go", "//go:build a || c", false)],
                "linux, amd64, cgo, b",
            ),
            (&[("a.go", "//go:build a || (b && c)", true)], "linux, amd64, cgo, a"),
            // Two builds of one commit contradict each other.
            (
                &[
                    ("a.go", "//go:build ee", true),
                    ("b.go", "//go:build !ee", true),
                    ("c.go", "//go:build ee", true),
                ],
                "linux, amd64, cgo, ee",
            ),
            (
                &[("a.go", "//go:build amd64.v3", true), ("b.go", "//go:build amd64.v2", true)],
                "linux, amd64, cgo, amd64.v2, amd64.v3",
            ),
            (&[("a.go", "//go:build boringcrypto", true)], "linux, amd64, cgo, goexperiment.boringcrypto"),
            (
                &[("a.go", "//go:build goexperiment.greenteagc", false)],
                "linux, amd64, cgo, !goexperiment.greenteagc",
            ),
            (&[("a.go", "//go:build go1.60", true)], "linux, amd64, cgo, go1.60"),
        ] {
            assert_eq!(concluded(files).words(), words, "{files:?}");
        }
    }

    #[test]
    fn a_level_has_those_below_it() {
        let v3 = concluded(&[("a.go", "//go:build amd64.v3", true), ("b.go", "//go:build go1.30", false)]);
        for (tag, is_set) in [
            ("amd64.v1", true),
            ("amd64.v2", true),
            ("amd64.v4", false),
            ("arm64.v8.0", false),
            ("go1.0", false),
            ("go1.26", true),
            ("go1.29", false),
            ("go1.30", false),
            ("go1.31", false),
        ] {
            assert_eq!(v3.have(tag), is_set, "{tag}");
        }
        let newer = concluded(&[("b.go", "//go:build go1.30", true), ("c.go", "//go:build !go1.32", true)]);
        assert!(
            newer.have("go1.29") && newer.have("go1.30") && !newer.have("go1.32") && !newer.have("go1.33")
        );
        let older = concluded(&[("b.go", "//go:build go1.24", false)]);
        assert!(older.have("go1.21") && !older.have("go1.24") && !older.have("go1.25"));
        assert!(BuildTags::concluded(&[], 40).have("go1.40"), "the go.mod asks for it");
        let arm = concluded(&[("a_arm.go", "", true), ("b.go", "//go:build arm.7", false)]);
        assert!(arm.have("arm.6") && !arm.have("arm.7") && !arm.have("amd64.v1"));
    }

    #[test]
    fn systems_imply_others() {
        let is_met = |line: &str, tags: &BuildTags| of_file("a.go", line).is_met(tags);
        assert!(is_met("//go:build linux && unix", &concluded(&[("a_android.go", "", true)])));
        assert!(is_met("//go:build !unix && !linux", &concluded(&[("a_windows.go", "", true)])));
    }

    #[test]
    fn many_tags_take_bounded_time() {
        let line = |from: usize| {
            let tags: Vec<String> = (from..from + 400).map(|number| format!("t{number}")).collect();
            format!("//go:build {} || ({})", tags.join(" || "), tags.join(" && "))
        };
        let lines: Vec<String> = (0..40).map(line).collect();
        let files: Vec<(&str, &str, bool)> =
            lines.iter().enumerate().map(|(at, line)| ("a.go", &**line, at % 2 == 0)).collect();
        assert!(concluded(&files).words().starts_with("linux, amd64, cgo"));
    }
}
