//! Man pages, completions and the pages for contributors agree with the program and the project.
//!
//! `GOC_WATCHDOG_UPDATE_DOCS=1 cargo test docs` writes the man pages and completions anew.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process;

use clap::{Command, CommandFactory};
use clap_complete::{Shell, generate};
use clap_mangen::Man;
use goc_watchdog::cli::Cli;
use goc_watchdog::exit::ExitCode;

use crate::harness::output_of;

/// Hand-written sections of each page, for text that no definition of options holds.
const SECTIONS: &[(&str, &str)] = &[
    ("goc-watchdog", include_str!("../man/sections/goc-watchdog.roff")),
    ("goc-watchdog-pull", include_str!("../man/sections/goc-watchdog-pull.roff")),
    ("goc-watchdog-prune", include_str!("../man/sections/goc-watchdog-prune.roff")),
    ("goc-watchdog-report", include_str!("../man/sections/goc-watchdog-report.roff")),
    ("goc-watchdog-list", include_str!("../man/sections/goc-watchdog-list.roff")),
    ("goc-watchdog-total", include_str!("../man/sections/goc-watchdog-total.roff")),
    ("goc-watchdog-history", include_str!("../man/sections/goc-watchdog-history.roff")),
];

fn exit_status() -> String {
    let mut section = ".SH \"EXIT STATUS\"\n".to_owned();
    for (code, meaning) in ExitCode::ALL {
        writeln!(section, ".TP\n{}\n{meaning}", code.number()).expect("into memory");
    }
    section.push_str(".PP\nWhere several apply: 1, then 5, then 3.\n");
    section
}

fn page(command: &Command) -> Vec<u8> {
    let name = command.get_display_name().unwrap_or(command.get_name()).to_owned();
    let sections = SECTIONS.iter().find(|(page, _)| *page == name).expect("sections of each page").1;
    let man = Man::new(command.clone())
        .manual("goc-watchdog manual")
        .source(concat!("goc-watchdog ", env!("CARGO_PKG_VERSION")));
    let mut page = Vec::new();
    man.render_title(&mut page).unwrap();
    man.render_name_section(&mut page).unwrap();
    man.render_synopsis_section(&mut page).unwrap();
    man.render_description_section(&mut page).unwrap();
    man.render_options_section(&mut page).unwrap();
    if command.has_subcommands() {
        man.render_subcommands_section(&mut page).unwrap();
    }
    page.extend_from_slice(exit_status().as_bytes());
    page.extend_from_slice(sections.as_bytes());
    page
}

/// Returns the completions of a shell: those that clap generates, and those of services by a part written by hand.
fn completion(shell: Shell) -> String {
    let mut script = Vec::new();
    // clap_complete 4.6 replaces a hyphen in the program's name in two different ways: one where the script of bash notes
    // the command of a line, another where it looks up the command's options. The script would thus offer nothing behind
    // a command. A name without hyphens is the same in both places, so the program's own name is put back only where the
    // script registers its function.
    let name = if shell == Shell::Bash { "goc_watchdog" } else { "goc-watchdog" };
    // clap_complete offers hidden options, too.
    let mut cli = Cli::command().mut_subcommands(|command| match command.get_name() {
        "list" => {
            let shown = command.get_arguments().filter(|argument| !argument.is_hide_set()).cloned();
            Command::new("list")
                .about(command.get_about().cloned().expect("each command has one"))
                .args(shown)
        }
        _ => command,
    });
    generate(shell, &mut cli, name, &mut script);
    let script = String::from_utf8(script).unwrap();
    match shell {
        Shell::Bash => {
            let registration = "\nif [[ \"${BASH_VERSINFO[0]}\" -eq 4 ";
            let services = include_str!("../completions/parts/services.bash");
            let script = replaced(&script, registration, &format!("{services}{registration}"), 1);
            let script = replaced(&script, "-F _goc_watchdog ", "-F _goc_watchdog_with_services ", 2);
            replaced(&script, "-o default goc_watchdog\n", "-o default goc-watchdog\n", 2)
        }
        Shell::Zsh => {
            let registration = "if [ \"$funcstack[1]\" ";
            let services = include_str!("../completions/parts/services.zsh");
            let script = replaced(&script, registration, &format!("{services}{registration}"), 1);
            // The words of a command have lost the options before it, so those of the whole line are kept.
            let start = "_goc-watchdog() {\n";
            let line = "    local -a goc_watchdog_line=(\"${(@)words[1,CURRENT]}\")\n";
            wanting_services(&replaced(&script, start, &format!("{start}{line}"), 1))
        }
        Shell::Fish => script + include_str!("../completions/parts/services.fish"),
        _ => script,
    }
}

/// Returns a script in which a text that stands there so many times is replaced.
fn replaced(script: &str, from: &str, to: &str, times: usize) -> String {
    assert_eq!(script.matches(from).count(), times, "{from}");
    script.replace(from, to)
}

/// Returns a script of zsh that asks for services where an argument or the value of an option is one.
fn wanting_services(script: &str) -> String {
    let wants = |line: &str| {
        ["'::service -- ", "'*::services -- ", "':service -- "].iter().any(|start| line.starts_with(start))
            || line.contains("SERVICE:_default'")
    };
    let lines = script.lines().map(|line| match wants(line) {
        true => replaced(line, ":_default'", ":_goc-watchdog_services'", 1),
        false => line.to_owned(),
    });
    lines.map(|line| line + "\n").collect()
}

/// Returns all generated files by their path in the project.
fn generated() -> Vec<(PathBuf, Vec<u8>)> {
    let mut cli = Cli::command();
    cli.build();
    let mut files = vec![(PathBuf::from("man/goc-watchdog.1"), page(&cli))];
    for command in cli.get_subcommands() {
        let name = command.get_display_name().unwrap_or(command.get_name());
        files.push((format!("man/{name}.1").into(), page(command)));
    }
    for shell in [Shell::Bash, Shell::Zsh, Shell::Fish, Shell::Elvish, Shell::PowerShell] {
        let name = clap_complete::Generator::file_name(&shell, "goc-watchdog");
        files.push((Path::new("completions").join(name), completion(shell).into_bytes()));
    }
    files
}

#[test]
fn man_pages_and_completions_are_up_to_date() {
    let project = Path::new(env!("CARGO_MANIFEST_DIR"));
    let update = std::env::var_os("GOC_WATCHDOG_UPDATE_DOCS").is_some();
    for (path, wanted) in generated() {
        let path = project.join(path);
        if update {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, &wanted).unwrap();
        }
        let found = fs::read(&path).unwrap_or_default();
        assert!(
            found == wanted,
            "{} is stale, write it anew: GOC_WATCHDOG_UPDATE_DOCS=1 cargo test docs",
            path.display()
        );
    }
}

#[test]
fn the_configuration_that_the_man_page_shows_is_the_default() {
    let page = SECTIONS[0].1;
    let (_, rest) = page.split_once(".\\\" configuration begins\n").expect("the example of a configuration");
    let (text, _) = rest.split_once(".\\\" configuration ends\n").expect("its end");
    let text = text.replace("\\-", "-");
    let shown = goc_watchdog::config::Config::parse(&text, "the man page").unwrap();
    assert_eq!(shown.pull, goc_watchdog::config::PullConfig::default());
    assert_eq!(shown.git, goc_watchdog::config::GitConfig::default());
    assert_eq!(shown.prune, goc_watchdog::config::PruneConfig::default());
    assert_eq!(shown.files, goc_watchdog::config::FilesConfig::default());
    for table in ["[pull]", "[prune]", "[git]", "[files]"] {
        assert!(text.contains(table), "{text}");
    }
    // Settings that are not defaults stand behind a #, and must be valid, too.
    let all: String = text
        .lines()
        .map(|line| line.strip_prefix("# ").unwrap_or(line))
        .filter(|line| !line.starts_with("center = "))
        .flat_map(|line| [line, "\n"])
        .collect();
    goc_watchdog::config::Config::parse(&all, "the man page, with all lines").unwrap();
}

/// Returns the modules that the drawing of `src/` names.
fn drawn_modules(page: &str) -> BTreeSet<&str> {
    let (_, section) = page.split_once("## The layout of `src/`\n").expect("a section about src");
    let drawing = section.split("```").nth(1).expect("a drawing");
    let words = drawing.split_whitespace();
    words.filter_map(|word| word.strip_suffix('/').or_else(|| word.strip_suffix(".rs"))).collect()
}

#[test]
fn each_file_and_folder_of_src_is_in_the_drawing_of_the_architecture() {
    let project = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(project.join("docs/architecture.md")).unwrap();
    let drawn = drawn_modules(&page);
    for entry in fs::read_dir(project.join("src")).unwrap() {
        let path = entry.unwrap().path();
        let module = path.file_stem().unwrap().to_str().unwrap();
        assert!(drawn.contains(module), "docs/architecture.md does not draw {}", path.display());
    }
    let present = modules_below(&project.join("src"));
    for module in drawn {
        assert!(present.contains(module), "docs/architecture.md draws {module}, which is not in src");
    }
}

/// Returns the names of all files, without their ending, and folders below a folder.
fn modules_below(folder: &Path) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        names.insert(path.file_stem().unwrap().to_str().unwrap().to_owned());
        if path.is_dir() {
            names.extend(modules_below(&path));
        }
    }
    names
}

#[test]
fn lines_of_man_sections_and_of_the_changelog_are_at_most_120_columns_wide() {
    const COLUMNS: usize = 120;
    let project = Path::new(env!("CARGO_MANIFEST_DIR"));
    let sections = fs::read_dir(project.join("man/sections")).unwrap().map(|entry| entry.unwrap().path());
    for path in sections.chain([project.join("CHANGELOG.md")]) {
        let mut is_example = false;
        for (index, line) in fs::read_to_string(&path).unwrap().lines().enumerate() {
            is_example = line == ".nf" || is_example && line != ".fi";
            let is_narrow = line.chars().count() <= COLUMNS;
            assert!(is_example || is_narrow, "{}, line {}: {line}", path.display(), index + 1);
        }
    }
}

#[test]
fn contributing_names_each_step_of_the_gate() {
    let project = Path::new(env!("CARGO_MANIFEST_DIR"));
    let list = output_of(process::Command::new(project.join(".ci/run")).arg("--list")).assert_code(0).stdout;
    let steps: BTreeSet<&str> =
        list.lines().skip(2).map(|line| line.split_whitespace().next().expect("a step")).collect();
    assert!(steps.contains("lint"), "{list}");
    let page = fs::read_to_string(project.join("CONTRIBUTING.md")).unwrap();
    let (_, section) = page.split_once("## The gate\n").expect("a section about the gate");
    let rows =
        section.lines().skip_while(|line| !line.starts_with('|')).take_while(|line| line.starts_with('|'));
    let named: BTreeSet<&str> = rows.flat_map(|row| row.split('`').skip(1).step_by(2)).collect();
    assert_eq!(named, steps);
}
