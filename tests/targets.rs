//! Targets: processes that no center lists, from files, standard input and commands.

use std::fs::{self, OpenOptions};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use rustix::fs::OFlags;
use serde_json::{Value, json};

use crate::harness::users::{NOBODY, can_change_user, change_owner};
use crate::harness::{ECHO, MAIN_BLOCK, Output, PING_BLOCK, World, echo, make_script, output_of};
use crate::sim::Agent;

/// Starts an echo process that registers nowhere, and whose first block was executed once.
fn process() -> Agent {
    let agent = Agent::start(&echo());
    agent.hit(&[MAIN_BLOCK], 1);
    agent
}

/// Host and port of a process.
fn place(agent: &Agent) -> String {
    agent.url().trim_start_matches("http://").to_owned()
}

/// A group of Prometheus' `file_sd` with these processes.
fn group(agents: &[&Agent], labels: &Value) -> Value {
    let targets: Vec<String> = agents.iter().map(|agent| place(agent)).collect();
    json!({ "targets": targets, "labels": labels })
}

impl World {
    /// Writes a file beside the root.
    fn list_targets(&self, name: &str, list: &Value) -> PathBuf {
        let path = self.home().join(name);
        fs::write(&path, list.to_string()).unwrap();
        path
    }

    /// Runs the binary where no center is named.
    fn run_alone(&self, arguments: &[&str]) -> Output {
        output_of(self.command(arguments).env_remove("GOC_CENTER"))
    }

    /// Runs the binary with text on its standard input, where no center is named.
    fn run_with_input(&self, arguments: &[&str], input: &str) -> Output {
        let mut command = self.command(arguments);
        command.env_remove("GOC_CENTER").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        let ended = child.wait_with_output().unwrap();
        Output {
            code: ended.status.code().unwrap(),
            stdout: String::from_utf8(ended.stdout).unwrap(),
            stderr: String::from_utf8(ended.stderr).unwrap(),
        }
    }

    /// Lists services by name with their states, where no center is named.
    fn states(&self, arguments: &[&str]) -> Vec<String> {
        let arguments = [&["list", "--format", "json"], arguments].concat();
        let output = self.run_alone(&arguments);
        let lines = output.json();
        let line = |line: &Value| {
            format!(
                "{} {} {}",
                line["service"].as_str().unwrap(),
                line["state"].as_str().unwrap(),
                line["replicas"]["up"]
            )
        };
        lines[0].as_array().unwrap().iter().map(line).collect()
    }
}

const LABELS: [(&str, &str); 5] = [
    ("env", "staging"),
    ("region", "th"),
    ("app", "apa_goc_echoserver"),
    ("branch", "master"),
    ("commit", "845820727e"),
];

fn labels() -> Value {
    Value::Object(LABELS.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect())
}

#[test]
fn processes_of_a_file_are_pulled_listed_and_reported_without_any_center() {
    let world = World::new();
    world.configure("");
    let agents = [process(), process()];
    agents[1].hit(&[PING_BLOCK], 3);
    let file = world.list_targets("targets.json", &json!([group(&[&agents[0], &agents[1]], &labels())]));
    let output = world.run_alone(&["pull", "--targets", file.to_str().unwrap()]).assert_code(0);
    assert_eq!(output.stderr, "");
    assert_eq!(world.echo_counts().iter().sum::<u64>(), 5);
    assert_eq!(world.run_alone(&["total", "echoserver"]).assert_code(0).stdout, "30.0\n");
    assert_eq!(world.states(&["--targets", "targets.json"]), [format!("{ECHO} ok 2")]);
    world.run_alone(&["report", "--all", "--format", "site", "-o", "site"]).assert_code(0);
    let site: Value =
        serde_json::from_slice(&fs::read(world.home().join("site/index.json")).unwrap()).unwrap();
    assert_eq!(site["services"][0]["targets"], json!([file.to_str().unwrap()]));
    assert_eq!(site["services"][0]["agents"], json!(["goc"]));
    let index = fs::read_to_string(world.home().join("site/index.html")).unwrap();
    let origin = format!(" title=\"targets {}\"", file.display());
    assert!(index.contains(&origin), "{index}");
    // Without the option nobody is asked, and what was listed last is shown.
    assert_eq!(world.states(&[]), [format!("{ECHO} ok 2")]);
    let again = world.run_alone(&["pull", "--force"]).assert_code(0);
    assert_eq!((again.stderr.as_str(), agents[0].pulls()), ("", 2));
    assert_eq!(world.center.list_requests(), 0);
    world.assert_consistent();
}

#[test]
fn standard_input_and_several_files_are_sources_with_names() {
    let world = World::new();
    let (one, two) = (process(), process());
    let first = json!([group(&[&one], &json!({"app": "one"}))]).to_string();
    world.list_targets("two.json", &json!([group(&[&two], &json!({"service": ECHO}))]));
    let sources = ["--targets", "-", "--targets", "second=two.json"];
    world.run_with_input(&[&["pull"], &sources[..]].concat(), &first).assert_code(0);
    let names: String =
        world.query("SELECT group_concat(name, ' ') FROM (SELECT name FROM target_source ORDER BY name)");
    assert_eq!(names, "second stdin");
    assert_eq!(world.states(&["--offline"]), ["one ok 1".to_owned(), format!("{ECHO} ok 1")]);
    let listed = world.run_with_input(&[&["list"], &sources[..]].concat(), &first).assert_code(0);
    assert!(listed.stdout.lines().next().unwrap().contains("TARGETS"), "{}", listed.stdout);
    assert!(listed.stdout.contains("stdin") && listed.stdout.contains("second"), "{}", listed.stdout);
    for (arguments, message) in [
        (&["pull", "--targets", "-", "--targets", "x=-"][..], "can be read once"),
        (&["list", "--targets", "x=a", "--targets", "x=b"], "two sources of targets are \"x\""),
        (&["prune", "--targets", ""], "expected FILE, NAME=FILE, or - for stdin"),
        (&["list", "--offline", "--targets", "a"], "cannot be used with"),
    ] {
        world.run_alone(arguments).assert_code(2).assert_stderr_contains(message);
    }
}

#[test]
fn a_run_that_waits_for_standard_input_holds_no_lock() {
    let world = World::new();
    let agent = process();
    let mut command = world.command(&["pull", "--targets", "-"]);
    command.env_remove("GOC_CENTER").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut waiting = command.spawn().unwrap();
    // More than a pipe holds, so it is written once the run has begun to read.
    let blanks = vec![b' '; 1 << 20];
    waiting.stdin.as_mut().unwrap().write_all(&blanks).unwrap();
    // The other run is not kept from the lock.
    let list = json!([group(&[&agent], &labels())]);
    let file = world.list_targets("x.json", &list);
    world.run_alone(&["pull", "--targets", file.to_str().unwrap()]).assert_code(0);
    assert_eq!(waiting.try_wait().unwrap(), None, "the run with standard input waits for it");
    let mut input = waiting.stdin.take().unwrap();
    input.write_all(list.to_string().as_bytes()).unwrap();
    drop(input);
    let ended = waiting.wait_with_output().unwrap();
    assert_eq!(ended.status.code(), Some(0), "{}", String::from_utf8_lossy(&ended.stderr));
}

#[test]
fn standard_input_that_does_not_end_is_left_at_the_deadline() {
    let world = World::new();
    // The time is over when the run begins to read.
    let mut command = world.command(&["pull", "--targets", "-", "--deadline", "0s"]);
    command.env_remove("GOC_CENTER").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut waiting = command.spawn().unwrap();
    let input = waiting.stdin.take();
    let ended = waiting.wait_with_output().unwrap();
    drop(input);
    let stderr = String::from_utf8(ended.stderr).unwrap();
    assert_eq!(ended.status.code(), Some(3), "{stderr}");
    assert!(
        stderr.contains("targets \"stdin\": nothing was complete after 0s; it listed nothing before"),
        "{stderr}"
    );
}

#[test]
fn what_left_the_list_is_offline_and_other_sources_are_not_judged() {
    let world = World::new();
    let (one, two, three) = (process(), process(), process());
    let service = |app: &str| json!({"app": app, "commit": "1234567"});
    world.list_targets("a.json", &json!([group(&[&one], &service("one")), group(&[&two], &service("two"))]));
    world.list_targets("b.json", &json!([group(&[&three], &service("three"))]));
    world.run_alone(&["pull", "--targets", "a.json", "--targets", "b.json"]).assert_code(0);
    world.list_targets("a.json", &json!([group(&[&one], &service("one"))]));
    world.run_alone(&["pull", "--force", "--targets", "a.json"]).assert_code(0);
    let expected = ["one_1234567 ok 1", "three_1234567 offline 0", "two_1234567 offline 0"];
    assert_eq!(world.states(&["--offline"]), expected);
    let listed = world.run_alone(&["list", "--targets", "a.json"]).assert_code(0);
    let three = listed.stdout.lines().find(|line| line.contains("three")).unwrap();
    assert!(three.contains("offline, not asked since"), "{three}");
    let two = listed.stdout.lines().find(|line| line.contains("two")).unwrap();
    assert!(!two.contains("not asked"), "{two}");
    let offline = world.run_alone(&["list", "--offline"]).assert_code(0);
    let b = world.home().join("b.json");
    offline.assert_stderr_contains(&format!("targets \"{}\": not asked since ", b.display()));
    // A list without entries empties the source; the stored data stays.
    world.list_targets("a.json", &json!([]));
    world.run_alone(&["pull", "--targets", "a.json"]).assert_code(0);
    assert_eq!(world.states(&["one", "--offline"]), ["one_1234567 offline 0"]);
    let waiting = world.run_alone(&["pull", "-v", "--targets", "a.json"]).assert_code(0);
    waiting.assert_stderr_contains("one_1234567: not pulled, no source of targets lists it");
    let explained = world.run_alone(&["list", "--explain", "one", "--offline"]).assert_code(0);
    assert!(explained.stdout.contains("no source of targets lists it"), "{}", explained.stdout);
    assert_eq!(world.run_alone(&["total", "one"]).assert_code(0).stdout, "20.0\n");
}

#[test]
fn a_target_that_never_answered_is_named_offline_while_its_list_has_it() {
    let world = World::new();
    let (one, two) = (process(), process());
    one.kill();
    let labels = json!({"env": "staging", "app": "one"});
    let file = world.list_targets("a.json", &json!([group(&[&one], &labels), group(&[&two], &labels)]));
    let pull = |code: i32| drop(world.run_alone(&["pull", "--targets", "a.json"]).assert_code(code));
    pull(3);
    let offline = || world.run_alone(&["list", "--offline"]).assert_code(0).stderr;
    let said = format!(
        "target \"{}\": it did not answer (no connection: connection refused), so its service is not known; next try ",
        one.url()
    );
    assert_eq!(offline().matches(&said).count(), 1, "{}", offline());
    // Where the source is asked, the table has it.
    let listed = world.run_alone(&["list", "--targets", file.to_str().unwrap()]);
    assert!(listed.stdout.contains("1/2"), "{}", listed.stdout);
    // The next list, which is read after its next try, does not have it any more.
    world.execute("UPDATE address SET next_try_at = '2026-01-01T00:00:00Z' WHERE failures > 0");
    world.list_targets("a.json", &json!([group(&[&two], &labels)]));
    pull(0);
    assert!(!offline().contains(&one.url()), "{}", offline());
}

#[test]
fn an_address_that_nobody_lists_any_more_is_forgotten_with_the_old_history() {
    let world = World::new();
    let (one, two, three, other) = (process(), process(), process(), process());
    let service = |app: &str| json!({"app": app, "commit": "1234567"});
    let list = |of_one: &[&Agent], others: &[&Agent]| {
        let groups = json!([group(of_one, &service("one")), group(others, &service("other"))]);
        let file = world.list_targets("x.json", &groups);
        world.run_alone(&["pull", "--force", "--targets", file.to_str().unwrap()]).assert_code(0);
    };
    list(&[&one, &two, &three], &[&other]);
    list(&[&one, &two], &[]);
    world.let_days_pass(20);
    list(&[&one], &[]);
    world.let_days_pass(20);
    let prune = || drop(world.run_alone(&["prune", "--retention-only"]).assert_code(0));
    prune();
    let mut left = world
        .query::<String>("SELECT group_concat(address) FROM target")
        .split(',')
        .map(str::to_owned)
        .collect::<Vec<_>>();
    left.sort_unstable();
    // The states of addresses go with them.
    let with_state = world.query::<i64>("SELECT count(DISTINCT address) FROM address");
    assert_eq!(with_state, 3);
    // The last address of a service stays: it tells when the service was listed.
    let mut expected = [&one, &two, &other].map(|agent| agent.url().clone());
    expected.sort_unstable();
    assert_eq!(left, expected);
    assert_eq!(world.states(&["--offline"]), ["one_1234567 ok 1", "other_1234567 offline 0"]);
}

#[test]
fn a_failed_source_stands_by_its_last_list() {
    let world = World::new();
    let agents = [process(), process()];
    let file = world.list_targets("x.json", &json!([group(&[&agents[0], &agents[1]], &labels())]));
    let pull = || world.run_alone(&["pull", "--force", "--targets", "x=x.json"]);
    pull().assert_code(0);
    agents[1].kill();
    for (text, message) in [
        ("", "targets \"x\": it is empty; pulling the addresses it listed "),
        ("[{", "targets \"x\": no list of targets: EOF"),
        ("{\"kind\": \"Status\"}", "an object of kind \"Status\" without \"items\""),
        (
            "{\"kind\": \"List\", \"items\": [{\"kind\": \"Deployment\", \"metadata\": {\"name\": \"echo\"}}]}",
            "a list of objects of kind \"Deployment\", not of pods",
        ),
    ] {
        fs::write(&file, text).unwrap();
        agents[0].hit(&[PING_BLOCK], 1);
        let before = agents[0].pulls();
        pull().assert_code(3).assert_stderr_contains(message);
        assert_eq!(agents[0].pulls(), before + 1);
    }
    fs::remove_file(&file).unwrap();
    let json = world.run_alone(&["pull", "--targets", "x=x.json", "--format", "json"]).assert_code(3).json();
    assert_eq!(json.last().unwrap()["summary"]["failed_sources"], json!(["x"]));
    let listed = world.run_alone(&["list", "--targets", "x=x.json"]).assert_code(3);
    listed.assert_stderr_contains("No such file or directory (os error 2); showing what it listed ");
    let metrics =
        world.run_alone(&["list", "--targets", "x=x.json", "--format", "prometheus"]).assert_code(3);
    assert!(metrics.stdout.contains("goc_watchdog_targets_up{targets=\"x\"} 0\n"), "{}", metrics.stdout);
    assert!(metrics.stdout.contains(",targets=\"x\"} 2\n"), "{}", metrics.stdout);
    let info = ",commit=\"845820727e\",agent=\"goc\",targets=\"x\"} 1\n";
    assert!(metrics.stdout.contains(info), "{}", metrics.stdout);
    world.assert_consistent();
}

#[test]
fn one_bad_entry_costs_the_others_nothing() {
    let world = World::new();
    let agent = process();
    let targets = json!([
        {"targets": ["b\u{1b}[31m:0"], "labels": labels()},
        {"targets": ["127.0.0.1:1"], "labels": {"env": "staging"}},
        {"targets": ["169.254.169.254:80"], "labels": {"app": "x"}},
        {"targets": ["d:1"], "labels": {"app": "x", "agent": "raw"}},
        group(&[&agent], &labels()),
    ]);
    world.list_targets("x.json", &targets);
    let output = world.run_alone(&["pull", "--targets", "x=x.json"]).assert_code(3);
    for line in [
        "targets \"x\": \"b\\u{1b}[31m:0\": it holds white space or a control character; it is left out",
        "targets \"x\": \"http://127.0.0.1:1\": it does not answer (no connection: connection refused), so its app, which no \
         label names, is not known; it is left out",
        "targets \"x\": \"http://169.254.169.254\": it does not answer (no connection: \
         169.254.169.254 is a link-local address, which cloud metadata services use; it may be allowed by [pull] \
         allow_addresses), so its commit, which no label names, is not known; it is left out",
        "targets \"x\": \"d:1\": an agent raw needs both labels, meta and counters; it is left out",
    ] {
        assert!(output.stderr.contains(line), "{line}\n{}", output.stderr);
    }
    assert_eq!(world.echo_counts().iter().sum::<u64>(), 1);
}

#[test]
fn a_number_of_restarts_that_no_database_holds_is_unknown() {
    let world = World::new();
    let agent = process();
    let port: u16 = place(&agent).split(':').next_back().unwrap().parse().unwrap();
    let pod = json!({
        "metadata": {"name": "echo-0", "annotations": {"goc-watchdog/service": ECHO}},
        "spec": {"containers": [{"name": "main", "ports": [{"name": "coverage", "containerPort": port}]}]},
        "status": {
            "phase": "Running", "podIP": "127.0.0.1",
            "containerStatuses": [{"name": "main", "restartCount": 9_223_372_036_854_775_808_u64}],
        },
    });
    let file = world.list_targets("pods.json", &json!({ "items": [pod] }));
    world.run_alone(&["pull", "--targets", file.to_str().unwrap()]).assert_code(0);
    let stored = world.query::<String>("SELECT pod || ' ' || coalesce(restarts, 'unknown') FROM target");
    assert_eq!(stored, "echo-0 unknown");
}

#[test]
fn pods_of_kubectl_are_targets_by_their_annotations_and_ports() {
    let world = World::new();
    let agent = process();
    let (host, port) =
        place(&agent).rsplit_once(':').map(|(host, port)| (host.to_owned(), port.to_owned())).unwrap();
    let pod = |name: &str, phase: &str, annotations: Value| {
        json!({
            "kind": "Pod",
            "metadata": {"name": name, "namespace": "staging", "uid": "u", "annotations": annotations,
                         "labels": {"region": "th", "app.kubernetes.io/name": "apa_goc_echoserver", "branch": "master"}},
            "spec": {"containers": [{"name": "main"}]},
            "status": {"phase": phase, "podIP": host, "containerStatuses": [{"name": "main", "restartCount": 2}]},
        })
    };
    let annotations =
        json!({"goc-watchdog/port": port, "goc-watchdog/commit": "845820727e", "goc-watchdog/x": "y"});
    let pods = json!({"kind": "List", "items": [
        pod("echo-0", "Running", annotations.clone()),
        pod("echo-1", "Pending", annotations),
        pod("other", "Running", json!({})),
    ]});
    let output =
        world.run_with_input(&["pull", "-v", "--targets", "kube=-"], &pods.to_string()).assert_code(0);
    assert!(
        output.stderr.contains(
            "targets \"kube\": pods that are no targets: 1 without an annotation goc-watchdog/... or a port named \
             coverage, 1 not running"
        ),
        "{}",
        output.stderr
    );
    output.assert_stderr_contains("targets \"kube\": labels without a meaning here: goc-watchdog/x");
    assert_eq!(world.states(&["--offline"]), [format!("{ECHO} ok 1")]);
    let facts: String = world.query("SELECT pod || ' ' || uid || ' ' || restarts FROM target");
    assert_eq!(facts, "echo-0 u 2");
    let explained = world.run_alone(&["list", "--offline", "--explain", "echoserver"]).assert_code(0);
    assert!(explained.stdout.contains("listed by targets \"kube\""), "{}", explained.stdout);
}

#[test]
fn a_center_and_sources_that_list_one_address_count_it_once() {
    let (world, agents) = World::with_covered_echo();
    world.list_targets("x.json", &json!([group(&[&agents[0]], &labels())]));
    world.list_targets("y.json", &json!([group(&[&agents[0]], &json!({"app": "other"}))]));
    let sources = ["--targets", "x.json", "--targets", "y.json"];
    world.run(&[&["pull"], &sources[..]].concat()).assert_code(0);
    assert_eq!((agents[0].pulls(), world.echo_counts().iter().sum::<u64>()), (1, 1));
    assert_eq!(world.row_count(), 1);
    let json = world.run(&[&["list", "--format", "json"], &sources[..]].concat()).assert_code(0).json();
    assert_eq!(json[0][1]["replicas"], json!({"up": 1, "known": 1}));
    let said = world.run(&[&["pull", "-v", "--force"], &sources[..]].concat()).assert_code(0).stderr;
    let (address, source) = (agents[0].url(), world.home().join("x.json").display().to_string());
    let line = format!(
        "other: not pulled, \"{address}\" counts for another service, under which targets \"{source}\" has it\n"
    );
    assert!(said.contains(&line), "{said}");
}

#[test]
fn one_process_under_several_names_of_its_host_is_counted_once() {
    let world = World::new();
    let agent = process();
    let port = agent.url().rsplit(':').next().unwrap().to_owned();
    let (ip, name) = (format!("127.0.0.1:{port}"), format!("localhost:{port}"));
    let spellings = [
        &ip,
        &name,
        &format!("http://LOCALHOST:{port}/"),
        &format!("localhost.:{port}"),
        &format!("127.0.0.1.:{port}"),
        &format!("[::1]:{port}"),
        &format!("[::ffff:127.0.0.1]:0{port}"),
    ];
    world.list_targets("a.json", &json!([{"targets": spellings, "labels": labels()}]));
    world.list_targets("b.json", &json!([{"targets": [name], "labels": labels()}]));
    world.list_targets("c.json", &json!([{"targets": [ip], "labels": labels()}]));
    for (times, sources) in
        [(1, &["a", "b"][..]), (2, &["b", "c"]), (3, &["c"]), (4, &["b"]), (5, &["b", "a"])]
    {
        let options: Vec<String> =
            sources.iter().flat_map(|name| ["--targets".to_owned(), format!("{name}.json")]).collect();
        let options: Vec<&str> = options.iter().map(String::as_str).collect();
        world.run_alone(&[&["pull", "--force"], &options[..]].concat()).assert_code(0);
        assert_eq!(agent.pulls(), times);
        assert_eq!(world.states(&options), [format!("{ECHO} ok 1")]);
        assert_eq!(world.query::<i64>("SELECT count(*) FROM generation"), 1);
    }
    for by_hand in [&ip, &name] {
        world.run_alone(&["pull", ECHO, "--address", by_hand]).assert_code(0);
    }
    assert_eq!(world.query::<i64>("SELECT count(*) FROM generation"), 1);
    world.assert_consistent();
}

#[test]
fn a_pull_without_sources_keeps_the_order_in_which_they_were_given() {
    let world = World::new();
    let agent = process();
    world.list_targets("a.json", &json!([group(&[&agent], &json!({"app": "later"}))]));
    world.list_targets("b.json", &json!([group(&[&agent], &json!({"app": "first"}))]));
    let pull =
        |arguments: &[&str]| world.run_alone(&[&["pull", "--force"], arguments].concat()).assert_code(0);
    pull(&["--targets", "b.json", "--targets", "a.json"]);
    assert_eq!(world.states(&["--offline"]), ["first ok 1"]);
    pull(&[]);
    assert_eq!(world.states(&[]), ["first ok 1"]);
    assert_eq!(
        world.query::<String>("SELECT group_concat(app_name) FROM goc_o_staging_service_cover"),
        "first"
    );
    // The order of the configuration is the one of a run that it gives its sources.
    pull(&["--targets", "a.json", "--targets", "b.json"]);
    assert_eq!(world.states(&[]), ["first offline 0", "later ok 1"]);
}

#[test]
fn an_address_by_hand_needs_no_center() {
    let world = World::new();
    world.configure("");
    let agent = process();
    let pull = || world.run_alone(&["pull", ECHO, "--address", &agent.url()]);
    let output = pull().assert_code(0);
    assert_eq!((output.stderr.as_str(), world.echo_counts().iter().sum::<u64>()), ("", 1));
    agent.hit(&[PING_BLOCK], 1);
    pull().assert_code(0);
    assert_eq!(world.echo_counts().iter().sum::<u64>(), 2);
    // The scheme may be left out, as in a list of targets.
    let pulls = agent.pulls();
    world.run_alone(&["pull", ECHO, "--address", &place(&agent)]).assert_code(0);
    assert_eq!(agent.pulls(), pulls + 1);
    let raw = world.run_alone(&["pull", "--raw", "--address", &place(&agent)]).assert_code(0);
    assert!(raw.stdout.starts_with("mode: "), "{}", raw.stdout);
    // A center that is named has to answer.
    world
        .run_alone(&["pull", ECHO, "--address", &agent.url(), "--center", "http://127.0.0.1:1"])
        .assert_code(3);
}

#[test]
fn prune_has_nothing_to_remove_from_targets_and_says_so() {
    let world = World::new();
    let agent = process();
    world.list_targets("x.json", &json!([group(&[&agent], &labels())]));
    world.run_alone(&["pull", "--targets", "x=x.json"]).assert_code(0);
    agent.kill();
    for arguments in [
        &["prune", "--targets", "x=x.json"][..],
        &["prune", "--dry-run", "--targets", "x=x.json"],
        &["prune"],
    ] {
        let output = world.run_alone(arguments).assert_code(0);
        assert!(output.stderr.contains("there is nothing to remove"), "{arguments:?} {}", output.stderr);
        assert_eq!(
            output.stderr.contains("targets \"x\": 1 target;"),
            arguments.len() > 1,
            "{}",
            output.stderr
        );
    }
    assert_eq!(world.states(&["--offline"]), [format!("{ECHO} ok 1")]);
    world.run_alone(&["prune", "--targets", "nosuch.json"]).assert_code(3);
}

#[test]
fn a_configured_command_lists_targets_where_only_its_user_can_have_written_it() {
    let world = World::new();
    let agent = process();
    let list = world.list_targets("x.json", &json!([group(&[&agent], &labels())]));
    let script = world.home().join("list");
    make_script(
        &script,
        &format!("echo \"$@\" >> {}/arguments; cat {}", world.home().display(), list.display()),
    );
    world.configure(&format!(
        "[[targets]]\nname = \"kube\"\ncommand = [{:?}, \"get pods\", \"$HOME\"]\n",
        script.display().to_string()
    ));
    let config = world.root().join("goc-watchdog.toml");
    let set_mode = |mode| fs::set_permissions(&config, fs::Permissions::from_mode(mode)).unwrap();
    for folder in [world.home(), &world.root()] {
        fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).unwrap();
    }
    for mode in [0o664, 0o646] {
        set_mode(mode);
        for arguments in [&["pull"][..], &["pull", "--dry-run"], &["list"]] {
            let output = world.run_alone(arguments).assert_code(2);
            output.assert_stderr_contains(
                "is run only where nobody but this user and root can write the configuration",
            );
        }
    }
    if can_change_user() {
        set_mode(0o644);
        change_owner(&config, NOBODY);
        let refused = world.run_alone(&["pull"]).assert_code(2);
        assert!(!refused.stderr.contains("chmod"), "{}", refused.stderr);
        refused.assert_stderr_contains(
            "belongs to user 65534 and has mode 644; give it to this user (chown), or ",
        );
        change_owner(&config, 0);
    }
    assert!(!world.home().join("arguments").exists());
    // What replaces the command, or does not run it, needs no such care.
    world.run_alone(&["pull", "--targets", "x.json"]).assert_code(0);
    assert_eq!(world.states(&["--offline"]), [format!("{ECHO} ok 1")]);
    set_mode(0o644);
    world.run_alone(&["pull", "--force"]).assert_code(0);
    assert_eq!(world.states(&[]), [format!("{ECHO} ok 1")]);
    let pruned = world.run_alone(&["prune"]).assert_code(0);
    pruned.assert_stderr_contains("[[targets]]: files are not read and commands are not run");
    assert_eq!(
        fs::read_to_string(world.home().join("arguments")).unwrap(),
        "get pods $HOME\nget pods $HOME\n"
    );
    make_script(&script, "printf 'x\\n\\033[31mno access\\n' >&2; exit 1");
    let output = world.run_alone(&["pull", "--force"]).assert_code(3);
    output.assert_stderr_contains(
        "ended with exit status: 1: \\u{1b}[31mno access; pulling the addresses it listed ",
    );
    assert_eq!(agent.pulls(), 3);
}

#[test]
fn one_file_is_one_source_however_its_path_is_written() {
    let world = World::new();
    let agent = process();
    let list = world.list_targets("list.json", &json!([group(&[&agent], &labels())]));
    fs::create_dir_all(world.home().join("sub")).unwrap();
    let parent = world.home().join("sub/../list.json");
    for path in [list.to_str().unwrap(), "list.json", "./list.json", parent.to_str().unwrap()] {
        world.run_alone(&["pull", "--force", "--targets", path]).assert_code(0);
    }
    let sources: String = world.query("SELECT group_concat(name, ' ') FROM target_source");
    assert_eq!(sources, list.to_str().unwrap());
    let twice = world.run_alone(&["list", "--targets", "list.json", "--targets", list.to_str().unwrap()]);
    twice.assert_code(2).assert_stderr_contains("two sources of targets are \"");
}

#[test]
fn a_text_that_is_no_commit_is_named_with_the_next_step() {
    let world = World::new();
    let (one, two) = (process(), process());
    let named = json!({"service": ECHO, "commit": "v1"});
    let list = json!([
        group(&[&one, &two], &json!({"app": "echo", "agent": "goc", "commit": "v1.2.3"})),
        group(&[&process()], &json!({"app": "other", "agent": "goc", "commit": "845820727E"})),
        group(&[&process()], &named),
    ]);
    let list = world.list_targets("x.json", &list);
    for command in [&["pull"][..], &["list"]] {
        let output = world.run_alone(&[command, &["--targets", "x.json"]].concat());
        let said = format!(
            "targets \"{}\": the commit \"v1.2.3\" of 2 targets is left out, because it is not 7 to 64 hex digits; let \
             it be the hash that git rev-parse prints",
            list.display()
        );
        assert_eq!(output.stderr.matches(&said).count(), 1, "{}", output.stderr);
        assert_eq!(output.stderr.matches("the commit \"").count(), 1, "{}", output.stderr);
    }
}

#[test]
fn a_target_that_never_answered_has_a_line_though_its_commit_or_app_is_not_known() {
    let world = World::new();
    let labels = [json!({"env": "st", "app": "x"}), json!({"env": "st"}), json!({})];
    let places = ["127.0.0.1:1", "127.0.0.1:2", "127.0.0.1:3"];
    let groups: Vec<Value> = places
        .iter()
        .zip(labels)
        .map(|(place, labels)| json!({"targets": [place], "labels": labels}))
        .collect();
    let file = world.list_targets("targets.json", &json!(groups));
    let targets = ["--targets", file.to_str().unwrap()];
    let names = ["127.0.0.1:3", "st_127.0.0.1:2", "st_x"];
    let expected = |state: &str| names.map(|name| format!("{name} {state} 0"));
    assert_eq!(world.states(&targets), expected("never_pulled"));
    world.run_alone(&["pull", targets[0], targets[1]]).assert_code(3);
    assert_eq!(world.states(&targets), expected("unreachable"));
    let output = world.run_alone(&["list", targets[0], targets[1]]).assert_code(3);
    assert!(output.stdout.contains("unreachable"), "{}", output.stdout);
}

#[test]
fn a_new_name_of_a_source_shows_its_addresses_under_the_services_that_they_had() {
    let world = World::new();
    let agent =
        crate::sim::Coverport::start(&crate::sim::BinaryProgram::from_profile("a.io/b/c.go:1.1,2.2 1\n"));
    agent.tell_commit("845820727e");
    let place = agent.url().trim_start_matches("http://").to_owned();
    let list = json!([{"targets": [place], "labels": {"env": "st", "app": "x"}}]).to_string();
    world.run_with_input(&["pull", "--targets", "old=-"], &list).assert_code(0);
    let listed = world.run_with_input(&["list", "--targets", "new=-", "--format", "json"], &list);
    let lines = listed.assert_code(0).json();
    let names: Vec<&Value> = lines[0].as_array().unwrap().iter().map(|line| &line["service"]).collect();
    assert_eq!(names, ["st_x_845820727e"]);
}

#[test]
fn what_a_run_does_not_store_is_not_said_to_be_said_once() {
    let world = World::new();
    let agent = process();
    let list = json!([group(&[&agent], &json!({"env": "st", "app": "x"}))]).to_string();
    for options in [&["-n"][..], &["--raw", "st_x"]] {
        let arguments = [&["pull", "--targets", "-"], options].concat();
        let said = world.run_with_input(&arguments, &list).assert_code(0).stderr;
        assert!(said.contains("or the label commit\n"), "{said}");
    }
}

#[test]
fn a_relative_file_of_the_configuration_is_below_the_root_wherever_a_run_begins() {
    let world = World::new();
    let agent = process();
    let list = world.list_targets("list.json", &json!([group(&[&agent], &labels())]));
    fs::create_dir_all(world.root().join("lists")).unwrap();
    fs::rename(&list, world.root().join("lists/list.json")).unwrap();
    let run = || {
        for folder in ["/", world.home().to_str().unwrap()] {
            let mut command = world.command(&["pull", "--force"]);
            output_of(command.env_remove("GOC_CENTER").current_dir(folder)).assert_code(0);
        }
    };
    world.configure("[[targets]]\nname = \"static\"\nfile = \"lists/list.json\"\n");
    run();
    assert_eq!(agent.pulls(), 2);
    // A command and its arguments are below the root, too.
    for folder in [world.home(), &world.root()] {
        fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).unwrap();
    }
    make_script(&world.root().join("lists/print"), "cat \"$1\"");
    world.configure("[[targets]]\nname = \"static\"\ncommand = [\"lists/print\", \"lists/list.json\"]\n");
    run();
    assert_eq!(agent.pulls(), 4);
}

#[test]
fn a_command_that_hangs_is_ended_with_its_children() {
    let world = World::new();
    let script = world.home().join("list");
    let fifo = world.home().join("fifo");
    assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    // The end of the pipe comes when the last process that could write into it is gone.
    let mut pipe = OpenOptions::new()
        .read(true)
        .custom_flags(OFlags::NONBLOCK.bits().cast_signed())
        .open(&fifo)
        .unwrap();
    make_script(
        &script,
        &format!("exec 9>{fifo:?}; echo begun >&9; (sleep 30; echo lived >&9) & sleep 30; echo lived >&9"),
    );
    world.configure(&format!(
        "[[targets]]\nname = \"kube\"\ncommand = [{:?}]\ndeadline = \"2s\"\n",
        script.display().to_string()
    ));
    for folder in [world.home(), &world.root(), &world.root().join("goc-watchdog.toml")] {
        fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let output = world.run_alone(&["pull"]).assert_code(3);
    output
        .assert_stderr_contains("targets \"kube\": nothing was complete after 2s; it listed nothing before");
    rustix::fs::fcntl_setfl(&pipe, OFlags::empty()).unwrap();
    let mut said = String::new();
    pipe.read_to_string(&mut said).unwrap();
    assert_eq!(said, "begun\n");
}

#[test]
fn no_message_about_a_list_shows_the_password_of_an_address() {
    let world = World::new();
    for target in ["u:SECRET@127.0.0.1:1", "http://u:SECRET@127.0.0.1:1", "127.0.0.1:1/?token=SECRET"] {
        let list = json!([{ "targets": [target], "labels": { "service": ECHO } }]);
        let file = world.list_targets("list.json", &list);
        let output = world.run_alone(&["pull", "--targets", file.to_str().unwrap()]);
        assert!(output.stderr.contains("user name, a query"), "{}", output.stderr);
        assert!(!output.stderr.contains("SECRET"), "{}", output.stderr);
    }
}

#[test]
fn a_misspelt_label_of_a_target_without_an_app_is_told_with_the_one_that_was_meant() {
    let world = World::new();
    let (agent, other) = (process(), process());
    let list = json!([
        group(&[&agent, &other], &json!({"servcie": "staging_th_echo_master_845820727e", "team": "pay"})),
        group(&[&agent], &json!({"app": "echo", "comit": "845820727e"})),
    ]);
    let path = world.list_targets("x.json", &list);
    let pulled = world.run_alone(&["pull", "--targets", path.to_str().unwrap()]).assert_code(3);
    let said = "\"servcie\" of 2 targets has no meaning, did you mean \"service\"?\n";
    assert!(pulled.stderr.contains(said), "{}", pulled.stderr);
    assert!(!pulled.stderr.contains("comit\"") && !pulled.stderr.contains("team"), "{}", pulled.stderr);
    let pod = json!({"items": [{
        "metadata": {"namespace": "staging", "name": "echo-0", "labels": {"app.kubernetes.io/name": "echo"},
            "annotations": {"goc-watchdog/prot": "1"}},
        "spec": {"containers": [{"name": "echo"}]},
        "status": {"phase": "Running", "podIP": "127.0.0.1"},
    }]});
    let path = world.list_targets("pods.json", &pod);
    let listed = world.run_alone(&["list", "--targets", path.to_str().unwrap()]);
    listed.assert_stderr_contains(
        "\"goc-watchdog/prot\" of 1 target has no meaning, did you mean \"goc-watchdog/port\"?\n",
    );
}

#[test]
fn entries_of_one_address_that_contradict_each_other_are_told_with_the_next_step() {
    let world = World::new();
    let agent = process();
    let labels = |app: &str| json!({"env": "staging", "app": app, "commit": "845820727e"});
    let list = json!([group(&[&agent], &labels("echo")), group(&[&agent], &labels("other"))]);
    let path = world.list_targets("x.json", &list);
    let said = "it is listed several times, as services that contradict each other (staging_echo_845820727e, \
                staging_other_845820727e), and counts for one of them at most; list it under the service whose process \
                answers there";
    for arguments in [&["pull", "--force"][..], &["pull", "--force"], &["list"]] {
        let output = world.run_alone(&[arguments, &["--targets", path.to_str().unwrap()]].concat());
        assert_eq!(output.stderr.matches(said).count(), 1, "{}", output.stderr);
    }
}
