//! Tables at a terminal are as wide as it is, and whole commits, names and addresses are in them.

use std::fs::{File, OpenOptions};
use std::io::Read as _;
use std::os::fd::{AsFd, OwnedFd};
use std::process::Stdio;

use regex::Regex;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

use crate::harness::{ECHO, NEXT_ECHO, World, echo};
use crate::sim::{Behaviour, BinaryProgram};

const COMMIT: &str = "64c8138b597865b650797c142a928739a82bc9a3";
const SERVICE: &str = "staging_th_apa_goc_echoserver_master_64c8138b597865b650797c142a928739a82bc9a3";

/// Opens a terminal of this width; returns both of its ends.
fn open_terminal(columns: u16) -> (OwnedFd, File) {
    let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&terminal).unwrap();
    unlockpt(&terminal).unwrap();
    tcsetwinsize(terminal.as_fd(), Winsize { ws_row: 24, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 })
        .unwrap();
    let name = ptsname(&terminal, Vec::new()).unwrap();
    let other_end = OpenOptions::new().read(true).write(true).open(name.to_str().unwrap()).unwrap();
    (terminal, other_end)
}

/// Returns all that is printed at a terminal until its other end is closed.
fn all_printed_at(terminal: OwnedFd) -> String {
    let mut output = Vec::new();
    // A terminal whose other end was closed answers with an error after its last bytes.
    let _ = File::from(terminal).read_to_end(&mut output);
    String::from_utf8(output).unwrap()
}

/// Runs the binary with its stderr at a terminal of this width, and returns its code and all that is printed there.
fn run_with_progress_at(world: &World, columns: u16, arguments: &[&str]) -> (Option<i32>, String) {
    let (terminal, other_end) = open_terminal(columns);
    let mut command = world.command(arguments);
    let mut child = command.env("TERM", "xterm").stdout(Stdio::null()).stderr(other_end).spawn().unwrap();
    drop(command); // it holds the other end, which has to be closed for the output to end
    let output = all_printed_at(terminal);
    (child.wait().unwrap().code(), output)
}

/// Returns the lines that were drawn on a terminal one after the other, without its control sequences.
fn drawn_lines(output: &str) -> Vec<String> {
    let controls = Regex::new(r"\x1b\[[0-9;?]*[A-Za-z]").unwrap();
    controls.replace_all(output, "").split(['\r', '\n']).map(|line| line.trim_end().to_owned()).collect()
}

/// Runs the binary with its stdout at a terminal of this width, and returns its code and what it prints there.
pub(crate) fn run_at(world: &World, columns: u16, arguments: &[&str]) -> (Option<i32>, String) {
    let (terminal, other_end) = open_terminal(columns);
    let mut command = world.command(arguments);
    let mut child = command.env("NO_COLOR", "1").stdout(other_end).stderr(Stdio::piped()).spawn().unwrap();
    drop(command); // it holds the other end, which has to be closed for the output to end
    let output = all_printed_at(terminal);
    let mut errors = String::new();
    child.stderr.take().unwrap().read_to_string(&mut errors).unwrap();
    let code = child.wait().unwrap().code();
    assert!(!output.is_empty(), "{arguments:?}: {errors}");
    (code, output.replace("\r\n", "\n"))
}

/// Fails unless each line fits the terminal, or is one word alone.
#[track_caller]
pub(crate) fn assert_fits(text: &str, columns: u16) {
    for line in text.lines() {
        let is_alone = line.split_whitespace().count() == 1;
        assert!(
            line.chars().count() <= usize::from(columns) || is_alone,
            "{columns} columns: {line:?} in\n{text}"
        );
    }
}

#[test]
fn tables_fit_a_terminal_and_show_commits_names_and_addresses_whole() {
    let world = World::new();
    let agent = world.start(SERVICE, &echo());
    world.center.register_url(SERVICE, "http://127.0.0.1:1");
    for columns in [60, 80, 100, 200] {
        let (code, pulled) = run_at(&world, columns, &["pull", "--force"]);
        assert_eq!(code, Some(3));
        assert_fits(&pulled, columns);
        assert!(
            pulled.contains(&format!("{SERVICE}\n")) || pulled.contains(&format!("\n{SERVICE}  ")),
            "{pulled}"
        );
        assert!(pulled.contains("1 of 2"), "{pulled}");

        let (_, plan) = run_at(&world, columns, &["pull", "--force", "--dry-run"]);
        assert_fits(&plan, columns);
        assert!(plan.contains(SERVICE), "{plan}");

        let (code, list) = run_at(&world, columns, &["list"]);
        assert_eq!(code, Some(0));
        assert_fits(&list, columns);
        assert!(list.contains(COMMIT) && list.contains("1/2"), "{list}");
        assert!(list.contains("SEEN"), "below a name of its own there is room: {list}");

        let (_, history) = run_at(&world, columns, &["history", "apa_goc_echoserver"]);
        assert_fits(&history, columns);
        assert!(history.contains(COMMIT), "{history}");

        let (_, prune) = run_at(&world, columns, &["prune", "--dry-run"]);
        assert_fits(&prune, columns);
        assert!(prune.contains("http://127.0.0.1:1\n") || prune.contains("http://127.0.0.1:1  "), "{prune}");
        assert!(prune.contains(SERVICE), "{prune}");
    }
    drop(agent);
}

#[test]
fn a_terminal_shows_a_row_for_each_service_that_left_files() {
    let world = World::new();
    let blocks = "example.com/echo/main.go:1.1,2.2 1\n";
    world.leave_file(SERVICE, &BinaryProgram::from_profile(blocks), "7.1", &[1]);
    std::fs::write(world.folder("checkout").join("covcounters.a.7.1"), "no counters").unwrap();
    let (code, pulled) = run_at(&world, 80, &["pull"]);
    assert_eq!(code, Some(3));
    let table = pulled.rsplit_once("pulled ").unwrap().0;
    assert_fits(table, 80);
    let lines: Vec<&str> = table.lines().map(str::trim_end).collect();
    assert_eq!(
        lines,
        [
            "SERVICE",
            "    TOTAL   CHANGE, POINTS  REPLICAS  INBOX        RESULT",
            "checkout",
            "    -       -               -         1 set aside  -",
            SERVICE,
            "    100.0%  -               0 of 0    1 taken in   changed",
        ]
    );
}

#[test]
fn the_progress_of_pull_and_prune_is_shown_within_the_width_of_the_terminal() {
    let (world, agents) = World::with_pulled_echo();
    world.configure("[prune]\npauses = [\"300ms\"]\nrecheck = [\"1s\"]\n");
    world.center.register_url(SERVICE, "http://127.0.0.1:1");
    agents[0].behave_once(Behaviour::Hang);
    for (columns, arguments, expected) in [
        (80, &["pull", "--force", "--read-timeout", "500ms"][..], " services  "),
        (80, &["prune"], "no answer from 1 address, asked again in 300ms"),
        (
            80,
            &["prune", "--confirm-runs=1", "--confirm-over=0s"],
            "1 removed address may answer again, watched for ",
        ),
        (30, &["pull", "--force", "--read-timeout", "500ms"], " services  "),
        (30, &["prune"], "no answer from 1 address, ask"),
    ] {
        if columns == 30 {
            world.center.register_url(SERVICE, "http://127.0.0.1:1");
            agents[0].behave_once(Behaviour::Hang);
        }
        let (_, output) = run_with_progress_at(&world, columns, arguments);
        let lines = drawn_lines(&output);
        let progress: Vec<&String> = lines.iter().filter(|line| line.contains(expected)).collect();
        assert!(!progress.is_empty(), "{arguments:?} at {columns}: {lines:?}");
        for line in progress {
            assert!(line.chars().count() <= usize::from(columns), "{line:?}");
        }
        let (_, quiet) = run_with_progress_at(&world, columns, &[arguments, &["-q"]].concat());
        assert!(!quiet.contains('\r') || !quiet.contains(expected), "{quiet}");
    }
}

#[test]
fn a_list_of_short_names_loses_columns_by_rank_at_a_narrow_terminal() {
    let (world, agents) = World::with_pulled_echo();
    let header = |columns| run_at(&world, columns, &["list"]).1.lines().next().unwrap().to_owned();
    let whole = "ENV      REGION  APP                 BRANCH  COMMIT      REPLICAS  TOTAL  CHANGED  SEEN    NEXT PULL  STATE";
    assert_eq!(header(120), whole);
    assert_eq!(header(100), whole.replace("SEEN    ", ""));
    assert_eq!(header(80), whole.replace("CHANGED  SEEN    NEXT PULL  ", ""));
    drop(agents);
}

/// Returns the lines of a table but for the times in it, which differ from run to run.
fn without_times(table: &str) -> Vec<String> {
    let times = Regex::new(r"\d\d:\d\d UTC|http://127\.0\.0\.1:\d+").unwrap();
    times.replace_all(table, "*").lines().map(str::to_owned).collect()
}

#[test]
fn services_of_a_center_that_is_not_asked_have_one_line_each_and_the_center_is_named_once() {
    let (world, agents) = World::with_pulled_echo();
    for (columns, expected) in [
        (
            80,
            [
                "ENV      REGION  APP                BRANCH  COMMIT      REPLICAS  TOTAL  STATE",
                "staging  th      apa_goc_…hoserver  master  845820727e  0/0       20.0%  offline",
            ],
        ),
        (
            100,
            [
                "ENV      REGION  APP                 BRANCH  COMMIT      REPLICAS  TOTAL  NEXT PULL  STATE",
                "staging  th      apa_goc_echoserver  master  845820727e  0/0       20.0%  -          offline",
            ],
        ),
    ] {
        let (code, list) = run_at(&world, columns, &["list", "--center", "http://127.0.0.1:1"]);
        assert_eq!(code, Some(3));
        let lines = without_times(&list);
        assert_eq!(lines, [expected[0], expected[1], "offline: center \"*\" is not asked since *"]);
    }
    // The warnings about stored data name the center already.
    world.run(&["pull", "--center", "http://127.0.0.1:1"]).assert_code(1);
    let (_, list) = run_at(&world, 80, &["list", "--offline"]);
    assert_eq!(list.lines().count(), 2, "{list}");
    let piped = world.run(&["list", "--offline"]).stdout;
    assert!(piped.contains("offline, not asked since "), "{piped}");
    drop(agents);
}

#[test]
fn dead_addresses_are_counted_below_a_table_that_has_no_room_for_them() {
    let (world, agents) = World::with_pulled_echo();
    for agent in &agents {
        agent.kill();
    }
    world.run(&["pull", "--force"]).assert_code(3);
    world.run(&["prune", "--confirm-runs=1", "--confirm-over=0s"]);
    let (_, list) = run_at(&world, 80, &["list"]);
    assert_fits(&list, 80);
    assert_eq!(
        list,
        "\
ENV      REGION  APP            BRANCH  COMMIT      REPLICAS  TOTAL  STATE
staging  th      apa_go…server  master  845820727e  0/1       20.0%  unreachable
1 dead: apa_goc_echoserver (--explain APP tells more)
"
    );
    let wide = run_at(&world, 130, &["list"]).1;
    assert!(wide.ends_with("unreachable, 1 dead\n"), "{wide}");
}

#[test]
fn ordinary_names_have_one_line_each_in_the_table_of_a_pull_whatever_one_long_name_needs() {
    let world = World::new();
    let names = [ECHO, NEXT_ECHO, SERVICE];
    let agents = names.map(|name| world.start(name, &echo()));
    for agent in &agents {
        agent.hit(&[0], 1);
    }
    world.pull(0);
    agents[1].kill();
    let (code, pulled) = run_at(&world, 80, &["pull", "--force"]);
    assert_eq!(code, Some(3));
    let table = pulled.split("pulled ").next().unwrap();
    assert_eq!(
        table,
        "\
SERVICE                                          TOTAL  REPLICAS  RESULT
staging_th_apa_goc_echoserver_master_64c8138b597865b650797c142a928739a82bc9a3
                                                 20.0%  1 of 1    unchanged
staging_th_apa_goc_echoserver_master_845820727e  20.0%  1 of 1    unchanged
staging_th_apa_goc_echoserver_master_ffffffffff  20.0%  0 of 1    no answer
"
    );
}

#[test]
fn the_bars_of_a_long_history_fit_the_terminal_and_mark_where_a_commit_began() {
    let (world, agents) = World::with_echo(1);
    for block in [0, 2] {
        agents[0].hit(&[block], 1);
        world.pull(0);
    }
    let next = world.start(NEXT_ECHO, &echo());
    next.hit(&[4], 1);
    world.pull(0);
    world.execute(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 90)
         INSERT INTO goc_o_staging_service_cover (created_at, updated_at, env, region, app_name, addresses,
             git_branch, git_commit, is_latest, cov_file_path, cover_total)
         SELECT created_at, updated_at, env, region, app_name, '', git_branch, git_commit, 'n', 'x' || i, 40.0
         FROM goc_o_staging_service_cover, n WHERE id = 1",
    );
    for columns in [60, 80, 100] {
        let (_, history) = run_at(&world, columns, &["history", "echoserver"]);
        assert_fits(&history, columns);
        let bars = columns - 28;
        let end = format!(
            "\noldest 40.0% {} newest 40.0%\nlowest 40.0%, highest 40.0%; the newest {bars} of 93 rows\n",
            "▁".repeat(bars.into())
        );
        assert!(history.ends_with(&end), "{history}");
    }
    let (_, history) = run_at(&world, 160, &["history", "echoserver"]);
    let end = format!(
        "\noldest 20.0% ▁▅│▅{} newest 40.0%\nlowest 20.0%, highest 40.0%; │ a new commit\n",
        "█".repeat(90)
    );
    assert!(history.ends_with(&end), "{history}");
}

#[test]
fn output_that_is_no_terminal_has_every_column_whatever_columns_says() {
    let world = World::new();
    let agent = world.start(SERVICE, &echo());
    world.pull(0);
    let output = crate::harness::output_of(world.command(&["list"]).env("COLUMNS", "60"));
    let header: Vec<&str> =
        output.stdout.lines().next().unwrap().split("  ").filter(|name| !name.is_empty()).collect();
    let all = [
        "ENV",
        "REGION",
        "APP",
        "BRANCH",
        "COMMIT",
        "REPLICAS",
        "TOTAL",
        "CHANGED",
        "SEEN",
        "NEXT PULL",
        "STATE",
    ];
    let trimmed: Vec<&str> = header.iter().map(|name| name.trim()).collect();
    assert_eq!(trimmed, all);
    drop(agent);
}
