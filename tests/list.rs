//! `list`, `total` and `history`: known data, also when nobody can be asked.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;

use chrono::DateTime;
use serde_json::{Value, json};

use crate::harness::{ECHO, Output, World, echo, has_program, output_of};
use crate::sim::Center;

#[test]
fn list_shows_each_state() {
    let world = World::new();
    let name = |app: &str| format!("staging_th_{app}_master_0123456789");
    let ok = world.start(&name("ok"), &echo());
    ok.hit(&[0], 1);
    let partial = [world.start(&name("partial"), &echo()), world.start(&name("partial"), &echo())];
    let unreachable = world.start(&name("unreachable"), &echo());
    let offline = world.start(&name("offline"), &echo());
    partial[1].kill();
    unreachable.kill();
    world.pull(3);
    world.center.remove(&offline.url());
    let never = world.start(&name("never"), &echo());
    let output = world.run(&["list"]).assert_code(0);
    let lines: Vec<Vec<&str>> = output.stdout.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(
        lines[0].join(" "),
        "ENV REGION APP BRANCH COMMIT REPLICAS TOTAL CHANGED SEEN NEXT PULL STATE"
    );
    let rows: Vec<String> = lines[1..]
        .iter()
        .map(|row| format!("{} {} {} {}", row[2], row[5], row[6], row.last().unwrap()))
        .collect();
    assert_eq!(
        rows,
        [
            "unreachable 0/1 - unreachable",
            "partial 1/2 0.0% partial",
            "never 0/1 - pulled",
            "ok 1/1 20.0% ok",
            "offline 0/0 0.0% offline"
        ]
    );
    drop(never);
}

#[test]
fn list_takes_parts_of_names_and_works_offline() {
    let (mut world, agents) = World::with_echo(1);
    world.pull(0);
    world.center.stop();
    let output = world.run(&["list", "--offline", "--format", "json"]).assert_code(0);
    assert_eq!(output.stderr, "");
    assert_eq!(output.json()[0][0]["addresses"][0]["address"], agents[0].url());
    assert_eq!(world.run(&["list", "--offline", "nosuch", "--format", "json"]).assert_code(1).stdout, "");
    world.run(&["list"]).assert_code(3).assert_stderr_contains("showing its list of");
}

#[test]
fn a_root_without_data_says_so() {
    let world = World::new();
    for arguments in [&["list", "--offline"][..], &["total", "x"], &["history", "x"]] {
        world
            .run(arguments)
            .assert_code(1)
            .assert_stderr_contains("nothing was pulled into this root yet (goc-watchdog pull)");
    }
    let output = world.run(&["list", "nosuch"]).assert_code(0);
    output.assert_stderr_contains(&format!(
        "no service is listed, and no service is stored in \"{}\"",
        world.root().display()
    ));
    assert!(!world.root().exists());
}

#[test]
fn a_name_that_fits_nothing_is_refused_with_the_nearest() {
    let (world, _agents) = World::with_echo(1);
    world.run(&["pull"]).assert_code(0);
    let output = world.run(&["list", "echoservr"]).assert_code(1);
    assert_eq!(output.stdout, "");
    output.assert_stderr_contains("no service fits \"echoservr\", did you mean \"apa_goc_echoserver\"?");
    world
        .run(&["list", "echoserver", "b\u{7}d"])
        .assert_code(1)
        .assert_stderr_contains("no service fits \"b\\u{7}d\", `goc-watchdog list` shows them all");
    assert!(
        world.run(&["list", "echoserver", "--env", "staging"]).assert_code(0).stdout.contains("echoserver")
    );
    let output = world.run(&["list", "--env", "prod"]).assert_code(1);
    output.assert_stderr_contains("no service has --env prod, `goc-watchdog list` shows them all");
}

#[test]
fn explain_says_when_and_why() {
    let (world, agents) = World::with_echo(2);
    agents[0].hit(&[0], 1);
    agents[1].kill();
    world.pull(3);
    let output = world.run(&["list", "--explain", "echoserver"]).assert_code(0);
    for part in [
        ECHO,
        "  state        partial\n",
        "20.0%, 1 of 2 replicas",
        "waiting 15m (step 1)",
        "connection refused",
        "1 failure in a row",
    ] {
        assert!(output.stdout.contains(part), "expected {part:?} in\n{}", output.stdout);
    }
    let json = &world.run(&["list", "--explain", "echoserver", "--format", "json"]).assert_code(0).json()[0];
    assert_eq!((&json["step"], &json["states"]), (&json!(1), &json!(["partial"])));
    assert_eq!(json["builds"][0]["status"], "current");
    assert_eq!(json["builds"][0]["generations"]["open"], 1);
}

#[test]
fn total_is_one_number_and_a_gate() {
    let (world, agents) = World::with_echo(2);
    agents[0].hit(&[0], 1);
    world.pull(0);
    assert_eq!(world.run(&["total", "echoserver"]).assert_code(0).stdout, "20.0\n");
    let output = world.run(&["total", "echoserver", "--fail-under", "20.1"]).assert_code(5);
    assert_eq!(
        output.stderr,
        format!(
            "goc-watchdog: {ECHO}: 20.0% (2 of 10 statements) is below 20.1%, 1 more to cover\n\
             goc-watchdog: see goc-watchdog report {ECHO} --format text --sort uncovered\n"
        )
    );
    world.run(&["total", "echoserver", "--fail-under", "20"]).assert_code(0);
    world.run(&["total", "echoserver", "--max-age", "1h", "--min-replicas", "2"]).assert_code(0);
    world
        .run(&["total", "echoserver", "--min-replicas", "3"])
        .assert_code(5)
        .assert_stderr_contains("2 of 2 replicas answered, fewer than 3");
    let share = world.run(&["total", "echoserver", "--fail-under", "0.8"]).assert_code(0);
    assert_eq!(
        share.stderr,
        "goc-watchdog: warning: --fail-under 0.8% is less than one percent; write 80 for 80 percent\n"
    );
    let gated =
        world.run(&["total", "echoserver", "--format", "json", "--fail-under", "20", "--min-replicas", "3"]);
    assert_eq!(
        gated.assert_code(5).json()[0]["gates"],
        json!([
            {"gate": "fail_under", "result": "met", "figure": 20.0, "threshold": 20.0,
             "message": "20.0% (2 of 10 statements), at least 20% required"},
            {"gate": "min_replicas", "result": "unmet", "figure": 2.0, "threshold": 3.0,
             "message": "2 of 2 replicas answered, fewer than 3"},
        ])
    );
    world.execute("UPDATE schedule SET last_pull_at = '2020-01-01T00:00:00.000Z'");
    world
        .run(&["total", "echoserver", "--max-age", "1h"])
        .assert_code(5)
        .assert_stderr_contains("longer than 1h");
    let json = &world.run(&["total", "echoserver", "--format", "json"]).assert_code(0).json()[0];
    assert_eq!((&json["covered"], &json["total"], &json["percent"]), (&2.into(), &10.into(), &20.0.into()));
    assert_eq!(json["replicas"], serde_json::json!({ "answered": 2, "known": 2 }));
}

#[test]
fn an_ambiguous_name_lists_the_candidates_and_an_unknown_one_the_nearest() {
    let world = World::new();
    let names = ["staging_th_apa_one_master_0123456789", "staging_th_apa_two_master_0123456789"];
    let agents = names.map(|name| world.start(name, &echo()));
    world.pull(0);
    let output = world.run(&["total", "apa"]).assert_code(1);
    assert!(names.iter().all(|name| output.stderr.contains(name)), "{}", output.stderr);
    world.run(&["total", "apa_on"]).assert_code(0);
    world.run(&["total", "nothing_like_it"]).assert_code(1).assert_stderr_contains("nothing_like_it");
    drop(agents);
}

/// Returns the last two columns of the table of `history`.
fn totals_and_changes(table: &str) -> Vec<String> {
    let ends = table.lines().skip(1).filter_map(|line| line.rsplit_once('%'));
    ends.map(|(start, change)| {
        let total = start.rsplit(' ').next().unwrap_or_default();
        format!("{total}% {}", change.trim())
    })
    .collect()
}

#[test]
fn history_shows_each_row_and_its_change() {
    let (world, agents) = World::with_echo(1);
    for block in [0, 2, 3] {
        agents[0].hit(&[block], 1);
        world.pull(0);
    }
    let output = world.run(&["history", "echoserver"]).assert_code(0);
    assert_eq!(totals_and_changes(&output.stdout), ["20.0% new commit", "30.0% +10.0", "50.0% +20.0"]);
    let json =
        world.run(&["history", "echoserver", "--limit", "1", "--format", "json"]).assert_code(0).json();
    assert_eq!(json[0].as_array().unwrap().len(), 1);
    assert_eq!(json[0][0]["percent"], 50.0);
    assert_eq!(json[0][0]["is_latest"], true);
    let none = world.run(&["history", "echoserver", "--commit", "0000000"]);
    assert!(none.code != 0 || none.stdout.is_empty(), "{none:?}");
}

#[test]
fn nearly_all_and_hardly_anything_read_as_such_everywhere() {
    for (covered, shown, go) in [(2999, "99.9", "100.0"), (1, "0.1", "0.0")] {
        let world = World::new();
        let missed = 3000 - covered;
        let text = format!(
            "example.com/app/main.go:3.13,4.2 {covered} 1\nexample.com/app/main.go:4.2,5.2 {missed} 0\n"
        );
        let agent = world.start_counted("staging_th_app_master_0123456789", &text);
        world.pull(0);
        assert_eq!(world.run(&["total", "app"]).assert_code(0).stdout, format!("{shown}\n"));
        let percent =
            world.run(&["total", "app", "--format", "json"]).assert_code(0).json()[0]["percent"].clone();
        let unrounded = 100.0 * f64::from(covered) / 3000.0;
        assert!((percent.as_f64().unwrap() - unrounded).abs() < 1e-9, "{percent}");
        for arguments in [
            &["list"][..],
            &["list", "--explain", "app"],
            &["history", "app"],
            &["report", "app", "--format", "text"],
            &["report", "app", "--format", "markdown"],
            &["report", "app", "--format", "badge"],
            &["report", "app", "--format", "html"],
            &["total", "app", "--fail-under", "100"],
        ] {
            let Output { stdout, stderr, .. } = world.run(arguments);
            let all = stdout + &stderr;
            assert!(all.contains(shown) && !all.contains(&format!("{go}%")), "{arguments:?}: {all}");
        }
        world.run(&["report", "--all", "--format", "site", "-o", "site"]);
        for page in ["site/index.html", "site/app/index.html", "site/app/staging/th/badge.svg"] {
            let page = fs::read_to_string(world.home().join(page)).unwrap();
            assert!(page.contains(&format!("{shown}%")) && !page.contains(&format!("{go}%")), "{page}");
        }
        drop(agent);
    }
}

#[test]
fn history_compares_a_row_with_its_own_commit_and_tells_where_a_commit_began() {
    let (world, [old, new]) = World::with_two_commits();
    new.hit(&[2], 1);
    world.pull(0);
    old.hit(&[3], 1);
    world.pull(0);
    let output = world.run(&["history", "echoserver"]).assert_code(0);
    assert_eq!(
        totals_and_changes(&output.stdout),
        ["50.0% new commit", "10.0% new commit", "20.0% +10.0", "70.0% +20.0"]
    );
    let rows = world.run(&["history", "echoserver", "--format", "json"]).assert_code(0).json().remove(0);
    let figures =
        |name: &str| rows.as_array().unwrap().iter().map(|row| row[name].clone()).collect::<Vec<_>>();
    assert_eq!(figures("delta"), [json!(null), json!(-40.0), json!(10.0), json!(50.0)]);
    assert_eq!(figures("commit_delta"), [json!(null), json!(null), json!(10.0), json!(20.0)]);
    assert_eq!(figures("new_commit"), [json!(true), json!(true), json!(false), json!(false)]);
}

#[test]
fn colours_come_only_where_they_are_asked_for() {
    let (world, _agents) = World::with_echo(1);
    world.pull(0);
    assert!(!world.run(&["list"]).stdout.contains('\u{1b}'));
    assert!(world.run(&["list", "--color", "always"]).stdout.contains('\u{1b}'));
}

#[test]
fn a_wrong_command_line_ends_with_2() {
    let world = World::new();
    world.run(&["pul"]).assert_code(2).assert_stderr_contains("pull");
    world.run(&["total"]).assert_code(2);
    world.run(&["pull", "--timeout", "soon"]).assert_code(2).assert_stderr_contains("soon");
    world.run(&["total", "x", "--fail-under", "101"]).assert_code(2);
    for arguments in [
        &["pull", "--timeout", "15M"][..],
        &["pull", "--wait", "15M"],
        &["prune", "--confirm-over", "15M"],
        &["total", "x", "--max-age", "15M"],
    ] {
        world.run(arguments).assert_code(2).assert_stderr_contains("M is a month; write \"15m\" for minutes");
    }
    world.run(&["report", "x", "--max-age", "1y"]).assert_code(2).assert_stderr_contains("has years");
    world.configure("[pull]\nsteps = [\"15M\"]\n");
    world.run(&["list"]).assert_code(1).assert_stderr_contains("M is a month");
}

#[test]
fn a_closed_pipe_is_no_error() {
    use std::process::Stdio;
    let (world, _agents) = World::with_echo(1);
    world.pull(0);
    let mut child = world
        .command(&["list", "--format", "json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stderr.len()), (Some(0), 0));
}

#[test]
fn the_recorded_list_of_a_real_center_is_read() {
    let recorded = include_str!("fixtures/wire/list.http");
    let (_, body) = recorded.split_once("\r\n\r\n").unwrap();
    let world = World::new();
    world.center.set_list_answer("200 OK", body);
    let list = &world.run(&["list", "--format", "json"]).assert_code(0).json()[0];
    assert_eq!(list[0]["service"], "staging_th_apa_echoserver_master_e9d29985fd");
    let addresses: Vec<&str> =
        list[0]["addresses"].as_array().unwrap().iter().map(|it| it["address"].as_str().unwrap()).collect();
    assert_eq!(addresses, ["http://127.0.0.1:36715", "http://127.0.0.1:40261", "http://192.0.2.2:36715"]);
}

/// A sample: the metric's name, its labels, and its value.
pub(crate) type Sample = (String, BTreeMap<String, String>, String);

/// Reads Prometheus' text format strictly: HELP, TYPE, then the samples of that metric, none of them twice.
#[track_caller]
pub(crate) fn samples(text: &str) -> Vec<Sample> {
    let mut read: Vec<Sample> = Vec::new();
    let (mut helped, mut typed) = (Vec::new(), Vec::new());
    assert!(text.is_empty() || text.ends_with('\n'));
    for line in text.split_terminator('\n') {
        if let Some(help) = line.strip_prefix("# HELP ") {
            let (name, _) = help.split_once(' ').expect("a text");
            assert!(!helped.contains(&name), "{line}");
            helped.push(name);
        } else if let Some(kind) = line.strip_prefix("# TYPE ") {
            let (name, kind) = kind.split_once(' ').expect("a type");
            assert_eq!((Some(&name), kind), (helped.last(), "gauge"), "{line}");
            typed.push(name);
        } else {
            let (name, rest) = line.split_once('{').unwrap_or_else(|| panic!("{line}"));
            assert_eq!(Some(&name), typed.last(), "{line}");
            let (labels, value) = labels(rest);
            assert!(value.parse::<f64>().is_ok_and(f64::is_finite), "{line}");
            let sample = (name.to_owned(), labels, value.to_owned());
            assert!(read.iter().all(|(name, labels, _)| (name, labels) != (&sample.0, &sample.1)), "{line}");
            read.push(sample);
        }
    }
    read
}

fn labels(mut rest: &str) -> (BTreeMap<String, String>, &str) {
    let mut labels = BTreeMap::new();
    loop {
        let (name, after) = rest.split_once("=\"").unwrap();
        assert!(name.bytes().all(|byte| byte.is_ascii_lowercase()), "{name}");
        let mut value = String::new();
        let mut characters = after.chars();
        loop {
            match characters.next().expect("a closing quote") {
                '"' => break,
                '\\' => value.push(match characters.next() {
                    Some('n') => '\n',
                    Some(c @ ('\\' | '"')) => c,
                    other => panic!("\\{other:?}"),
                }),
                c => value.push(c),
            }
        }
        assert!(labels.insert(name.to_owned(), value).is_none(), "{name} twice");
        rest = characters.as_str();
        match rest.strip_prefix(',') {
            Some(next) => rest = next,
            None => return (labels, rest.strip_prefix("} ").unwrap()),
        }
    }
}

fn owned<const N: usize>(pairs: [(&str, &str); N]) -> BTreeMap<String, String> {
    BTreeMap::from(pairs.map(|(name, value)| (name.to_owned(), value.to_owned())))
}

/// Returns the values of a service by metric, without the common prefix.
fn values_for(samples: &[Sample], service: &str) -> BTreeMap<String, String> {
    let value = |(name, labels, value): &Sample| {
        let name = name.strip_prefix("goc_watchdog_").unwrap().to_owned();
        (labels.get("service").map(String::as_str) == Some(service)).then_some((name, value.clone()))
    };
    samples.iter().filter_map(value).collect()
}

#[test]
fn metrics_are_given_only_for_known_values() {
    let (world, agents) = World::with_echo(3);
    agents[0].hit(&[0], 1);
    agents[2].kill();
    world.pull(3);
    let never = "staging_th_never_master_0123456789";
    let _never = world.start(never, &echo());
    let at = |sql| {
        let milliseconds =
            DateTime::parse_from_rfc3339(&world.query::<String>(sql)).unwrap().timestamp_millis().to_string();
        let (seconds, fraction) = milliseconds.split_at(10);
        format!("{seconds}.{fraction}").trim_end_matches('0').trim_end_matches('.').to_owned()
    };
    let pulled = at("SELECT last_pull_at FROM schedule");
    let retry = at("SELECT next_try_at FROM address WHERE failures > 0");
    let read = samples(&world.run(&["list", "--format", "prometheus"]).assert_code(0).stdout);

    let mut of_echo = values_for(&read, ECHO);
    let age = of_echo.remove("data_age_seconds").unwrap();
    assert!((0.0..600.0).contains(&age.parse().unwrap()), "{age}");
    let expected = [
        ("coverage_ratio", "0.2"),
        ("statements_covered", "2"),
        ("statements", "10"),
        ("data_timestamp_seconds", pulled.as_str()),
        ("replicas_up", "2"),
        ("replicas_known", "3"),
        ("pull_errors", "1"),
        ("next_due_timestamp_seconds", retry.as_str()),
        ("service_info", "1"),
        ("service_state", "1"),
    ];
    assert_eq!(of_echo, owned(expected));
    let (_, labels, _) = read.iter().find(|(_, labels, _)| labels.values().any(|it| it == ECHO)).unwrap();
    let expected = [
        ("service", ECHO),
        ("env", "staging"),
        ("region", "th"),
        ("app", "apa_goc_echoserver"),
        ("branch", "master"),
        ("commit", "845820727e"),
    ];
    assert_eq!(*labels, owned(expected));

    let of_never: Vec<String> = values_for(&read, never).into_keys().collect();
    let expected =
        ["next_due_timestamp_seconds", "pull_errors", "replicas_known", "replicas_up", "service_state"];
    assert_eq!(of_never, expected);
    let center = owned([("center", world.center.url().as_str())]);
    assert_eq!(read.last(), Some(&("goc_watchdog_center_up".to_owned(), center, "1".to_owned())));

    // The time of an overdue pull stays in the past, so that an alert can tell for how long.
    world.execute("UPDATE schedule SET next_due_at = '2020-01-01T00:00:00.000Z'");
    world.execute("UPDATE address SET next_try_at = '2020-01-01T00:00:00.000Z' WHERE failures > 0");
    let read = samples(&world.run(&["list", "--offline", "--format", "prometheus"]).assert_code(0).stdout);
    assert_eq!(values_for(&read, ECHO)["next_due_timestamp_seconds"], "1577836800");
    assert!(read.iter().all(|(name, ..)| name != "goc_watchdog_center_up"), "none was asked");
    assert!(values_for(&read, never).is_empty());
}

#[test]
fn metrics_of_a_center_that_is_away_are_the_stored_ones_and_say_so() {
    let (mut world, _agents) = World::with_echo(1);
    world.pull(0);
    world.center.stop();
    let center = world.center.url();
    let with_password = center.replace("http://", "http://user:password@");
    let text = world.run(&["list", "--format", "prometheus"]).assert_code(3).stdout;
    assert_eq!(values_for(&samples(&text), ECHO)["replicas_up"], "1");
    world.configure(&format!("center = \"{with_password}\"\n"));
    let mut command = world.command(&["list", "--format", "prometheus"]);
    let text = output_of(command.env_remove("GOC_CENTER")).assert_code(3).stdout;
    assert_eq!(text.lines().last().unwrap(), format!("goc_watchdog_center_up{{center=\"{center}\"}} 0"));
}

#[test]
fn services_of_a_center_that_is_asked_no_more_are_offline_and_not_up() {
    let (world, agents) = World::with_echo(1);
    world.pull(0);
    let new = "staging_th_new_master_0123456789";
    let (mut moved, old) = (Center::start(), world.center.url());
    moved.register(new, &agents[0]);
    let moved_to = moved.url();
    let to_new = |arguments: &[&str]| world.run(&[arguments, &["--center", &moved_to]].concat());
    let states = |arguments: &[&str]| -> Vec<String> {
        let listed = &world.run(arguments).assert_code(0).json()[0];
        let state = |it: &Value| {
            let (name, state) = (it["service"].as_str().unwrap(), it["state"].as_str().unwrap());
            format!("{name} {state} {}/{}", it["replicas"]["up"], it["replicas"]["known"])
        };
        listed.as_array().unwrap().iter().map(state).collect()
    };
    let offline = ["list", "--offline", "--format", "json"];

    // A pull of services by name does not tell which centers are in use.
    to_new(&["pull", new]).assert_code(0);
    assert_eq!(states(&offline)[0], format!("{ECHO} ok 1/1"));

    to_new(&["pull", "--force"]).assert_code(0);
    assert_eq!(states(&offline), [format!("{ECHO} offline 0/0"), format!("{new} ok 1/1")]);
    let output = world.run(&["list", "--offline"]).assert_code(0);
    let message = format!("warning: center \"{old}\": not asked since ");
    assert!(output.stderr.contains(&message), "{}", output.stderr);
    assert!(output.stderr.ends_with("UTC; 1 service that only it listed is offline\n"), "{}", output.stderr);
    assert!(output.stdout.contains("offline, not asked since "), "{}", output.stdout);
    let explained = world.run(&["list", "--offline", "--explain", ECHO]).stdout;
    assert!(explained.contains("no center lists it, not asked since "), "{explained}");
    let read = samples(&world.run(&["list", "--offline", "--format", "prometheus"]).assert_code(0).stdout);
    let of_echo = values_for(&read, ECHO);
    assert_eq!((of_echo["replicas_up"].as_str(), of_echo["replicas_known"].as_str()), ("0", "0"));
    assert!(!of_echo.contains_key("next_due_timestamp_seconds"));
    let site = world.home().join("site");
    world.run(&["report", "--all", "--format", "site", "-o", site.to_str().unwrap()]);
    let index: Value = serde_json::from_slice(&fs::read(site.join("index.json")).unwrap()).unwrap();
    let state_and_up = |name: &str| {
        index["services"].as_array().unwrap().iter().find(|it| it["service"] == name).unwrap()["state"]
            .clone()
    };
    assert_eq!((state_and_up(ECHO), state_and_up(new)), ("offline".into(), "ok".into()));

    // A center that did not answer was asked, too.
    moved.stop();
    to_new(&["pull", "--force"]).assert_code(3);
    assert_eq!(states(&offline), [format!("{ECHO} offline 0/0"), format!("{new} ok 1/1")]);
    // The same holds for a center of which nothing is known.
    world.run(&["pull", "--center", "http://127.0.0.1:1"]).assert_code(1);
    assert_eq!(states(&offline), [format!("{ECHO} offline 0/0"), format!("{new} offline 0/0")]);

    world.pull(0);
    assert_eq!(states(&offline)[0], format!("{ECHO} ok 1/1"));
}

#[test]
fn a_database_that_does_not_tell_which_centers_were_asked_counts_all() {
    let (world, _agents) = World::with_echo(1);
    world.pull(0);
    world.downgrade_to(8);
    world.run(&["prune", "--retention-only"]).assert_code(0);
    let listed = &world.run(&["list", "--offline", "--format", "json"]).assert_code(0).json()[0];
    assert_eq!((&listed[0]["state"], &listed[0]["not_asked_since"]), (&"ok".into(), &Value::Null));
}

/// Names that would break a line or a label, or end it early.
const HOSTILE_NAMES: [&str; 8] = [
    "a\",x=\"y",
    "a\\",
    "a\\n",
    "a\nb",
    "a\rb",
    "\u{1b}[31m} 1",
    "\u{202e}\u{2028}é日本",
    "staging_th_a\"b\\\n_master_0123456789",
];

/// Returns a name as a label shows it: control characters reach no terminal raw.
fn as_label(name: &str) -> String {
    name.replace('\r', r"\r").replace('\u{1b}', r"\u{1b}")
}

#[test]
fn hostile_names_are_labels_and_nothing_else() {
    let world = World::new();
    let agents = HOSTILE_NAMES.map(|name| world.start(name, &echo()));
    world.pull(0);
    let read = samples(&world.run(&["list", "--format", "prometheus"]).assert_code(0).stdout);
    for name in HOSTILE_NAMES {
        assert_eq!(values_for(&read, &as_label(name))["statements"], "10", "{name:?}");
    }
    let apps: Vec<&str> =
        read.iter().filter_map(|(_, labels, _)| labels.get("app").map(|it| &**it)).collect();
    assert!(apps.contains(&"a\"b\\\n"), "{apps:?}");
    drop(agents);
}

#[test]
fn metrics_are_read_by_a_client_of_prometheus() {
    if !has_program(&["python3", "-c", "import prometheus_client.parser"]) {
        return;
    }
    let world = World::new();
    let agents = HOSTILE_NAMES.map(|name| world.start(name, &echo()));
    agents[0].hit(&[0], 1);
    world.pull(0);
    world.run(&["list", "--format", "prometheus", "-o", "metrics.prom"]).assert_code(0);
    let script = "
import json, sys
from prometheus_client.parser import text_fd_to_metric_families
read = {}
for family in text_fd_to_metric_families(open(sys.argv[1], newline='\\n')):
    assert family.type == 'gauge' and family.documentation, family
    for sample in family.samples:
        read.setdefault(sample.name, {})[sample.labels.get('service', '')] = sample.value
json.dump(read['goc_watchdog_coverage_ratio'], sys.stdout)";
    let mut command = std::process::Command::new("python3");
    let output = command.args(["-c", script, "metrics.prom"]).current_dir(world.home()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let read: BTreeMap<String, f64> = serde_json::from_slice(&output.stdout).unwrap();
    let expected =
        HOSTILE_NAMES.map(|name| (as_label(name), if name == HOSTILE_NAMES[0] { 0.2 } else { 0.0 }));
    assert_eq!(read, BTreeMap::from(expected));
    drop(agents);
}

#[test]
fn a_list_goes_to_a_file_whole_or_not_at_all_and_others_may_read_it() {
    let (world, _agents) = World::with_echo(1);
    world.pull(0);
    let folder = world.home().join("textfile");
    std::fs::create_dir(&folder).unwrap();
    let (file, before) = (folder.join("goc.prom"), folder.join("before"));
    std::fs::write(&file, "old").unwrap();
    // A hard link still has the old text, so the new file took the place of the old one.
    std::fs::hard_link(&file, &before).unwrap();
    let path = file.to_str().unwrap();
    for (arguments, begin) in [
        (&["list", "--color", "always"][..], "ENV     "),
        (&["list", "--format", "json"], "[{\"addresses\":"),
        (&["list", "--explain", "echoserver"], ECHO),
        (&["list", "--format", "prometheus"], "# HELP goc_watchdog_coverage_ratio "),
    ] {
        let output = world.run(&[arguments, &["-o", path]].concat()).assert_code(0);
        assert_eq!((output.stdout.as_str(), output.stderr.as_str()), ("", ""));
        let text = std::fs::read_to_string(&file).unwrap();
        assert!(text.starts_with(begin) && !text.contains('\u{1b}'), "{text}");
    }
    assert_eq!(std::fs::read_to_string(&before).unwrap(), "old");
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 2, "nothing else is left there");
    let umask = std::process::Command::new("sh").args(["-c", "umask"]).output().unwrap().stdout;
    let umask = u32::from_str_radix(String::from_utf8(umask).unwrap().trim(), 8).unwrap();
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o666 & !umask);

    world
        .run(&["list", "--format", "prometheus", "-o", "nosuch/goc.prom"])
        .assert_code(1)
        .assert_stderr_contains("nosuch/goc.prom");
    world
        .run(&["list", "--format", "prometheus", "--explain", "echoserver"])
        .assert_code(2)
        .assert_stderr_contains("--explain");
}

#[test]
fn white_space_around_a_center_is_no_part_of_it_and_its_password_is_not_shown() {
    let (world, _agents) = World::with_covered_echo();
    let with_center = |arguments: &[&str], center: &str| {
        let mut command = world.command(arguments);
        output_of(command.env("GOC_CENTER", center))
    };
    let url = world.center.url();
    with_center(&["pull"], &format!("{url}\n")).assert_code(0);
    with_center(&["pull", "--force"], &format!(" {url}, {url}\n")).assert_code(0);
    let wrong = with_center(&["list"], "http://user:secret@127.0.0.1:1?token=secret\nx").assert_code(2);
    assert_eq!(wrong.stdout, "", "what is stored would hide the slip");
    assert!(wrong.stderr.lines().all(|line| line.starts_with("goc-watchdog: ")), "{}", wrong.stderr);
    assert!(!wrong.stderr.contains("secret") && wrong.stderr.contains("***"), "{}", wrong.stderr);
    for command in ["pull", "prune"] {
        let both = format!("{url},http://user:secret@127.0.0.1:1");
        let output = with_center(&[command, "--format", "json"], &both);
        assert!(
            output.stdout.contains(r#""silent_centers":["http://***@127.0.0.1:1"]"#),
            "{}",
            output.stdout
        );
        assert!(!format!("{output:?}").contains("secret"), "{output:?}");
    }
    assert_eq!(world.query::<i64>("SELECT count(*) FROM asked_center WHERE url LIKE '%secret%'"), 0);
    // A mistake in the URL must not make all services look unlisted.
    let state =
        || world.run(&["list", "--offline", "--format", "json"]).assert_code(0).json()[0][0]["state"].clone();
    with_center(&["pull"], &url).assert_code(0);
    let before = state();
    with_center(&["pull"], "127.0.0.1:7777").assert_code(2);
    assert_eq!((&before, &state()), (&"ok".into(), &before));
}

#[test]
fn names_from_outside_are_no_commands_and_no_message_is_endless() {
    let world = World::new();
    let name = "::error::\u{1b}[31mx";
    world.center.register_url(name, &format!("http://{}", "y".repeat(100_000)));
    let output = world.run(&["pull", "--force"]).assert_code(3);
    let list = world.run(&["list"]);
    let prometheus = world.run(&["list", "--format", "prometheus"]).stdout;
    for text in [&output.stderr, &output.stdout, &list.stdout, &list.stderr] {
        assert!(!text.lines().any(|line| line.trim_start().starts_with("::")), "{text}");
        assert!(text.len() < 10_000, "{} bytes", text.len());
    }
    assert!(!prometheus.contains('\u{1b}') && prometheus.contains(r"\\u{1b}[31m"), "{prometheus}");
    // Scripts get the whole list.
    assert!(world.run(&["list", "--format", "json"]).stdout.len() > 100_000);
}

#[test]
fn a_file_that_cannot_be_made_is_named_as_it_was_given() {
    let (world, _agents) = World::with_echo(1);
    world.run(&["pull"]).assert_code(0);
    let output = world.run(&["list", "--offline", "-o", "nowhere/list.txt"]).assert_code(1);
    output.assert_stderr_contains("cannot create \"nowhere/list.txt\": No such file or directory");
}
