//! The search for the file of a repository that a name in a profile means.
//!
//! A profile names files by import path. A repository may have several modules, even with the same path, and the
//! meaning of a name depends on the module that was built: its own folder, the modules that its `go.mod` or a `go.work`
//! replaces or uses, and its `vendor` folder, as in the go command (go.dev/ref/mod). Only the names show which module
//! was built: it is the one by which most of them are found. A name is only looked up among the files of the tree.

mod build;

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet, HashSet};

use super::modfile::ModuleFile;
use super::packages::path_in_module;
use super::paths::{
    common_prefix, depth, is_import_path, is_set_apart, is_within, is_work, joined, parent,
    position_of_vendor, within,
};
use build::BuildList;

/// The module of Go's own library, whose packages are named without it.
const STD: &str = "std";

/// Tells whether the modules of a tree are read from the file at this path.
#[must_use]
pub(crate) fn is_module_file(path: &str) -> bool {
    let name = path.rsplit_once('/').map_or(path, |(_, name)| name);
    name == "go.mod" || name == "go.work"
}

/// Tells whether a file at this path, if it is new, gone or another one, can give the names in a tree another meaning.
#[must_use]
pub(crate) fn concerns_modules(path: &str) -> bool {
    is_module_file(path) || path.split('/').any(|part| part == "vendor")
}

/// The folders of a tree by their import paths.
#[derive(Clone, Debug, Default)]
pub(crate) struct Modules {
    /// All `go.mod` files that Go reads, by folder.
    files: BTreeMap<String, ModuleFile>,
    /// All `go.work` files, by folder.
    workspaces: BTreeMap<String, ModuleFile>,
    /// Folders by module path, the shallowest first.
    folders: BTreeMap<String, Vec<String>>,
    /// Folders with a `go.mod`, each of which is a module.
    roots: HashSet<String>,
    /// Folders called `vendor` that Go reads, the shallowest first.
    vendored: Vec<String>,
    /// Vendor folders with a `modules.txt`, which every one of a module has since Go 1.14.
    listed_vendored: HashSet<String>,
}

/// The meaning of import paths.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ResolvedPaths {
    /// The path of each name in the tree; `None` if the tree lacks the file.
    pub paths: Vec<Option<String>>,
    /// Modules for which several folders fit the names.
    pub ambiguous: Vec<AmbiguousModule>,
}

/// A module whose named files are in several folders: each is one of the module, or one of another module that builds the same
/// names, such as that of a vendored package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AmbiguousModule {
    /// Path of the module.
    pub module: String,
    /// The folder that is used; empty for the root.
    pub taken: String,
    /// The other folders, each behind the path of its module.
    pub others: Vec<(String, String)>,
}

impl Modules {
    /// Tells whether the module of a file has Go leave its folder out of `./...`.
    pub(crate) fn ignore(&self, path: &str) -> bool {
        let mut folder = parent(path);
        while !folder.is_empty() && !self.roots.contains(folder) {
            folder = parent(folder);
        }
        let module = self.files.get(folder);
        module.is_some_and(|module| module.ignores(parent(path_in_module(path, folder))))
    }

    /// Returns the minor version of Go that the `go.mod` of a folder asks for.
    pub(crate) fn go_minor(&self, folder: &str) -> Option<u32> {
        self.files.get(folder)?.go_minor
    }

    /// Reads the modules of a tree from all its paths, and from the text of each [`is_module_file`].
    ///
    /// Folders that Go leaves out of `./...` (`testdata`, and names that begin with `_` or a dot) may have modules with
    /// the paths of real ones. Only a replacement leads to these.
    #[must_use]
    pub(crate) fn new<'a>(
        paths: impl IntoIterator<Item = &'a str>,
        module_files: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Self {
        let mut modules = Self::default();
        for (path, text) in module_files {
            let folder = parent(path);
            match (is_work(path), is_set_apart(folder)) {
                (true, true) => {}
                (true, false) => {
                    modules.workspaces.insert(folder.to_owned(), ModuleFile::parse(text));
                }
                (false, is_set_apart) => {
                    modules.roots.insert(folder.to_owned());
                    if !is_set_apart {
                        modules.files.insert(folder.to_owned(), ModuleFile::parse(text));
                    }
                }
            }
        }
        let mut by_depth: Vec<(&String, &ModuleFile)> = modules.files.iter().collect();
        by_depth.sort_by_key(|(folder, _)| depth(folder));
        for (folder, file) in by_depth {
            if let Some(module) = &file.module {
                modules.folders.entry(module.clone()).or_default().push(folder.clone());
            }
        }
        let mut vendored = HashSet::new();
        let has_modules = !modules.folders.is_empty();
        for path in paths {
            let Some(at) = position_of_vendor(path) else { continue };
            let (folder, owner) = (&path[..at], parent(&path[..at]));
            let is_of_module = modules.roots.contains(owner) || modules.workspaces.contains_key(owner);
            if (is_of_module || !has_modules) && !is_set_apart(owner) {
                vendored.insert(folder);
                if &path[at..] == "/modules.txt" {
                    modules.listed_vendored.insert(folder.to_owned());
                }
            }
        }
        modules.vendored = vendored.into_iter().map(str::to_owned).collect();
        modules.vendored.sort_by_key(|folder| (folder.matches('/').count(), folder.clone()));
        modules
    }

    /// Returns the file in the tree that each name means.
    ///
    /// `exists` tells whether the tree has a file at a path.
    #[must_use]
    pub(crate) fn resolve(&self, names: &[&str], exists: impl Fn(&str) -> bool) -> ResolvedPaths {
        let (build, mut ambiguous) = self.build_of(names, &exists);
        let mut paths: Vec<Option<String>> =
            names.iter().map(|name| self.path_in(&build, name, &exists)).collect();
        let open: Vec<usize> = (0..names.len()).filter(|&at| paths[at].is_none()).collect();
        let elsewhere = self.declared(names, &open, &build, &exists, &mut ambiguous);
        for &at in &open {
            paths[at] = self.path_elsewhere(&build, &elsewhere, names[at], &exists);
        }
        // A prefix of the names that no file declares is guessed only without a module at the root.
        if !self.roots.contains("") {
            let replaced =
                || self.all_files().flat_map(|file| &file.replaced).map(|replaced| &replaced.module);
            let is_free =
                |name: &str| !self.folders.keys().chain(replaced()).any(|module| is_within(name, module));
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
        ResolvedPaths { paths, ambiguous }
    }

    fn all_files(&self) -> impl Iterator<Item = &ModuleFile> {
        self.workspaces.values().chain(self.files.values())
    }

    /// Finds the built module or workspace: the one by which most names are found.
    fn build_of(
        &self,
        names: &[&str],
        exists: &impl Fn(&str) -> bool,
    ) -> (BuildList<'_>, Vec<AmbiguousModule>) {
        let mut tried = HashSet::new();
        let mut best: Option<TriedBuildList<'_>> = None;
        let mut rivals = Vec::new();
        for (module, folder) in self.named_modules(names, exists) {
            let workspace = self.workspace_of(folder);
            if workspace.is_some_and(|workspace| !tried.insert(workspace)) {
                continue;
            }
            let build = match workspace {
                Some(workspace) => self.build_of_workspace(workspace),
                None => self.build_of_module(module, folder),
            };
            let paths: Vec<Option<String>> =
                names.iter().map(|name| self.path_in(&build, name, exists)).collect();
            let found = paths.iter().flatten().count();
            let is_required = |name: &&&str| build.required.iter().any(|module| is_within(name, module));
            let lacking = names.iter().zip(&paths).filter(|(_, path)| path.is_none()).map(|(name, _)| name);
            let may_be_found = lacking.filter(is_required).count();
            let this = TriedBuildList { rank: (found + may_be_found, found), module, folder, build, paths };
            match best.as_ref().map_or(Ordering::Greater, |best| this.rank.cmp(&best.rank)) {
                Ordering::Greater => {
                    best = Some(this);
                    rivals.clear();
                }
                Ordering::Equal => rivals.push(this),
                Ordering::Less => {}
            }
        }
        let Some(best) = best else { return (BuildList::default(), Vec::new()) };
        let differs = |rival: &&TriedBuildList<'_>| {
            let mut pairs = best.paths.iter().zip(&rival.paths);
            pairs.any(|(one, other)| one.is_some() && other.is_some() && one != other)
        };
        let others: Vec<(String, String)> = rivals
            .iter()
            .filter(differs)
            .map(|rival| (rival.module.to_owned(), rival.folder.to_owned()))
            .collect();
        let ambiguous = match others.is_empty() {
            true => Vec::new(),
            false => vec![AmbiguousModule {
                module: best.module.to_owned(),
                taken: best.folder.to_owned(),
                others,
            }],
        };
        (best.build, ambiguous)
    }

    /// Returns the modules with named files, each with its folders, the shallowest first.
    fn named_modules(&self, names: &[&str], exists: &impl Fn(&str) -> bool) -> Vec<(&str, &str)> {
        let mut found = BTreeSet::new();
        for name in names.iter().filter(|name| is_import_path(name)) {
            for (at, _) in name.match_indices('/') {
                found.extend(self.folders.get_key_value(&name[..at]).map(|(module, _)| module.as_str()));
            }
        }
        if let Some((std, folders)) = self.folders.get_key_value(STD) {
            let has = |name: &str| folders.iter().any(|folder| exists(&within(folder, name)));
            found.extend(names.iter().any(|name| is_import_path(name) && has(name)).then_some(std.as_str()));
        }
        let mut modules: Vec<(&str, &str)> = found
            .into_iter()
            .flat_map(|module| self.folders[module].iter().map(move |folder| (module, folder.as_str())))
            .collect();
        modules.sort_by_key(|(_, folder)| (depth(folder), *folder));
        modules
    }

    /// Returns the folder of a module's workspace: the nearest one above it, if that uses the module.
    fn workspace_of(&self, folder: &str) -> Option<&str> {
        let mut above = folder;
        loop {
            if let Some((workspace, file)) = self.workspaces.get_key_value(above) {
                let mut used = file.used.iter().filter_map(|used| joined(workspace, used));
                return used.any(|used| used == folder).then_some(workspace.as_str());
            }
            if above.is_empty() {
                return None;
            }
            above = parent(above);
        }
    }

    /// Returns the path of a name in a build.
    fn path_in(&self, build: &BuildList<'_>, name: &str, exists: &impl Fn(&str) -> bool) -> Option<String> {
        if !is_import_path(name) {
            return None;
        }
        let in_folder = |folder: &str, rest: &str| {
            let path = within(folder, rest);
            (exists(&path) && !self.crosses_a_root(folder, &path)).then_some(path)
        };
        // Go takes the longest module path that fits.
        let mut end = name.rfind('/');
        while let Some(at) = end {
            let folder = build.certain.get(&name[..at]).and_then(Option::as_deref);
            let is_main = || build.vendor.is_none() || !build.replaced.contains(&name[..at]);
            if let Some(path) =
                folder.filter(|_| is_main()).and_then(|folder| in_folder(folder, &name[at + 1..]))
            {
                return Some(path);
            }
            end = name[..at].rfind('/');
        }
        let std = build.certain.get(STD).and_then(Option::as_deref);
        let vendored =
            || build.vendor.as_deref().map(|vendor| within(vendor, name)).filter(|path| exists(path));
        std.and_then(|folder| in_folder(folder, name)).or_else(vendored)
    }

    /// Returns the folders of modules that a build leaves open, by the declarations in the repository. Of several
    /// folders the first with most of the named files is taken.
    fn declared<'m>(
        &'m self,
        names: &[&str],
        open: &[usize],
        build: &BuildList<'_>,
        exists: &impl Fn(&str) -> bool,
        ambiguous: &mut Vec<AmbiguousModule>,
    ) -> BTreeMap<&'m str, &'m str> {
        let mut of_module: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for name in open.iter().map(|&at| names[at]).filter(|name| is_import_path(name)) {
            for (at, _) in name.match_indices('/') {
                if let Some((module, _)) = self.folders.get_key_value(&name[..at]) {
                    of_module.entry(module).or_default().push(&name[at + 1..]);
                }
            }
        }
        of_module.retain(|module, _| !build.certain.contains_key(module));
        let mut declared = BTreeMap::new();
        for (module, rests) in of_module {
            let found = |folder: &String| {
                let has = |rest: &&&str| {
                    let path = within(folder, rest);
                    exists(&path) && !self.crosses_a_root(folder, &path)
                };
                rests.iter().filter(has).count()
            };
            let found: Vec<(usize, &str)> =
                self.folders[module].iter().map(|folder| (found(folder), folder.as_str())).collect();
            let most = found.iter().map(|(number, _)| *number).max().unwrap_or(0);
            let mut best = found.iter().filter(|(number, _)| *number == most).map(|(_, folder)| *folder);
            let Some(taken) = best.next().filter(|_| most > 0) else { continue };
            let others: Vec<(String, String)> =
                best.map(|folder| (module.to_owned(), folder.to_owned())).collect();
            if !others.is_empty() {
                ambiguous.push(AmbiguousModule {
                    module: module.to_owned(),
                    taken: taken.to_owned(),
                    others,
                });
            }
            declared.insert(module, taken);
        }
        declared
    }

    /// Returns the path of a name that the build lacks: in a module of the repository, in a folder of another module's
    /// replacement, or in any `vendor` folder.
    fn path_elsewhere(
        &self,
        build: &BuildList<'_>,
        declared: &BTreeMap<&str, &str>,
        name: &str,
        exists: &impl Fn(&str) -> bool,
    ) -> Option<String> {
        if !is_import_path(name) {
            return None;
        }
        let mut end = name.rfind('/');
        while let Some(at) = end {
            let (module, rest) = (&name[..at], &name[at + 1..]);
            // A module whose folder in the build is certain is not searched in other folders.
            let is_open = !build.certain.contains_key(module);
            let folders = declared.get(module).map(|folder| (*folder).to_owned()).into_iter();
            for folder in folders.chain(self.replaced_anywhere(module)).filter(|_| is_open) {
                let path = within(&folder, rest);
                if exists(&path) && !self.crosses_a_root(&folder, &path) {
                    return Some(path);
                }
            }
            end = name[..at].rfind('/');
        }
        let is_certain = build.certain.keys().any(|module| is_within(name, module));
        let vendored = self.vendored.iter().filter(|_| build.vendor.is_none() && !is_certain);
        let vendored = vendored.map(|folder| within(folder, name));
        let workspace = self.folders.is_empty().then(|| [format!("src/{name}"), name.to_owned()]);
        vendored.chain(workspace.into_iter().flatten()).find(|path| exists(path))
    }

    /// Returns the folders that any replacement gives for a module.
    fn replaced_anywhere(&self, module: &str) -> Vec<String> {
        let files = self.workspaces.iter().chain(&self.files);
        let folders = files.flat_map(|(folder, file)| {
            let of_module = file.replaced.iter().filter(|replaced| replaced.module == module);
            of_module.filter_map(|replaced| joined(folder, replaced.folder.as_ref()?))
        });
        folders.collect()
    }

    /// Tells whether another module begins between a module's folder and a file below it.
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

/// A build with the names that it finds.
struct TriedBuildList<'m> {
    /// Number of names that the build finds with the modules that it requires, and without them.
    rank: (usize, usize),
    module: &'m str,
    folder: &'m str,
    build: BuildList<'m>,
    paths: Vec<Option<String>>,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Resolves names in a tree of these paths; a path with a text is a module file.
    fn resolved(tree: &[(&str, &str)], names: &[&str]) -> ResolvedPaths {
        let paths = || tree.iter().map(|(path, _)| *path);
        let files = tree.iter().filter(|(path, _)| is_module_file(path)).copied();
        Modules::new(paths(), files).resolve(names, |path| paths().any(|known| known == path))
    }

    fn resolve(tree: &[(&str, &str)], names: &[&str]) -> Vec<Option<String>> {
        let ResolvedPaths { paths, ambiguous } = resolved(tree, names);
        assert_eq!(ambiguous, []);
        paths
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
            ("more.go", ""),
            ("third.go", ""),
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
            "example.com/a/more.go",
            "example.com/a/third.go",
            "example.com/lib/lib.go",
            "example.com/lib/more.go",
            "example.com/far/far.go",
        ];
        // Two folders of one module are never mixed.
        let wanted = ["main.go", "more.go", "third.go", "forks/lib/lib.go", "", "far/far.go"];
        assert_eq!(resolve(&tree, &names), some(&wanted));
    }

    #[test]
    fn a_vendored_package_is_also_that_of_its_own_module() {
        let tree = [
            ("go.mod", "module app\nrequire app/sub v0.0.0\nreplace app/sub => ./sub\n"),
            ("main.go", ""),
            ("sub/go.mod", "module app/sub\n"),
            ("sub/k/k.go", ""),
            ("vendor/modules.txt", ""),
            ("vendor/app/sub/k/k.go", ""),
        ];
        let alone = resolved(&tree, &["app/sub/k/k.go"]);
        assert_eq!(alone.paths, some(&["vendor/app/sub/k/k.go"]));
        let doubt = AmbiguousModule {
            module: "app".to_owned(),
            taken: String::new(),
            others: vec![("app/sub".to_owned(), "sub".to_owned())],
        };
        assert_eq!(alone.ambiguous, [doubt]);
        let names = ["app/main.go", "app/sub/k/k.go"];
        assert_eq!(resolve(&tree, &names), some(&["main.go", "vendor/app/sub/k/k.go"]));
    }

    #[test]
    fn of_two_modules_of_one_name_the_one_that_has_all_files_is_meant() {
        let tree = [
            ("svc/one/go.mod", "module app\n"),
            ("svc/one/main.go", ""),
            ("svc/one/x/x.go", ""),
            ("svc/two/go.mod", "module app\n"),
            ("svc/two/main.go", ""),
            ("svc/two/y/y.go", ""),
        ];
        assert_eq!(
            resolve(&tree, &["app/main.go", "app/y/y.go"]),
            some(&["svc/two/main.go", "svc/two/y/y.go"])
        );
        let nowhere = ["app/main.go", "app/x/x.go", "app/gone.go", "app/x/none.go"];
        assert_eq!(resolve(&tree, &nowhere), some(&["svc/one/main.go", "svc/one/x/x.go", "", ""]));
        let both = resolved(&tree, &["app/main.go"]);
        assert_eq!(both.paths, some(&["svc/one/main.go"]));
        let doubt = AmbiguousModule {
            module: "app".to_owned(),
            taken: "svc/one".to_owned(),
            others: vec![("app".to_owned(), "svc/two".to_owned())],
        };
        assert_eq!(both.ambiguous, [doubt]);
        // Files are never mixed from several folders of which none has all.
        let mixed = resolved(&tree, &["app/main.go", "app/x/x.go", "app/y/y.go"]);
        assert_eq!(mixed.paths, some(&["svc/one/main.go", "svc/one/x/x.go", ""]));
        assert_eq!(mixed.ambiguous.len(), 1);
    }

    #[test]
    fn a_library_that_lies_in_two_folders_is_doubted_where_nothing_tells_which_is_built() {
        let tree = [
            ("svc/go.mod", "module a.com/svc\nrequire a.com/lib v1.0.0\n"),
            ("svc/s.go", ""),
            ("lib/go.mod", "module a.com/lib\n"),
            ("lib/l.go", ""),
            ("old/lib/go.mod", "module a.com/lib\n"),
            ("old/lib/l.go", ""),
            ("old/lib/gone.go", ""),
        ];
        let names = ["a.com/svc/s.go", "a.com/lib/l.go"];
        let resolved_names = resolved(&tree, &names);
        assert_eq!(resolved_names.paths, some(&["svc/s.go", "lib/l.go"]));
        assert_eq!(resolved_names.ambiguous[0].others, [("a.com/lib".to_owned(), "old/lib".to_owned())]);
        let names = ["a.com/svc/s.go", "a.com/lib/l.go", "a.com/lib/gone.go"];
        assert_eq!(resolve(&tree, &names), some(&["svc/s.go", "old/lib/l.go", "old/lib/gone.go"]));
    }

    #[test]
    fn replacements_hold_as_the_go_command_has_them() {
        let with = |go_mod: &'static str| {
            [
                ("go.mod", go_mod),
                ("a.go", ""),
                ("x1/go.mod", "module o.com/x\n"),
                ("x1/l.go", ""),
                ("x2/go.mod", "module o.com/x\n"),
                ("x2/l.go", ""),
            ]
        };
        let cases = [
            // Of two versions the required one is taken.
            (
                "require o.com/x v1.2.0\nreplace (\n\to.com/x v1.1.0 => ./x1\n\to.com/x v1.2.0 => ./x2\n)",
                "x2/l.go",
            ),
            (
                "require o.com/x v1.1.0\nreplace (\n\to.com/x v1.1.0 => ./x1\n\to.com/x v1.2.0 => ./x2\n)",
                "x1/l.go",
            ),
            // A replacement of a version that is not required is ignored, and a replacement of all versions is used.
            ("require o.com/x v1.2.0\nreplace o.com/x v1.1.0 => ./x1\nreplace o.com/x => ./x2", "x2/l.go"),
            // A replace of the version comes before a replace of all versions.
            ("require o.com/x v1.1.0\nreplace o.com/x => ./x2\nreplace o.com/x v1.1.0 => ./x1", "x1/l.go"),
            // A module that is replaced by a remote one is not in this repository.
            ("require o.com/x v1.2.0\nreplace o.com/x => fork.com/x v1.0.0", ""),
        ];
        for (says, wanted) in cases {
            let go_mod: &'static str = format!("module ex.com/m\ngo 1.21\n{says}\n").leak();
            let found = resolve(&with(go_mod), &["ex.com/m/a.go", "o.com/x/l.go"]);
            assert_eq!(found, some(&["a.go", wanted]), "{says}");
        }
    }

    #[test]
    fn what_a_workspace_uses_comes_before_replacements() {
        let tree = [
            ("go.work", "go 1.21\nuse (\n.\n./x\n)\n"),
            ("go.mod", "module ex.com/m\nrequire o.com/x v1.2.0\nreplace o.com/x => ./fork\n"),
            ("a.go", ""),
            ("fork/go.mod", "module o.com/x\n"),
            ("fork/l.go", ""),
            ("x/go.mod", "module o.com/x\n"),
            ("x/l.go", ""),
        ];
        let names = ["ex.com/m/a.go", "o.com/x/l.go"];
        assert_eq!(resolve(&tree, &names), some(&["a.go", "x/l.go"]));
        let elsewhere = [("go.work", "use ./x\n")];
        let tree = [&elsewhere[..], &tree[1..]].concat();
        assert_eq!(resolve(&tree, &names), some(&["a.go", "fork/l.go"]), "a workspace without this module");
    }

    #[test]
    fn a_nested_module_that_is_not_built_hides_no_folder() {
        let tree = [
            ("go.mod", "module ex.com/m\n"),
            ("a.go", ""),
            ("sub/l.go", ""),
            ("tools/go.mod", "module ex.com/m/sub\n"),
            ("tools/l.go", ""),
        ];
        assert_eq!(resolve(&tree, &["ex.com/m/a.go", "ex.com/m/sub/l.go"]), some(&["a.go", "sub/l.go"]));
    }

    #[test]
    fn packages_come_from_the_vendor_folder_of_the_module_that_was_built() {
        let tree = [
            ("other/go.mod", "module ex.com/other\ngo 1.21\nrequire v.com/q v1.0.0\n"),
            ("other/vendor/modules.txt", ""),
            ("other/vendor/v.com/q/l.go", ""),
            ("svc/go.mod", "module ex.com/svc\ngo 1.21\nrequire v.com/q v1.0.0\n"),
            ("svc/a.go", ""),
            ("svc/vendor/modules.txt", ""),
            ("svc/vendor/v.com/q/l.go", ""),
            ("svc/vendor/ex.com/own/l.go", ""),
            ("own/go.mod", "module ex.com/own\n"),
            ("own/l.go", ""),
        ];
        let names = ["ex.com/svc/a.go", "v.com/q/l.go", "ex.com/own/l.go"];
        let wanted = ["svc/a.go", "svc/vendor/v.com/q/l.go", "svc/vendor/ex.com/own/l.go"];
        assert_eq!(resolve(&tree, &names), some(&wanted));
    }

    #[test]
    fn the_service_is_the_main_module_however_small_it_is() {
        let tree = [
            ("lib1/go.mod", "module ex.com/lib\n"),
            ("lib1/a.go", ""),
            ("lib1/b.go", ""),
            ("lib1/c.go", ""),
            ("lib2/go.mod", "module ex.com/lib\n"),
            ("lib2/a.go", ""),
            ("lib2/b.go", ""),
            ("lib2/c.go", ""),
            ("svc1/go.mod", "module ex.com/svc1\nrequire ex.com/lib v0.0.0\nreplace ex.com/lib => ../lib1\n"),
            ("svc1/a.go", ""),
            ("svc2/go.mod", "module ex.com/svc2\nrequire ex.com/lib v0.0.0\nreplace ex.com/lib => ../lib2\n"),
            ("svc2/a.go", ""),
        ];
        let names = ["ex.com/svc2/a.go", "ex.com/lib/a.go", "ex.com/lib/b.go", "ex.com/lib/c.go"];
        let wanted = ["svc2/a.go", "lib2/a.go", "lib2/b.go", "lib2/c.go"];
        assert_eq!(resolve(&tree, &names), some(&wanted));
    }

    #[test]
    fn the_library_of_go_itself_is_named_without_its_module() {
        let tree = [
            ("src/go.mod", "module std\n\ngo 1.26\n"),
            ("src/fmt/print.go", ""),
            ("src/vendor/modules.txt", ""),
            ("src/vendor/golang.org/x/net/a.go", ""),
            ("src/cmd/go.mod", "module cmd\n"),
            ("src/cmd/go/main.go", ""),
            ("test/fmt/print.go", ""),
        ];
        let names = ["fmt/print.go", "vendor/golang.org/x/net/a.go", "cmd/go/main.go", "net/none.go"];
        let wanted = ["src/fmt/print.go", "src/vendor/golang.org/x/net/a.go", "src/cmd/go/main.go", ""];
        assert_eq!(resolve(&tree, &names), some(&wanted));
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
