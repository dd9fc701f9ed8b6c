//! Shows the main job on this machine alone: `cargo run --profile quickstart --example quickstart`.
//!
//! The example starts simulated processes of the echo service inside itself, three as `go build -cover` with an agent
//! makes them, and one as goc makes it, with its center. Then it runs the real binary as a person would, command by
//! command. The profile was recorded from the Go program in `examples/echo`; `examples/gocover/run.sh` and
//! `examples/echo/run.sh` do such a round with that program.

#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "the example is the world that the program meets"
)]

#[path = "../tests/sim/mod.rs"]
mod sim;

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use sim::{Agent, BinaryProgram, Center, Coverport, Program};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Profile of a process that has just started.
const RECORDED: &str = include_str!("../tests/fixtures/echo.cov");

/// The source of the service.
const SOURCE: [(&str, &str); 5] = [
    ("go.mod", include_str!("echo/go.mod")),
    ("main.go", include_str!("echo/main.go")),
    ("handlers/handlers.go", include_str!("echo/handlers/handlers.go")),
    ("handlers/visits.go", include_str!("echo/handlers/visits.go")),
    ("textutil/textutil.go", include_str!("echo/textutil/textutil.go")),
];

/// A part of `handlers.go` that its last commit added.
const ADDED: &str = "\tif strings.Contains(r.Header.Get(\"Accept\"), \"application/json\") {
\t\tseen.writeJSON(w)
\t\treturn
\t}
";

fn main() -> Result<()> {
    let binary = build()?;
    let scratch = std::env::temp_dir().join(format!("goc-watchdog-quickstart-{}", std::process::id()));
    let root = scratch.join("goc_watch_dog_root");
    let commit = commit_source(&scratch.join("echo"))?;

    let center = Center::start();
    let echo = Program::from_profile(RECORDED);
    let master = format!("staging_th_apa_goc_echoserver_master_{commit}");
    let replicas: Vec<Coverport> =
        (0..3).map(|_| Coverport::start(&BinaryProgram::from_profile(RECORDED))).collect();
    replicas.iter().for_each(start_up);
    let addresses: Vec<String> = replicas.iter().map(Coverport::url).collect();
    let targets = serde_json::json!([{ "targets": addresses, "labels": { "service": master } }]);
    fs::write(scratch.join("targets.json"), targets.to_string())?;
    let elsewhere = start(&echo, &center, &format!("staging_sg_apa_goc_echoserver_master_{commit}"));
    let shell = Shell { binary, root, center: center.url(), scratch: scratch.clone() };

    explain(
        "An echo service has three replicas in one region, built with `go build -cover`. A file lists them:",
    );
    println!("{targets}\n");
    explain(
        "Another region has one, built with goc. It is registered at a goc center, which GOC_CENTER names.",
    );
    explain("Somebody opens the front page; somebody else pings another replica. Then cron pulls:");
    replicas[0].hit(&front_page(&echo), 1);
    replicas[1].hit(&ping(&echo), 4);
    elsewhere.hit(&ping(&echo), 2);
    shell.run(&["pull", "--force", "--targets", "targets.json"])?;
    let before = shell.total(&master)?;

    explain(
        "Replica 1 is deployed anew: its counters are at zero. Replica 2 is killed. A tester uses the mirror:",
    );
    replicas[0].restart();
    start_up(&replicas[0]);
    replicas[0].hit(&ping(&echo), 1);
    replicas[1].kill();
    replicas[2].hit(&mirror(&echo), 3);
    shell.run(&["pull", "--force", "--targets", "targets.json"])?;

    explain("The dead replica is named, and the exit code says \"partly done\". Nothing was lost:");
    shell.run(&["list", "--targets", "targets.json"])?;
    shell.run(&["total", &master])?;
    shell.run(&["history", &master])?;
    let after = shell.total(&master)?;
    if after <= before {
        return Err(format!("coverage went from {before} to {after}, it must not fall").into());
    }

    explain(
        "Which functions, and which lines? The source comes from git; neither Go nor a checkout is needed.",
    );
    let configuration = format!("[apps.apa_goc_echoserver]\nrepo = '{}'\n", scratch.join("echo").display());
    fs::write(shell.root.join("goc-watchdog.toml"), configuration)?;
    shell.run(&["report", &master])?;
    shell.run(&[
        "report",
        &master,
        "--format",
        "text",
        "--format",
        "lcov=lcov.info",
        "--sort",
        "uncovered",
    ])?;

    explain("The last commit changed a few lines. Which of them were executed?");
    shell.run(&["report", &master, "--base", "parent", "--format", "diff"])?;
    shell.run(&["report", &master, "--base", "parent", "--format", "html=coverage.html"])?;

    explain("A gate for a CI job: exit code 5 where too little is covered.");
    shell.run(&["total", &master, "--fail-under", "80", "--max-age", "2h"])?;

    let root = shell.root.display();
    println!("The page for a browser is {}", scratch.join("coverage.html").display());
    println!("The work directory is {root}");
    println!("Its profiles are files that Go's own tools read; its database is SQLite. Try next:\n");
    println!("  {} --root {root} list --offline --explain {master}", shell.binary.display());
    println!("  sqlite3 -readonly {root}/sqlite.db 'SELECT * FROM goc_o_staging_service_cover'");
    println!("  {} --root {root} report {master} --format markdown", shell.binary.display());
    println!("  rm -r {}", scratch.display());
    Ok(())
}

/// Lets a process that has just started execute what the recorded one had executed by then.
fn start_up(replica: &Coverport) {
    for (block, count) in startup().into_iter().enumerate().filter(|(_, count)| *count > 0) {
        replica.hit(&[block], count);
    }
}

fn start(program: &Program, center: &Center, name: &str) -> Agent {
    let agent = Agent::start(program);
    agent.set_counts(&startup());
    center.register(name, &agent);
    agent
}

/// Returns the counts of a service that has just started.
fn startup() -> Vec<u64> {
    RECORDED
        .lines()
        .skip(1)
        .map(|line| line.rsplit(' ').next().and_then(|count| count.parse().ok()).expect("a count"))
        .collect()
}

const ROUTING: [u32; 2] = [47, 18];

fn ping(echo: &Program) -> Vec<usize> {
    [
        echo.blocks_at("handlers/handlers.go", &[ROUTING[0], 63]),
        echo.blocks_at("visits.go", &[ROUTING[1], 22, 25]),
    ]
    .concat()
}

fn front_page(echo: &Program) -> Vec<usize> {
    let page = [
        echo.blocks_at("handlers/handlers.go", &[47, 57, 58]),
        echo.blocks_at("visits.go", &[18, 22, 25, 32, 36]),
    ];
    [page.concat(), echo.blocks_at("textutil.go", &[65, 67, 70])].concat()
}

fn mirror(echo: &Program) -> Vec<usize> {
    let handlers = [47, 76, 88, 93, 99, 102, 103, 106, 120, 125];
    let text = [13, 21, 23, 24, 28, 31, 36, 40, 45, 49, 56, 58, 61, 65, 67, 70];
    [echo.blocks_at("handlers/handlers.go", &handlers), echo.blocks_at("textutil.go", &text)].concat()
}

/// Builds the binary beside this example, from what was compiled for the example; `cargo run --example` does not.
fn build() -> Result<PathBuf> {
    println!("Building the binary goc-watchdog:");
    let own = std::env::current_exe()?;
    let folder = own.parent().and_then(Path::parent).ok_or("this example is not in a target folder")?;
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["build", "--bin", "goc-watchdog", "--manifest-path"]);
    command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"));
    let profile = folder.file_name().and_then(|name| name.to_str()).ok_or("a folder without a name")?;
    command.args(["--profile", if profile == "debug" { "dev" } else { profile }]);
    // "cargo run" describes this package to its child. Build scripts that look at the description would run again, and
    // what depends on them would be compiled again.
    for (name, _) in std::env::vars_os() {
        if name
            .to_str()
            .is_some_and(|name| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_"))
        {
            command.env_remove(name);
        }
    }
    if !command.status()?.success() {
        return Err("the binary cannot be built".into());
    }
    Ok(folder.join("goc-watchdog"))
}

/// Commits the source of the service, first without the lines that its last commit changed. Returns the last commit's
/// first ten digits.
fn commit_source(repository: &Path) -> Result<String> {
    let write = |change: &dyn Fn(&str) -> String| -> Result<()> {
        for (name, text) in SOURCE {
            let path = repository.join(name);
            fs::create_dir_all(path.parent().ok_or("no folder")?)?;
            fs::write(path, change(text))?;
        }
        Ok(())
    };
    write(&|text| text.replace(ADDED, "").replace("echo service, up since", "echo service since"))?;
    let git = |arguments: &[&str]| -> Result<String> {
        let identity = ["-c", "user.name=quickstart", "-c", "user.email=quickstart@localhost"];
        let output = Command::new("git")
            .args(identity)
            .args(["-c", "commit.gpgsign=false", "-c", "core.hooksPath=/dev/null"])
            .args(arguments)
            .current_dir(repository)
            .output()
            .map_err(|error| format!("git is needed: {error}"))?;
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
        }
        Ok(String::from_utf8(output.stdout)?.trim().to_owned())
    };
    git(&["init", "--quiet", "--initial-branch=master"])?;
    git(&["add", "."])?;
    git(&["commit", "--quiet", "--message=echo service"])?;
    write(&str::to_owned)?;
    git(&["commit", "--quiet", "--all", "--message=answer in JSON"])?;
    git(&["rev-parse", "--short=10", "HEAD"])
}

/// Runs commands where a person can see them.
struct Shell {
    binary: PathBuf,
    root: PathBuf,
    center: String,
    scratch: PathBuf,
}

impl Shell {
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.binary);
        command.args(arguments).env("GOC_CENTER", &self.center).env("GOC_WATCHDOG_ROOT", &self.root);
        command.current_dir(&self.scratch);
        command
    }

    fn run(&self, arguments: &[&str]) -> Result<()> {
        println!("$ goc-watchdog {}", arguments.join(" "));
        let status = self.command(arguments).status()?;
        match status.code() {
            Some(0) => println!(),
            Some(code @ (3 | 5)) => println!("(exit code {code})\n"),
            _ => return Err(format!("goc-watchdog ended with {status}").into()),
        }
        Ok(())
    }

    fn total(&self, service: &str) -> Result<f64> {
        let output = self.command(&["total", service, "--format", "json"]).output()?;
        let total: serde_json::Value = serde_json::from_slice(&output.stdout)?;
        total["percent"].as_f64().ok_or_else(|| "no total".into())
    }
}

fn explain(text: &str) {
    println!("# {text}\n");
}
