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
use goc_watchdog::config::{Config, FilesConfig, GitConfig, PruneConfig, PullConfig, SAMPLE_CONFIG};
use goc_watchdog::exit::ExitCode;

use crate::harness::{World, output_of};

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
    // The sample of a configuration is one text for the man page and for "list --sample-config".
    let sample = SAMPLE_CONFIG.replace('-', "\\-");
    page.extend_from_slice(sections.replace("@SAMPLE@\n", &sample).as_bytes());
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

/// Returns the sample with all lines that begin with one of these marks before a key or table.
fn sample_with(marks: &[&str]) -> String {
    let is_setting = |line: &str| line.starts_with('[') || line.contains(" = ") && !line.starts_with(' ');
    SAMPLE_CONFIG
        .lines()
        .skip_while(|line| !line.is_empty())
        .flat_map(|line| {
            let without_mark = marks.iter().find_map(|mark| line.strip_prefix(mark));
            [without_mark.filter(|rest| is_setting(rest)).unwrap_or(line), "\n"]
        })
        .collect()
}

#[test]
fn the_sample_of_a_configuration_changes_nothing_and_shows_the_defaults() {
    for text in [SAMPLE_CONFIG.to_owned(), sample_with(&["#"])] {
        let shown = Config::parse(&text, "the sample").unwrap();
        assert_eq!(shown.pull, PullConfig::default());
        assert_eq!(shown.git, GitConfig::default());
        assert_eq!(shown.prune, PruneConfig::default());
        assert_eq!(shown.files, FilesConfig::default());
    }
    for table in ["[pull]", "[prune]", "[git]", "[files]"] {
        assert!(SAMPLE_CONFIG.contains(&format!("\n{table}")), "{table}");
    }
    // Examples must be valid, too. A center and several centers exclude each other.
    let all = sample_with(&["# ", "#"]).replace("center = ", "#center = ");
    Config::parse(&all, "the sample with all lines").unwrap();
}

#[test]
fn the_sample_of_a_configuration_has_every_key() {
    let keys = |table: &str| -> Vec<String> {
        let error = Config::parse(&format!("{table}\nno_such_key = 1\n"), "t").unwrap_err().to_string();
        let known = error.split_once("expected ").unwrap_or_else(|| panic!("no keys: {error}")).1;
        let known = known.trim_start_matches("one of ").split([',', ' ']);
        known.filter(|word| !["", "or"].contains(word)).map(str::to_owned).collect()
    };
    let all = sample_with(&["# ", "#"]);
    let mut number = 0;
    for table in ["", "[[targets]]", "[apps.x]", "[naming]", "[pull]", "[prune]", "[git]", "[files]", "[tls]"]
    {
        for key in keys(table) {
            let is_there = all.lines().any(|line| {
                line.starts_with(&format!("{key} = "))
                    || line.starts_with(&format!("[{key}"))
                    || line.starts_with(&format!("[[{key}"))
                    || line.starts_with(&format!("[apps.apa_goc_echoserver.{key}"))
            });
            assert!(is_there || all.contains(&format!(" or: {key} = ")), "{table} {key}");
            number += 1;
        }
    }
    assert!(number > 40, "{number}");
}

#[test]
fn list_prints_the_sample_of_a_configuration_also_where_the_own_one_is_broken() {
    let world = World::new();
    world.configure("pull = 7\n");
    let output = world.run(&["list", "--sample-config"]).assert_code(0);
    assert_eq!((&*output.stdout, &*output.stderr), (SAMPLE_CONFIG, ""));
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
