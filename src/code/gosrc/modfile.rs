//! The places of modules in a `go.mod` or `go.work`.

/// The directives of the file about places of modules.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct ModuleFile {
    /// Path of the module; `None` in a `go.work`.
    pub(super) module: Option<String>,
    /// Minor version of `go 1.N`.
    pub(super) go_minor: Option<u32>,
    /// Paths and versions of required modules.
    pub(super) required: Vec<(String, String)>,
    pub(super) replaced: Vec<Replacement>,
    /// Folders of a workspace's modules, unchanged from the file.
    pub(super) used: Vec<String>,
    /// Folders that Go leaves out of `./...`, unchanged from the file.
    pub(super) ignored: Vec<String>,
}

/// A `replace` directive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Replacement {
    pub(super) module: String,
    /// The only version that is replaced; `None` for all.
    pub(super) version: Option<String>,
    /// A folder relative to that of the file; `None` for a module outside of the repository.
    pub(super) folder: Option<String>,
}

impl ModuleFile {
    /// Tells whether a folder of the module is below one that the file has Go leave out of `./...`: one from the folder of the
    /// module (`./generated`), or one of that path anywhere (`node_modules`).
    pub(super) fn ignores(&self, folder: &str) -> bool {
        let parts: Vec<&str> = folder.split('/').collect();
        self.ignored.iter().any(|ignored| {
            let from_module = ignored.strip_prefix("./");
            let wanted: Vec<&str> = from_module.unwrap_or(ignored).trim_end_matches('/').split('/').collect();
            match from_module {
                Some(_) => parts.starts_with(&wanted),
                None => parts.windows(wanted.len()).any(|part| part == wanted),
            }
        })
    }

    pub(super) fn parse(text: &str) -> Self {
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
            ("go", [version]) => {
                self.go_minor = version.split('.').nth(1).and_then(|minor| minor.parse().ok());
            }
            ("require", [path, version]) => self.required.push(((*path).to_owned(), (*version).to_owned())),
            ("use", [folder]) => self.used.push((*folder).to_owned()),
            ("ignore", [folder]) => self.ignored.push((*folder).to_owned()),
            ("replace", [module, "=>", target @ ..]) => self.replace(module, None, target),
            ("replace", [module, version, "=>", target @ ..]) => self.replace(module, Some(version), target),
            _ => {}
        }
    }

    fn replace(&mut self, module: &str, version: Option<&str>, target: &[&str]) {
        let is_folder = |target: &str| {
            target.starts_with("./") || target.starts_with("../") || matches!(target, "." | "..")
        };
        let folder = match target {
            [folder] if is_folder(folder) => Some((*folder).to_owned()),
            // A folder outside of the repository, or another module.
            [_] | [_, _] => None,
            _ => return,
        };
        let (module, version) = (module.to_owned(), version.map(str::to_owned));
        self.replaced.push(Replacement { module, version, folder });
    }
}

/// Splits a line into words. Quotes are removed, and a comment ends the line.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ignored_folders_are_those_from_the_module_or_of_that_path_anywhere() {
        let file =
            ModuleFile::parse("module m\n\nignore ./gen\nignore (\n\tnode_modules\n\tweb/dist // built\n)\n");
        for (folder, is_ignored) in [
            ("gen", true),
            ("gen/a", true),
            ("a/gen", false),
            ("generated", false),
            ("node_modules/x", true),
            ("a/node_modules", true),
            ("web/dist/a", true),
            ("web/a/dist", false),
            ("", false),
        ] {
            assert_eq!(file.ignores(folder), is_ignored, "{folder}");
        }
    }

    #[test]
    fn directives_stand_alone_or_in_blocks() {
        let file = ModuleFile::parse(
            "module \"example.com/a\" // the root\ngo 1.21.3\nrequire (\n\texample.com/l v1.2.0 // indirect\n)\n\
             require example.com/m v0.1.0\nreplace (\n\texample.com/l v1.1.0 => ./l1\n\texample.com/l => ../l2\n)\n\
             replace example.com/m => example.com/fork v0.2.0\nuse (\n\t.\n\t./x\n)\n",
        );
        let replaced = |module: &str, version: Option<&str>, folder: Option<&str>| Replacement {
            module: module.to_owned(),
            version: version.map(str::to_owned),
            folder: folder.map(str::to_owned),
        };
        let pair = |module: &str, version: &str| (module.to_owned(), version.to_owned());
        let wanted = ModuleFile {
            module: Some("example.com/a".to_owned()),
            go_minor: Some(21),
            required: vec![pair("example.com/l", "v1.2.0"), pair("example.com/m", "v0.1.0")],
            replaced: vec![
                replaced("example.com/l", Some("v1.1.0"), Some("./l1")),
                replaced("example.com/l", None, Some("../l2")),
                replaced("example.com/m", None, None),
            ],
            ignored: Vec::new(),
            used: vec![".".to_owned(), "./x".to_owned()],
        };
        assert_eq!(file, wanted);
    }
}
