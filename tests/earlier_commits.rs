//! Lists after many deploys: what fails and what runs stands first, and earlier commits do not fill them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use serde_json::Value;

use crate::harness::{World, echo};
use crate::list::{Sample, samples};
use crate::sim::Agent;
use crate::terminals::{assert_fits, run_at};

fn name(app: &str, commit: usize) -> String {
    format!("staging_th_{app}_master_00000{commit:02}")
}

/// Twelve commits of `cart`, the last of which runs; three of `pay`, none of which runs; one of `shop`, which fails.
struct Deploys {
    world: World,
    agents: BTreeMap<String, Agent>,
}

impl Deploys {
    fn new() -> Self {
        let world = World::new();
        let commits = (1..=12).map(|commit| ("cart", commit));
        let commits = commits.chain((1..=3).map(|commit| ("pay", commit))).chain([("shop", 1)]);
        let start = |(app, commit): (&str, usize)| {
            let agent = world.start(&name(app, commit), &echo());
            if app == "cart" {
                agent.hit(&[0], 1);
            }
            (name(app, commit), agent)
        };
        let agents: BTreeMap<String, Agent> = commits.map(start).collect();
        world.pull(0);
        for (name, agent) in &agents {
            if name.contains("_cart_") && !name.ends_with("12") || name.contains("_pay_") {
                world.center.remove(&agent.url());
            }
        }
        agents[&name("shop", 1)].kill();
        world.run(&["pull", "--force"]).assert_code(3);
        // A later commit changed later, as it does when each one is deployed in turn.
        world.execute(
            "UPDATE schedule SET last_change_at = '2026-01-01T00:00:' || printf('%02d', key_id) || '.000Z'",
        );
        Self { world, agents }
    }

    fn list(&self, arguments: &[&str]) -> String {
        self.world.run(&[&["list"], arguments].concat()).assert_code(0).stdout
    }
}

/// App, commit and first word of the state of each row, and each line that is not one.
fn rows(text: &str) -> Vec<String> {
    let row = |line: &str| match line.split_whitespace().collect::<Vec<_>>()[..] {
        ["staging", "th", app, "master", commit, .., state] => format!("{app} {commit} {state}"),
        _ => line.to_owned(),
    };
    text.lines().skip(1).map(row).collect()
}

const SHOWN: [&str; 4] = [
    "shop 0000001 unreachable",
    "cart 0000012 ok",
    "pay 0000003 offline",
    "and 13 earlier commits of 2 apps, --all",
];

#[test]
fn what_fails_stands_first_then_what_runs_and_earlier_commits_are_counted() {
    let deploys = Deploys::new();
    assert_eq!(rows(&deploys.list(&[])), SHOWN, "a pipe gets what a terminal shows");
    for columns in [80, 100, 120] {
        let (code, text) = run_at(&deploys.world, columns, &["list"]);
        assert_eq!((code, rows(&text)), (Some(0), SHOWN.map(str::to_owned).to_vec()), "{columns}");
        assert_fits(&text, columns);
    }
    let all = rows(&deploys.list(&["--all"]));
    let offline = |app: &str, commits: std::ops::RangeInclusive<usize>| -> Vec<String> {
        commits.rev().map(|commit| format!("{app} 00000{commit:02} offline")).collect()
    };
    let expected = [SHOWN[..2].iter().map(|row| (*row).to_owned()).collect(), offline("cart", 1..=11)];
    assert_eq!(all, [expected.concat(), offline("pay", 1..=3)].concat(), "the newest commit first");
}

#[test]
fn a_name_of_which_nothing_runs_is_shown_with_all_its_commits() {
    let deploys = Deploys::new();
    let pay = ["pay 0000003 offline", "pay 0000002 offline", "pay 0000001 offline"];
    let cart = ["cart 0000012 ok"];
    let earlier_of_cart = ["and 11 earlier commits of cart, --all"];
    for (arguments, expected) in [
        (&["cart"][..], [&cart[..], &earlier_of_cart].concat()),
        (&["pay"], pay.to_vec()),
        (&["pay", "cart"], [&cart[..], &pay, &earlier_of_cart].concat()),
        (&["cart", "pay", "--state", "ok"], cart.to_vec()),
        (&["pay", "--state", "offline"], pay.to_vec()),
        (&["cart_master_0000011"], vec!["cart 0000011 offline"]),
        (
            &["cart_master_0000011", "cart_master_0000010"],
            vec!["cart 0000011 offline", "cart 0000010 offline"],
        ),
        (&["--commit", "0000002"], vec!["cart 0000002 offline", "pay 0000002 offline"]),
        (&["--commit", "0000001", "--state", "unreachable"], vec!["shop 0000001 unreachable"]),
    ] {
        assert_eq!(rows(&deploys.list(arguments)), expected, "{arguments:?}");
    }
    assert_eq!(rows(&deploys.list(&["--state", "offline"])).len(), 14);
    assert_eq!(rows(&deploys.list(&["--state", "offline", "--state", "ok"])).len(), 15);
    let none = deploys.world.run(&["list", "--state", "partial"]).assert_code(0);
    none.assert_stderr_contains("no service has this state; `goc-watchdog list` shows all");
}

#[test]
fn fields_that_only_offline_commits_have_show_all_of_these() {
    let world = World::new();
    let fix = |commit: usize| format!("staging_th_cart_fix_00000{commit:02}");
    let names = [name("cart", 1), name("cart", 2), fix(3), fix(4)];
    let agents = names.each_ref().map(|name| world.start(name, &echo()));
    world.pull(0);
    for at in [0, 2, 3] {
        world.center.remove(&agents[at].url());
    }
    let commits_and_end = |arguments: &[&str]| {
        let text = world.run(&[&["list"], arguments].concat()).assert_code(0).stdout;
        let in_rows = text.lines().filter(|line| line.starts_with("staging "));
        let commits: Vec<&str> = in_rows.map(|row| row.split_whitespace().nth(4).unwrap()).collect();
        let end = text.lines().last().filter(|line| line.starts_with("and "));
        (commits.join(" "), end.unwrap_or("nothing is left out").to_owned())
    };
    for (arguments, commits, end) in [
        (["--branch", "fix"], "0000004 0000003", "nothing is left out"),
        (["--branch", "master"], "0000002", "and 1 earlier commit of cart, --all"),
        (["--env", "staging"], "0000002 0000004", "and 2 earlier commits of cart, --all"),
    ] {
        assert_eq!(commits_and_end(&arguments), (commits.to_owned(), end.to_owned()), "{arguments:?}");
    }
}

#[test]
fn the_middle_of_a_long_app_is_left_out_below_a_narrow_table() {
    let world = World::new();
    let app = "a_service_with_a_name_that_is_longer_than_half_of_the_terminal_is_wide";
    let agents = [1, 2].map(|commit| world.start(&name(app, commit), &echo()));
    world.pull(0);
    world.center.remove(&agents[0].url());
    let (_, text) = run_at(&world, 80, &["list"]);
    assert_fits(&text, 80);
    let last = text.lines().last().unwrap();
    assert!(last.starts_with("and 1 earlier commit of a_service_with"), "{last}");
    assert!(last.contains('…') && last.ends_with("terminal_is_wide, --all"), "{last}");
    let piped = world.run(&["list"]).stdout;
    assert_eq!(piped.lines().last().unwrap(), format!("and 1 earlier commit of {app}, --all"));
}

#[test]
fn json_has_all_commits_in_the_order_of_names() {
    let deploys = Deploys::new();
    let names = |arguments: &[&str]| -> Vec<String> {
        let list = deploys.list(&[&["--format", "json"], arguments].concat());
        let list: Value = serde_json::from_str(&list).unwrap();
        list.as_array().unwrap().iter().map(|line| line["service"].as_str().unwrap().to_owned()).collect()
    };
    let sorted: Vec<&String> = deploys.agents.keys().collect();
    assert_eq!(names(&[]).iter().collect::<Vec<_>>(), sorted);
    assert_eq!(names(&["--all"]), names(&[]));
    assert_eq!(names(&["--state", "unreachable"]), [name("shop", 1)]);
    assert_eq!(names(&["--sort", "state"])[..3], [name("shop", 1), name("cart", 12), name("cart", 11)]);

    let text = deploys.list(&["--all", "--sort", "name"]);
    let of_row = |row: &String| row.rsplit_once(' ').unwrap().0.replace(' ', "_master_");
    let in_text: Vec<String> = rows(&text).iter().map(|row| format!("staging_th_{}", of_row(row))).collect();
    assert_eq!(in_text, names(&[]), "the table of earlier releases");
}

#[test]
fn a_list_is_sorted_by_total_by_change_and_by_the_last_listing() {
    let deploys = Deploys::new();
    let apps = |key: &str| -> Vec<String> {
        let text = deploys.list(&["--sort", key]);
        rows(&text)[..3].iter().map(|row| row.split(' ').next().unwrap().to_owned()).collect()
    };
    assert_eq!(apps("total"), ["shop", "pay", "cart"], "both have 0.0%, and one fails");
    assert_eq!(apps("changed"), ["shop", "pay", "cart"]);
    assert_eq!(apps("seen")[2], "pay");
    assert_eq!(apps("name"), ["cart", "pay", "shop"]);
    assert_eq!(apps("state"), ["shop", "cart", "pay"]);
    deploys.world.run(&["list", "--sort", "size"]).assert_code(2).assert_stderr_contains("possible values");
    deploys.world.run(&["list", "--explain", "pay", "--all"]).assert_code(2);
}

/// The services of these samples.
fn services(read: &[Sample]) -> BTreeSet<String> {
    read.iter().filter_map(|(_, labels, _)| labels.get("service").cloned()).collect()
}

#[test]
fn metrics_do_not_grow_with_each_deploy() {
    let deploys = Deploys::new();
    let metrics = |arguments: &[&str]| {
        services(&samples(&deploys.list(&[&["--format", "prometheus"], arguments].concat())))
    };
    let shown = [("cart", 12), ("pay", 3), ("shop", 1)].map(|(app, commit)| name(app, commit));
    assert_eq!(metrics(&[]), shown.into());
    assert_eq!(metrics(&["--all"]), deploys.agents.keys().cloned().collect());
    assert_eq!(metrics(&["pay"]), [name("pay", 3)].into(), "a service that ends gets no further series");
    assert_eq!(metrics(&["--commit", "0000002"]), [name("cart", 2), name("pay", 2)].into());

    // The figures of the commit before stay until the one that runs has some.
    deploys.world.center.remove(&deploys.agents[&name("cart", 12)].url());
    let new = deploys.world.start(&name("cart", 13), &echo());
    assert_eq!(metrics(&["cart"]), [name("cart", 12), name("cart", 13)].into());
    deploys.world.run(&["pull", "cart"]).assert_code(0);
    assert_eq!(metrics(&["cart"]), [name("cart", 13)].into());
    drop(new);
}

#[test]
fn each_state_has_one_word_in_json_metrics_table_and_site() {
    let world = World::new();
    let [late, gone, dead] = ["late", "gone", "dead"].map(|app| world.start(&name(app, 1), &echo()));
    let half = [world.start(&name("half", 1), &echo()), world.start(&name("half", 1), &echo())];
    world.pull(0);
    world.center.remove(&gone.url());
    world.pull(0);
    world.let_days_pass(1);
    let [fine, new] = ["fine", "new"].map(|app| world.start(&name(app, 1), &echo()));
    dead.kill();
    half[1].kill();
    world.run(&["pull", "fine", "half", "dead"]).assert_code(3);

    let expected = [
        ("dead", "unreachable"),
        ("fine", "ok"),
        ("gone", "offline"),
        ("half", "partial"),
        ("late", "overdue"),
        ("new", "never_pulled"),
    ];
    let expected: BTreeMap<String, String> =
        expected.into_iter().map(|(app, state)| (name(app, 1), state.to_owned())).collect();

    let metrics = samples(&world.run(&["list", "--format", "prometheus"]).assert_code(0).stdout);
    let states = metrics.iter().filter(|(metric, ..)| metric == "goc_watchdog_service_state");
    let states = states.map(|(_, labels, value)| {
        assert_eq!(value, "1");
        (labels["service"].clone(), labels["state"].clone())
    });
    assert_eq!(states.collect::<BTreeMap<_, _>>(), expected);

    let json = world.run(&["list", "--format", "json"]).assert_code(0).json()[0].clone();
    for line in json.as_array().unwrap() {
        let service = line["service"].as_str().unwrap();
        let is_overdue = expected[service] == "overdue";
        assert_eq!(line["overdue"], is_overdue, "{service}");
        let state = if is_overdue { "ok" } else { &expected[service] };
        assert_eq!(line["state"], state, "earlier releases have this word for {service}");
    }

    for (service, state) in &expected {
        for word in [state.clone(), state.replace('_', " ")] {
            let text = world.run(&["list", "--state", &word]).assert_code(0).stdout;
            let [row] = &text.lines().skip(1).collect::<Vec<_>>()[..] else { panic!("{text}") };
            assert!(row.ends_with(&format!("  {}", state.replace('_', " "))), "{service}: {row}");
            assert!(row.contains(service.split('_').nth(2).unwrap()), "{row}");
        }
    }

    let site = world.home().join("site");
    world.run(&["report", "--all", "--format", "site", "-o", site.to_str().unwrap()]);
    let index: Value = serde_json::from_slice(&fs::read(site.join("index.json")).unwrap()).unwrap();
    let by_service =
        |it: &Value| (it["service"].as_str().unwrap().to_owned(), it["state"].as_str().unwrap().to_owned());
    let in_json: BTreeMap<String, String> =
        index["services"].as_array().unwrap().iter().map(by_service).collect();
    assert_eq!(in_json, expected);
    let page = fs::read_to_string(site.join("index.html")).unwrap();
    for word in expected.values() {
        let phrase = word.replace('_', " ");
        assert!(
            page.contains(&format!("data-value=\"{word}\" disabled><b>1</b> {phrase}</button>")),
            "{word}"
        );
        assert!(page.contains(&format!("data-state=\"{word}\"")), "{word}");
    }
    drop((late, fine, new));
}
