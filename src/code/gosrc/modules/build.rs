//! The builds that the go command may have made: where each module lies in it, by replacements, versions and `vendor`.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::super::modfile::ModuleFile;
use super::super::paths::{VENDOR, joined, within};
use super::Modules;

/// A build that the go command may have made: of one module, or of those of a workspace.
#[derive(Clone, Debug, Default)]
pub(super) struct BuildList<'m> {
    /// Modules whose folder is certain; `None` for a module that is not in the repository.
    pub(super) certain: BTreeMap<&'m str, Option<String>>,
    /// Those of them that replace others.
    pub(super) replaced: HashSet<&'m str>,
    /// Required modules, which may be modules of the repository.
    pub(super) required: HashSet<&'m str>,
    /// The `vendor` folder of all other packages.
    pub(super) vendor: Option<String>,
}

impl Modules {
    /// Returns the build of a module by itself.
    pub(super) fn build_of_module(&self, module: &str, folder: &str) -> BuildList<'_> {
        let mut build = BuildList::default();
        let Some(file) = self.files.get(folder) else { return build };
        let own = self.folders.get_key_value(module).map(|(module, _)| module.as_str());
        build.certain.extend(own.map(|module| (module, Some(folder.to_owned()))));
        build.require(file);
        build.replace(folder, file, &selected([file]));
        // The go command assumes Go 1.16 for a module without a version of Go.
        let vendor = within(folder, VENDOR);
        let is_vendored =
            file.go_minor.is_none_or(|minor| minor >= 14) && self.listed_vendored.contains(&vendor);
        build.vendor = is_vendored.then_some(vendor);
        build
    }

    /// Returns the build of all modules that a workspace uses.
    pub(super) fn build_of_workspace(&self, workspace: &str) -> BuildList<'_> {
        let mut build = BuildList::default();
        let Some(work) = self.workspaces.get(workspace) else { return build };
        let used: Vec<(String, &ModuleFile)> = work
            .used
            .iter()
            .filter_map(|used| joined(workspace, used))
            .filter_map(|folder| self.files.get(&folder).map(|file| (folder, file)))
            .collect();
        let selected = selected(used.iter().map(|(_, file)| *file));
        for (folder, file) in &used {
            build.certain.extend(file.module.as_deref().map(|module| (module, Some(folder.clone()))));
        }
        build.replace(workspace, work, &selected);
        for (folder, file) in &used {
            build.replace(folder, file, &selected);
            build.require(file);
        }
        let vendor = within(workspace, VENDOR);
        let is_vendored =
            work.go_minor.is_some_and(|minor| minor >= 22) && self.listed_vendored.contains(&vendor);
        build.vendor = is_vendored.then_some(vendor);
        build
    }
}

impl<'m> BuildList<'m> {
    /// Notes the required modules of a file whose folder is not certain.
    fn require(&mut self, file: &'m ModuleFile) {
        let required = file.required.iter().map(|(module, _)| module.as_str());
        self.required.extend(required.filter(|module| !self.certain.contains_key(module)));
    }

    /// Carries out the replacements of a file for modules that have none yet.
    fn replace(&mut self, folder: &str, file: &'m ModuleFile, selected: &HashMap<&'m str, &'m str>) {
        let modules: BTreeSet<&str> = file.replaced.iter().map(|replaced| replaced.module.as_str()).collect();
        for module in
            modules.into_iter().filter(|module| !self.certain.contains_key(module)).collect::<Vec<_>>()
        {
            let of_module = || file.replaced.iter().filter(|replaced| replaced.module == module);
            // A replacement of the selected version comes before one of all versions. Replacements of other versions do
            // not count.
            let of_version = of_module().find(|replaced| match (&replaced.version, selected.get(module)) {
                (Some(version), Some(selected)) => version == selected,
                (Some(_), None) => true,
                (None, _) => false,
            });
            let Some(replaced) =
                of_version.or_else(|| of_module().find(|replaced| replaced.version.is_none()))
            else {
                continue;
            };
            let target = replaced.folder.as_ref().and_then(|target| joined(folder, target));
            self.certain.insert(module, target);
            self.replaced.insert(module);
        }
        let certain = &self.certain;
        self.required.retain(|module| !certain.contains_key(module));
    }
}

/// Returns the version of each required module, which is the highest of several.
fn selected<'m>(files: impl IntoIterator<Item = &'m ModuleFile>) -> HashMap<&'m str, &'m str> {
    let mut selected: HashMap<&str, &str> = HashMap::new();
    for (module, version) in files.into_iter().flat_map(|file| &file.required) {
        let known = selected.entry(module).or_insert(version);
        if by_version(version, known) == Ordering::Greater {
            *known = version;
        }
    }
    selected
}

/// Compares two versions such as `v1.2.3-pre.1` (semver.org, without the rules for parts that are not numbers).
fn by_version(one: &str, other: &str) -> Ordering {
    let parts = |version: &str| {
        let version = version.trim_start_matches('v').split('+').next().unwrap_or_default().to_owned();
        let (core, pre) =
            version.split_once('-').map_or((version.as_str(), None), |(core, pre)| (core, Some(pre)));
        let core: Vec<u64> = core.split('.').map(|part| part.parse().unwrap_or(0)).collect();
        // A pre-release comes before its release.
        (core, pre.is_none(), pre.unwrap_or_default().to_owned())
    };
    parts(one).cmp(&parts(other))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_by_number() {
        let highest = ["v1.9.0", "v1.10.0-rc.1", "v1.10.0", "v0.0.0-20250101000000-abcdef012345"];
        let mut sorted = highest;
        sorted.sort_by(|one, other| by_version(one, other));
        assert_eq!(sorted, [highest[3], highest[0], highest[1], highest[2]]);
    }
}
