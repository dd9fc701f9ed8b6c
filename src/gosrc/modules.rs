//! Which file of a repository a name in a profile means.
//!
//! A profile names files by import path. What that is in the tree follows from the `go.mod` files of the
//! tree (nested modules, local replacements), its `vendor` folders, and, in a repository from before
//! modules, from where the names fit best. A name is looked up among the tree's files and nowhere else.

use std::collections::{BTreeMap, HashMap, HashSet};

/// Tells whether the modules of a tree are read from the file at this path.
#[must_use]
pub fn is_module_file(path: &str) -> bool {
    let name = path.rsplit_once('/').map_or(path, |(_, name)| name);
    name == "go.mod" || name == "go.work"
}

/// Where the import paths of a tree lie.
#[derive(Clone, Debug, Default)]
pub struct Modules {
    /// Folders by module path, the shallowest first.
    folders: BTreeMap<String, Vec<String>>,
    /// Folders that a `go.mod` makes a module of its own.
    roots: HashSet<String>,
    /// Local replacements.
    replaced: Vec<Replaced>,
    /// Folders called `vendor` that Go looks into, the shallowest first.
    vendored: Vec<String>,
}

/// A folder of the tree that stands for a module.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Replaced {
    /// The module whose `go.mod` says so; `None` for a `go.work`, which holds for all.
    by: Option<String>,
    module: String,
    folder: String,
}

impl Modules {
    /// Reads the modules of a tree: all its paths, and the text of each [`is_module_file`].
    ///
    /// Folders that Go leaves out of `./...` (`testdata`, those that begin with `_` or a dot) have modules that
    /// are called like real ones and are none; only a replacement leads there.
    #[must_use]
    pub fn new<'a>(
        paths: impl IntoIterator<Item = &'a str>,
        module_files: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Self {
        let mut found: Vec<(String, String)> = Vec::new();
        let (mut roots, mut workspaces) = (HashSet::new(), HashSet::new());
        let mut replaced = Vec::new();
        for (path, text) in module_files {
            let folder = parent(path);
            if is_set_apart(folder) {
                roots.insert(folder.to_owned());
                continue;
            }
            let file = ModuleFile::parse(text);
            if is_work(path) {
                workspaces.insert(folder.to_owned());
            } else {
                roots.insert(folder.to_owned());
                found.extend(file.module.clone().map(|module| (module, folder.to_owned())));
            }
            let by = file.module.filter(|_| !is_work(path));
            for (module, target) in file.replaced {
                let folder = joined(folder, &target);
                replaced.extend(folder.map(|folder| Replaced { by: by.clone(), module, folder }));
            }
        }
        found.sort_by_cached_key(|(_, folder)| (depth(folder), folder.clone()));
        let mut folders: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (module, folder) in found {
            folders.entry(module).or_default().push(folder);
        }
        let mut vendored = HashSet::new();
        let has_modules = !folders.is_empty();
        for path in paths {
            let Some(at) = position_of_vendor(path) else { continue };
            let owner = parent(&path[..at]);
            let is_looked_into = roots.contains(owner) || workspaces.contains(owner) || !has_modules;
            if is_looked_into && !is_set_apart(owner) {
                vendored.insert(&path[..at]);
            }
        }
        let mut vendored: Vec<String> = vendored.into_iter().map(str::to_owned).collect();
        vendored.sort_by_key(|folder| (folder.matches('/').count(), folder.clone()));
        Self { folders, roots, replaced, vendored }
    }

    /// Returns the path of each name in the tree; `None` for what is not there.
    ///
    /// `exists` tells whether the tree has a file at a path.
    #[must_use]
    pub fn resolve(&self, names: &[&str], exists: impl Fn(&str) -> bool) -> Vec<Option<String>> {
        let folders = self.folders_for(self.main_module(names));
        let mut paths: Vec<Option<String>> =
            names.iter().map(|name| self.path_by_modules(name, &folders, &exists)).collect();
        // Only without a module at the root may a part of the name that is nowhere written be guessed.
        if !self.roots.contains("") {
            let is_free = |name: &str| !folders.keys().any(|module| is_within(name, module));
            let (free, unknown): (Vec<&str>, Vec<Option<String>>) = names
                .iter()
                .zip(&paths)
                .filter(|(name, path)| path.is_none() && is_free(name))
                .map(|(name, path)| (*name, path.clone()))
                .unzip();
            let prefix = common_prefix(&free, &unknown, &exists);
            for (name, path) in names.iter().zip(&mut paths).filter(|(_, path)| path.is_none()) {
                *path = prefix
                    .filter(|_| is_free(name))
                    .and_then(|prefix| name.strip_prefix(prefix)?.strip_prefix('/'))
                    .filter(|rest| exists(rest))
                    .map(str::to_owned);
            }
        }
        paths
    }

    /// Returns the module that most names are of: the one that was built, as far as anybody can tell.
    fn main_module(&self, names: &[&str]) -> Option<&str> {
        let mut votes: BTreeMap<&str, usize> = BTreeMap::new();
        for name in names {
            let modules = self.folders.keys().filter(|module| is_within(name, module));
            if let Some(module) = modules.max_by_key(|module| module.len()) {
                *votes.entry(module).or_default() += 1;
            }
        }
        votes.into_iter().max_by_key(|(_, votes)| *votes).map(|(module, _)| module)
    }

    /// Returns where each module lies, the likeliest first: where the module that was built, or the workspace,
    /// says; where it is declared; where another module's replacement says, which Go does not heed.
    fn folders_for(&self, main: Option<&str>) -> BTreeMap<&str, Vec<&str>> {
        let mut folders: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        let is_heeded = |replaced: &&Replaced| replaced.by.is_none() || replaced.by.as_deref() == main;
        for replaced in self.replaced.iter().filter(is_heeded) {
            folders.entry(&replaced.module).or_default().push(&replaced.folder);
        }
        for (module, declared) in &self.folders {
            folders.entry(module).or_default().extend(declared.iter().map(String::as_str));
        }
        for replaced in self.replaced.iter().filter(|replaced| !is_heeded(replaced)) {
            folders.entry(&replaced.module).or_default().push(&replaced.folder);
        }
        folders
    }

    fn path_by_modules(
        &self,
        name: &str,
        folders: &BTreeMap<&str, Vec<&str>>,
        exists: &impl Fn(&str) -> bool,
    ) -> Option<String> {
        if !is_import_path(name) {
            return None;
        }
        // The longest module path that fits is the one that Go takes.
        let mut end = name.rfind('/');
        while let Some(at) = end {
            for folder in folders.get(&name[..at]).into_iter().flatten() {
                let path = within(folder, &name[at + 1..]);
                if exists(&path) && !self.crosses_a_root(folder, &path) {
                    return Some(path);
                }
            }
            end = name[..at].rfind('/');
        }
        let vendored = self.vendored.iter().map(|folder| within(folder, name));
        let workspace = self.folders.is_empty().then(|| [format!("src/{name}"), name.to_owned()]);
        vendored.chain(workspace.into_iter().flatten()).find(|path| exists(path))
    }

    /// Tells whether another module begins between the folder of one and a file below it.
    fn crosses_a_root(&self, module_folder: &str, path: &str) -> bool {
        let mut folder = parent(path);
        while folder.len() > module_folder.len() {
            if self.roots.contains(folder) {
                return true;
            }
            folder = parent(folder);
        }
        false
    }
}

/// Returns the import path of the tree's root that explains the most names, the longest of several.
fn common_prefix<'a>(
    names: &[&'a str],
    paths: &[Option<String>],
    exists: &impl Fn(&str) -> bool,
) -> Option<&'a str> {
    let mut votes: HashMap<&str, usize> = HashMap::new();
    let unknown = names.iter().zip(paths).filter(|(_, path)| path.is_none()).map(|(name, _)| *name);
    for name in unknown.filter(|name| is_import_path(name)) {
        for (at, _) in name.match_indices('/').filter(|(at, _)| exists(&name[at + 1..])) {
            *votes.entry(&name[..at]).or_default() += 1;
        }
    }
    let best = votes.into_iter().max_by_key(|(prefix, votes)| (*votes, prefix.len(), *prefix));
    best.map(|(prefix, _)| prefix)
}

/// What a `go.mod` or `go.work` says that matters here.
#[derive(Debug, Default, PartialEq, Eq)]
struct ModuleFile {
    module: Option<String>,
    /// Module paths, and the folders of this repository that stand for them.
    replaced: Vec<(String, String)>,
}

impl ModuleFile {
    fn parse(text: &str) -> Self {
        let mut file = Self::default();
        let mut block: Option<String> = None;
        for line in text.trim_start_matches('\u{feff}').lines() {
            let words = words(line);
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            match (&block, &words[..]) {
                (Some(_), [")"]) => block = None,
                (None, [verb, "("]) => block = Some((*verb).to_owned()),
                (Some(verb), arguments) => file.directive(verb, arguments),
                (None, [verb, arguments @ ..]) => file.directive(verb, arguments),
                (None, []) => {}
            }
        }
        file
    }

    fn directive(&mut self, verb: &str, arguments: &[&str]) {
        match (verb, arguments) {
            ("module", [path]) => self.module = Some((*path).to_owned()),
            ("replace", [module, "=>", target] | [module, _, "=>", target])
                if target.starts_with("./") || target.starts_with("../") || matches!(*target, "." | "..") =>
            {
                self.replaced.push(((*module).to_owned(), (*target).to_owned()));
            }
            _ => {}
        }
    }
}

/// Splits a line into words; quotes are taken off, a comment ends it.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut rest = line.trim_start();
    while !rest.is_empty() && !rest.starts_with("//") {
        let quote = rest.chars().next().filter(|first| matches!(first, '"' | '`'));
        let (word, after) = match quote {
            Some(quote) => rest[1..].split_once(quote).unwrap_or((&rest[1..], "")),
            None if rest.starts_with(['(', ')']) => rest.split_at(1),
            None => {
                let end = rest.find(|c: char| c.is_whitespace() || c == '(' || c == ')');
                let end = end.into_iter().chain(rest.find("//").filter(|at| *at > 0)).min();
                rest.split_at(end.unwrap_or(rest.len()))
            }
        };
        words.push(word.to_owned());
        rest = after.trim_start();
    }
    words
}

fn is_work(path: &str) -> bool {
    path.ends_with("go.work")
}

/// Returns the folder of a path, `""` for the root.
fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

fn depth(folder: &str) -> usize {
    if folder.is_empty() { 0 } else { 1 + folder.matches('/').count() }
}

/// Tells whether a name is of a module.
fn is_within(name: &str, module: &str) -> bool {
    name.strip_prefix(module).is_some_and(|rest| rest.starts_with('/'))
}

fn within(folder: &str, rest: &str) -> String {
    if folder.is_empty() { rest.to_owned() } else { format!("{folder}/{rest}") }
}

/// Joins a relative path to a folder; `None` where it leaves the repository.
fn joined(folder: &str, relative: &str) -> Option<String> {
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in relative.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

/// Folders that Go itself leaves out of `./...`.
fn is_set_apart(folder: &str) -> bool {
    folder
        .split('/')
        .any(|part| matches!(part, "testdata" | "vendor") || part.starts_with('_') || part.starts_with('.'))
}

/// Returns the length of a path up to and with its first folder called `vendor`.
fn position_of_vendor(path: &str) -> Option<usize> {
    const VENDOR: &str = "vendor";
    if path.starts_with("vendor/") {
        return Some(VENDOR.len());
    }
    path.find("/vendor/").map(|at| at + 1 + VENDOR.len())
}

/// Tells whether a name is an import path and a file: not absolute, not relative, nothing that climbs.
fn is_import_path(name: &str) -> bool {
    name.split('/').all(|part| !matches!(part, "" | "." | ".." | "_"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Resolves one name in a tree of these paths; a path with a text is a module file.
    fn resolve(tree: &[(&str, &str)], names: &[&str]) -> Vec<Option<String>> {
        let paths = || tree.iter().map(|(path, _)| *path);
        let files = tree.iter().filter(|(path, _)| is_module_file(path)).copied();
        Modules::new(paths(), files).resolve(names, |path| paths().any(|known| known == path))
    }

    fn some(paths: &[&str]) -> Vec<Option<String>> {
        paths.iter().map(|path| (!path.is_empty()).then(|| (*path).to_owned())).collect()
    }

    #[test]
    fn the_innermost_module_has_the_file() {
        let tree = [
            ("go.mod", "module example.com/a // the root\n"),
            ("x.go", ""),
            ("api/go.mod", "module \"example.com/a/api\"\n"),
            ("api/y.go", ""),
            ("other/go.mod", "module (\n\texample.com/b/v2\n)\n"),
            ("other/pkg/z.go", ""),
            ("testdata/go.mod", "module example.com/a\n"),
            ("testdata/t.go", ""),
        ];
        let names = [
            "example.com/a/x.go",
            "example.com/a/api/y.go",
            "example.com/b/v2/pkg/z.go",
            "example.com/a/other/pkg/z.go",
            "example.com/b/pkg/z.go",
            "example.com/a/t.go",
        ];
        assert_eq!(resolve(&tree, &names), some(&["x.go", "api/y.go", "other/pkg/z.go", "", "", ""]));
    }

    #[test]
    fn replacements_workspaces_and_vendored_packages_are_found() {
        let tree = [
            ("go.work", "go 1.22\nuse (\n\t./svc\n)\nreplace example.com/w v1.0.0 => ./libs/w\n"),
            ("svc/go.mod", "module example.com/svc\nreplace (\n\texample.com/l => ../libs/l // near\n)\n"),
            ("svc/main.go", ""),
            ("svc/vendor/github.com/x/y/y.go", ""),
            ("libs/l/l.go", ""),
            ("libs/w/go.mod", "module example.com/w"),
            ("libs/w/w.go", ""),
        ];
        let names =
            ["example.com/svc/main.go", "github.com/x/y/y.go", "example.com/l/l.go", "example.com/w/w.go"];
        let wanted = ["svc/main.go", "svc/vendor/github.com/x/y/y.go", "libs/l/l.go", "libs/w/w.go"];
        assert_eq!(resolve(&tree, &names), some(&wanted));
    }

    #[test]
    fn what_only_looks_like_a_module_or_a_vendored_package_is_none() {
        let tree = [
            ("go.mod", "module example.com/a\n"),
            ("testdata/go.mod", "module example.com/a\n"),
            ("testdata/made.go", ""),
            ("testdata/vendor/github.com/x/y/y.go", ""),
            ("_stub/lib/go.mod", "module example.com/lib\n"),
            ("_stub/lib/lib.go", ""),
            ("pkg/vendor/github.com/x/z/z.go", ""),
        ];
        let names =
            ["example.com/a/made.go", "github.com/x/y/y.go", "example.com/lib/lib.go", "github.com/x/z/z.go"];
        assert_eq!(resolve(&tree, &names), some(&[""; 4]));
    }

    #[test]
    fn a_replacement_of_the_module_that_was_built_comes_before_a_declaration() {
        let tree = [
            ("go.mod", "module example.com/a\nreplace example.com/lib => ./forks/lib\n"),
            ("main.go", ""),
            ("lib/go.mod", "module example.com/lib\nreplace example.com/a => ../other\n"),
            ("lib/lib.go", ""),
            ("lib/more.go", ""),
            ("forks/lib/lib.go", ""),
            ("other/main.go", ""),
            ("tools/go.mod", "module example.com/tools\nreplace example.com/far => ../far\n"),
            ("far/far.go", ""),
        ];
        let names = [
            "example.com/a/main.go",
            "example.com/lib/lib.go",
            "example.com/lib/more.go",
            "example.com/far/far.go",
        ];
        // Names of two modules are equally many here; the later by name would be taken for the one built.
        let names = [&names[..], &["example.com/a/gone1.go", "example.com/a/gone2.go"]].concat();
        assert_eq!(
            resolve(&tree, &names)[..4],
            some(&["main.go", "forks/lib/lib.go", "lib/more.go", "far/far.go"])
        );
    }

    #[test]
    fn a_module_below_does_not_hide_a_repository_without_modules() {
        let tree = [
            ("main.go", ""),
            ("pkg/a.go", ""),
            ("tools/go.mod", "module example.com/tools\n"),
            ("tools/t.go", ""),
        ];
        let names = ["github.com/org/repo/main.go", "github.com/org/repo/pkg/a.go", "example.com/tools/t.go"];
        assert_eq!(resolve(&tree, &names), some(&["main.go", "pkg/a.go", "tools/t.go"]));
    }

    #[test]
    fn without_modules_the_prefix_that_explains_most_is_taken() {
        let tree = [("main.go", ""), ("pkg/a.go", ""), ("pkg/util/u.go", ""), ("src/github.com/q/q.go", "")];
        let names = [
            "github.com/org/repo/main.go",
            "github.com/org/repo/pkg/a.go",
            "github.com/org/repo/pkg/util/u.go",
            "github.com/else/pkg/a.go",
            "github.com/q/q.go",
        ];
        assert_eq!(
            resolve(&tree, &names),
            some(&["main.go", "pkg/a.go", "pkg/util/u.go", "", "src/github.com/q/q.go"])
        );
    }

    #[test]
    fn a_name_that_climbs_or_is_absolute_means_nothing() {
        let tree = [("go.mod", "module m"), ("etc/passwd", ""), ("a.go", "")];
        let names =
            ["../../etc/passwd", "m/../m/a.go", "/etc/passwd", "./a.go", "m//a.go", "_/m/a.go", "", "m"];
        assert_eq!(resolve(&tree, &names), some(&[""; 8]));
        assert_eq!(joined("a/b", "../../../c"), None);
    }
}
