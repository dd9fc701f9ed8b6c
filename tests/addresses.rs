//! Listed addresses that must not be asked: metadata services of clouds, and the center itself.

use std::io::Write as _;
use std::net::TcpStream;
use std::sync::{Arc, OnceLock};

use crate::harness::{ECHO, World, echo};
use crate::sim::{AfterAnswer, Proxy, Request, Server, sized};

/// Addresses that lead to a metadata service: directly, inside of another address, or in a spelling that only a
/// resolver reads.
const METADATA: [&str; 8] = [
    "http://169.254.169.254:80",
    "https://169.254.169.254",
    "http://2852039166:82",
    "http://[::ffff:169.254.169.254]:81",
    "http://[64:ff9b:1:a9fe:a9:fe00::]:80",
    "http://[fd00:ec2::23]:80",
    "http://168.63.129.16:80",
    "http://192.0.0.192:80",
];

fn port_of(url: &str) -> &str {
    url.rsplit_once(':').unwrap().1
}

#[test]
fn no_metadata_service_is_asked_through_a_proxy() {
    let (world, agents) = World::with_covered_echo();
    let proxy = Proxy::start();
    for url in METADATA {
        world.center.register_url(ECHO, url);
    }
    let output = world.run(&["pull", "--force", "--proxy", &proxy.url()]).assert_code(3);
    assert_eq!(
        output.stderr.matches("it may be allowed by [pull] allow_addresses").count(),
        METADATA.len(),
        "{}",
        output.stderr
    );
    assert_eq!(world.echo_counts(), [0, 0, 0, 0, 1, 0]);
    let own =
        [port_of(&world.center.url()), port_of(&agents[0].url())].map(|port| format!("127.0.0.1:{port}"));
    let targets = proxy.targets();
    assert!(targets.iter().all(|target| own.contains(target)), "{targets:?}");
    assert!(own.iter().all(|own| targets.contains(own)), "{targets:?}");
}

/// Makes a name that no resolver can ask a server for: a label has at most 63 bytes.
fn unresolvable() -> String {
    format!("http://{}:80", "x".repeat(64))
}

#[test]
fn a_proxy_that_cannot_be_reached_is_named_in_place_of_the_address() {
    let (world, _agents) = World::with_echo(1);
    let refused = "http://127.0.0.1:1";
    let named =
        format!("no connection to the proxy \"{refused}\" (--proxy, or proxy in [pull]): connection refused");
    let error = world.run(&["pull", "--proxy", refused]).assert_code(1).stderr;
    assert!(error.contains(&named), "{error}");
    let error = world.run(&["pull", "--proxy", "foo://user:hush@x"]).assert_code(1).stderr;
    let expected = "\"foo://***@x\" is not a proxy, expected a URL such as \"http://proxy:3128\" (--proxy, or proxy in [pull])";
    assert!(error.contains(expected), "{error}");
    world.pull(0);
    let output = world.run(&["pull", "--force", "-v", "--proxy", refused]).assert_code(3);
    let told = output.stdout + &output.stderr;
    assert_eq!(told.matches(&named).count(), 2, "of the center and of the process: {told}");
}

#[test]
fn a_name_that_only_the_proxy_can_resolve_is_asked_for_only_where_that_is_allowed() {
    let (world, _agents) = World::with_covered_echo();
    let proxy = Proxy::start();
    world.center.register_url(ECHO, &unresolvable());
    let target = unresolvable().replace("http://", "");
    let pull = || world.run(&["pull", "--force", "--proxy", &proxy.url()]).assert_code(3);
    pull().assert_stderr_contains(
        "is not resolved on this host, so its address cannot be checked ([pull] proxy_resolves)",
    );
    assert!(!proxy.targets().contains(&target), "{:?}", proxy.targets());
    world.configure("[pull]\nproxy_resolves = true\n");
    pull();
    assert!(proxy.targets().contains(&target), "{:?}", proxy.targets());
}

#[test]
fn the_center_listed_as_a_process_is_refused_in_every_spelling() {
    let (world, _agents) = World::with_covered_echo();
    let port = port_of(&world.center.url()).to_owned();
    let spellings = [
        format!("http://127.0.0.1:{port}"),
        format!("HTTP://localhost:{port}/"),
        format!("http://127.0.0.2:{port}"),
        format!("http://127.1:{port}"),
        format!("http://0.0.0.0:{port}"),
        format!("http://[::1]:{port}"),
    ];
    for url in &spellings {
        world.center.register_url(ECHO, url);
    }
    let proxy = Proxy::start();
    for options in [&[][..], &["--proxy", &proxy.url()]] {
        let output = world.run(&[&["pull", "--force"], options].concat()).assert_code(3);
        assert_eq!(
            output
                .stderr
                .matches(&format!("is the address of the center \"{}\"", world.center.url()))
                .count(),
            // The spellings 127.1 and 127.0.0.1 mean one address.
            spellings.len() - 1,
            "{}",
            output.stderr
        );
    }
    // Processes at other ports of the same host are still asked.
    assert_eq!(world.echo_counts(), [0, 0, 0, 0, 1, 0]);
    let named = world.run(&["pull", "--raw", "--address", &world.center.url()]).assert_code(1);
    named.assert_stderr_contains("is the address of the center");
}

#[test]
fn the_center_listed_as_a_process_is_not_taken_for_a_dead_one() {
    let world = World::new();
    let _agent = world.start(ECHO, &echo());
    world.center.register_url(ECHO, &world.center.url());
    world.run(&["prune"]).assert_code(0);
    assert_eq!(world.query::<i64>("SELECT count(*) FROM suspicion"), 0);
}

#[test]
fn a_center_that_answers_as_a_process_too_is_asked_as_one() {
    let world = World::new();
    let url: Arc<OnceLock<String>> = Arc::default();
    let own = Arc::clone(&url);
    let answer = move |request: &Request, stream: &mut TcpStream| {
        let body = match request.path.as_str() {
            "/v1/cover/list" => format!("{{\"{ECHO}\":[\"{}\"]}}", own.get().unwrap()),
            "/v1/cover/coverage" => "0.5".to_owned(),
            _ => "mode: count\nexample.com/a/b.go:1.1,2.2 1 5\nexample.com/a/b.go:3.1,4.2 1 0\n".to_owned(),
        };
        stream.write_all(&sized("200 OK", "", body.as_bytes()))?;
        Ok(AfterAnswer::KeepAlive)
    };
    let server = Server::start(([127, 0, 0, 1], 0).into(), Arc::new(answer)).unwrap();
    let center = url.get_or_init(|| format!("http://{}", server.address()));
    for _ in 0..2 {
        // The first pull asks the center for its profile, the second one peeks at it.
        world.run(&["pull", "--center", center]).assert_code(0);
    }
    assert_eq!(world.run(&["total", "echoserver"]).assert_code(0).stdout, "50.0\n");
}

#[test]
fn an_address_with_a_password_is_refused_before_anything_is_stored() {
    let world = World::new();
    let output = world.run(&["pull", ECHO, "--address", "http://u:SECRETPW@127.0.0.1:1/?token=SECRETTOK"]);
    let output = output.assert_code(2).assert_stderr_contains("it holds a user name, a query or a fragment");
    assert!(!output.stderr.contains("SECRET"), "{}", output.stderr);
    assert!(!world.root().join("sqlite.db").exists());
}
