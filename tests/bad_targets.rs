//! Addresses that fail: each one is named, changes nothing that is stored, and stops no other.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::harness::{ECHO, World, echo, has_program, output_of};
use crate::sim::{Agent, Behaviour, Program};

/// Pulls two replicas, the second of which behaves so. Checks that stored data stays and that the first one is taken
/// in, and returns the message about the second.
#[track_caller]
fn fault_of(behaviour: Behaviour, options: &[&str]) -> String {
    let (world, agents) = World::with_echo(2);
    agents[0].hit(&[0], 1);
    agents[1].hit(&[2], 1);
    world.pull(0);
    agents[0].hit(&[3], 1);
    agents[1].hit(&[4], 1);
    agents[1].behave(behaviour);
    let output = world.run(&[&["pull", "--force", "-q"], options].concat()).assert_code(3);
    assert_eq!(world.echo_counts(), [1, 0, 0, 1, 1, 0]);
    world.assert_consistent();
    assert_eq!(output.stderr.lines().count(), 1, "{}", output.stderr);
    let fault = output.fault(ECHO, &agents[1].url());
    let failure = world.query::<String>("SELECT last_error FROM address WHERE failures = 1");
    assert_eq!(failure, fault);
    fault
}

fn body(text: &str) -> Behaviour {
    Behaviour::Body(text.as_bytes().to_vec())
}

#[test]
fn a_hung_process_times_out() {
    assert_eq!(fault_of(Behaviour::Hang, &["--read-timeout", "2s"]), "timed out (connected, then silent)");
}

#[test]
fn a_dripping_process_times_out_as_a_whole() {
    let drip = Behaviour::Drip(Duration::from_millis(100));
    assert_eq!(fault_of(drip, &["--timeout", "2s"]), "timed out (the whole answer took too long)");
}

#[test]
fn a_cut_stream_is_a_failure_wherever_it_is_cut() {
    for cut in [5, 7, 8, 30, 200, 400] {
        let fault = fault_of(Behaviour::CutBefore(cut), &[]);
        assert!(fault.starts_with("the answer was cut short: "), "{cut}: {fault}");
    }
}

#[test]
fn processes_killed_in_mid_answer_are_failures_as_recorded() {
    for recorded in [
        &include_bytes!("fixtures/wire/agent-killed-mid-response.raw")[..],
        include_bytes!("fixtures/wire/agent-sigterm-mid-response.raw"),
    ] {
        let fault = fault_of(Behaviour::Raw(recorded.to_vec()), &[]);
        assert!(fault.starts_with("the answer was cut short: "), "{fault}");
    }
}

#[test]
fn an_answer_without_framing_is_not_believed() {
    let raw = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nmode: count\na/b.go:1.1,2.2 1 1\n".to_vec();
    let fault = fault_of(Behaviour::Raw(raw), &[]);
    assert!(fault.starts_with("answered without Content-Length or chunks"), "{fault}");
}

#[test]
fn a_page_of_a_proxy_is_no_profile() {
    let fault = fault_of(body("<!DOCTYPE html>\n<html><body>Sign in</body></html>\n"), &[]);
    assert_eq!(fault, "line 1: expected \"mode: set|count|atomic\", found \"<!DOCTYPE html>\"");
}

#[test]
fn an_error_of_goc_inside_the_body_is_shown_with_its_line() {
    let text = "mode: count\nexample.com/a/b.go:1.1,2.2 1 1\ninvalid block format, err: broken\n";
    let fault = fault_of(body(text), &[]);
    assert!(fault.starts_with("line 3: ") && fault.contains("invalid block format, err: broken"), "{fault}");
}

#[test]
fn an_empty_answer_is_no_profile() {
    let fault = fault_of(body(""), &[]);
    assert_eq!(fault, "line 1: expected \"mode: set|count|atomic\", found \"\"");
}

#[test]
fn an_answer_beyond_the_limit_is_broken_off() {
    let fault = fault_of(Behaviour::Endless("example.com/a/b.go:1.1,2.2 1 1\n"), &["--max-body", "1MiB"]);
    assert!(fault.contains("1048576"), "{fault}");
}

/// Makes a program of a thousand files with one block each.
fn thousand_files(module: usize) -> Program {
    let lines: Vec<String> = (0..1000).map(|file| format!("m/{module}/{file}.go:1.1,2.2 1")).collect();
    Program::from_profile(&lines.join("\n"))
}

/// Starts the echo program and one of a thousand files.
fn world_with_files(configuration: &str) -> (World, Vec<Agent>) {
    let (world, mut agents) = World::with_covered_echo();
    agents.push(world.start("staging_th_big_master_0123456789", &thousand_files(0)));
    world.configure(configuration);
    (world, agents)
}

#[test]
fn an_answer_of_too_many_files_or_blocks_names_the_limit_and_its_key() {
    for (configuration, fault) in [
        ("max_files = 999", "more than 999 files, the limit for one answer ([pull] max_files)"),
        ("max_blocks = 999", "more than 999 blocks, the limit for one answer ([pull] max_blocks)"),
        (
            "memory = \"300KiB\"",
            "decoding needs more memory than the 307200 bytes for all answers at once ([pull] memory)",
        ),
    ] {
        let (world, _agents) = world_with_files(&format!("[pull]\n{configuration}\n"));
        world.pull(3).assert_stderr_contains(fault);
        assert_eq!(world.echo_counts(), [0, 0, 0, 0, 1, 0]);
    }
}

#[test]
fn answers_that_together_need_more_memory_than_there_is_are_all_taken_in() {
    let (world, mut agents) = world_with_files("[pull]\nmemory = \"1MiB\"\n");
    for other in 1..8 {
        let name = format!("staging_th_other{other}_master_0123456789");
        agents.push(world.start(&name, &thousand_files(other)));
    }
    world.pull(0);
    assert_eq!(world.row_count(), 9);
}

#[test]
fn a_line_without_end_is_broken_off() {
    let fault = fault_of(Behaviour::Endless("xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"), &[]);
    assert!(fault.contains("line 2"), "{fault}");
}

#[test]
fn a_profile_without_its_last_newline_is_whole_where_its_length_is_told() {
    let text = "mode: count\nexample.com/a/b.go:1.1,2.2 1 7";
    let (world, agents) = World::with_echo(1);
    let sized = |bytes: usize| {
        let head = format!("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {bytes}\r\n\r\n");
        Behaviour::Raw(format!("{head}{text}").into_bytes())
    };
    let chunk = format!("{:x}\r\n{text}\r\n0\r\n\r\n", text.len());
    let chunked =
        format!("HTTP/1.1 200 OK\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n{chunk}");
    agents[0].behave(Behaviour::Raw(chunked.into_bytes()));
    world.pull(3).assert_stderr_contains("line 2: cut short");
    agents[0].behave(sized(text.len() + 1));
    world.pull(3).assert_stderr_contains("the answer was cut short");
    agents[0].behave(sized(text.len()));
    world.pull(0);
    assert_eq!(world.echo_counts(), [7]);
    // The next answer is the same, and is recognized as such.
    world.pull(0);
    assert_eq!(world.echo_counts(), [7]);
    let raw = world.run(&["pull", "--raw", "--address", &agents[0].url()]).assert_code(0);
    assert_eq!(raw.stdout, text);
}

#[test]
fn a_status_is_shown_with_the_start_of_its_body() {
    let fault = fault_of(Behaviour::Status("503 Service Unavailable", "upstream connect error\nmore"), &[]);
    assert_eq!(fault, "answered 503: \"upstream connect error…\"");
}

#[test]
fn redirects_are_not_followed() {
    let fault = fault_of(Behaviour::Redirect("http://169.254.169.254/latest".to_owned()), &[]);
    assert_eq!(
        fault,
        "answered 302: \"redirects are not followed, this one goes to http://169.254.169.254/latest\""
    );
}

#[test]
fn control_characters_of_a_body_never_reach_the_terminal() {
    let fault = fault_of(body("mode: count\n\u{1b}]0;owned\u{7}\n"), &[]);
    assert!(!fault.contains('\u{1b}') && !fault.contains('\u{7}'), "{fault:?}");
}

#[test]
fn an_agent_that_allows_only_post_is_asked_with_post() {
    let (world, agents) = World::with_echo(1);
    agents[0].behave(Behaviour::PostOnly);
    agents[0].hit(&[0], 1);
    world.pull(0);
    assert_eq!(world.echo_counts(), [0, 0, 0, 0, 1, 0]);
    assert_eq!(agents[0].pulls(), 2);
}

#[test]
fn metadata_addresses_are_never_dialled_unless_allowed() {
    let world = World::new();
    for url in [
        "http://169.254.169.254:80",
        "http://[fe80::1]:80",
        "http://100.100.100.200:80",
        // This is another spelling of the first address.
        "http://[::ffff:169.254.169.254]:80",
    ] {
        world.center.register_url(ECHO, url);
    }
    let output = world.pull(3);
    assert_eq!(
        output.stderr.matches("it may be allowed by [pull] allow_addresses").count(),
        3,
        "{}",
        output.stderr
    );
}

#[test]
fn addresses_that_cannot_be_dialled_are_failures_of_their_own() {
    let (world, _agents) = World::with_covered_echo();
    for url in ["http://127.0.0.1:99999", "127.0.0.1:80", "http://", "http://a b:80", "ftp://127.0.0.1:80"] {
        world.center.register_url(ECHO, url);
    }
    let output = world.pull(3);
    assert_eq!(output.stderr.matches("is not an address").count(), 5, "{}", output.stderr);
    assert_eq!(world.echo_counts(), [0, 0, 0, 0, 1, 0]);
}

#[test]
fn proxies_of_the_environment_are_not_used() {
    let (world, _agents) = World::with_covered_echo();
    let mut command = world.command(&["pull"]);
    for name in ["http_proxy", "HTTP_PROXY", "ALL_PROXY", "all_proxy"] {
        command.env(name, "http://127.0.0.1:1");
    }
    assert_eq!(command.status().unwrap().code(), Some(0));
    assert_eq!(world.echo_counts(), [0, 0, 0, 0, 1, 0]);
}

#[test]
fn a_failed_address_waits_for_a_retry_of_its_own() {
    let (world, agents) = World::with_echo(2);
    agents[1].kill();
    world.run(&["pull"]).assert_code(3);
    agents[1].revive();
    // The retry of the failed address is not due yet, nor is the backoff of the other one.
    world.run(&["pull", "--no-peek"]).assert_code(3);
    assert_eq!((agents[0].pulls(), agents[1].pulls()), (1, 0));
    world.execute("UPDATE address SET next_try_at = '2020-01-01T00:00:00.000Z' WHERE failures > 0");
    agents[1].hit(&[1], 1);
    world.run(&["pull", "--no-peek"]).assert_code(0);
    assert_eq!((agents[0].pulls(), agents[1].pulls()), (1, 1));
    assert_eq!(world.echo_counts(), [0, 0, 0, 0, 0, 1]);
}

#[test]
fn a_hundred_dead_addresses_do_not_keep_the_living_from_being_stored() {
    let (world, _agents) = World::with_covered_echo();
    for host in 1..=100 {
        // Nothing listens at these addresses, so connections are refused at once.
        world.center.register_url(ECHO, &format!("http://127.9.9.{host}:9"));
    }
    let other = world.start("staging_th_apa_other_master_0123456789", &echo());
    other.hit(&[2], 1);
    let output = world.pull(3);
    assert!(output.stdout.contains("100 addresses failed"), "{}", output.stdout);
    assert_eq!(world.echo_counts(), [0, 0, 0, 0, 1, 0]);
    assert_eq!(world.run(&["total", "apa_other"]).stdout, "10.0\n");
}

/// Answers every request over TLS as a center that lists nothing, with the certificate in this folder. Prints its port.
const TLS_CENTER: &str = r#"
import http.server, ssl
class Center(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")
    def log_message(self, *_):
        pass
server = http.server.HTTPServer(("127.0.0.1", 0), Center)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain("center.pem", "center.key")
server.socket = context.wrap_socket(server.socket, server_side=True)
print(server.server_port, flush=True)
server.serve_forever()
"#;

#[test]
fn a_center_whose_certificate_authority_the_system_trusts_is_accepted() {
    if !has_program(&["openssl", "version"]) || !has_program(&["python3", "-c", "import ssl"]) {
        return;
    }
    let world = World::new();
    let openssl = |arguments: &str| {
        let mut command = Command::new("openssl");
        command.args(arguments.split(' ')).current_dir(world.home());
        output_of(&mut command).assert_code(0);
    };
    let key = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650";
    openssl(&format!("req -x509 {key} -keyout ca.key -out ca.pem -subj /CN=ours"));
    openssl(&format!(
        "req -x509 {key} -CA ca.pem -CAkey ca.key -keyout center.key -out center.pem -subj /CN=center \
         -addext subjectAltName=IP:127.0.0.1 -addext basicConstraints=critical,CA:FALSE"
    ));
    let mut center = Command::new("python3")
        .args(["-c", TLS_CENTER])
        .current_dir(world.home())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut port = String::new();
    BufReader::new(center.stdout.take().unwrap()).read_line(&mut port).unwrap();
    let url = format!("https://127.0.0.1:{}", port.trim());
    let list = |certificates: &str| {
        let mut command = world.command(&["list", "--center", &url, "--format", "json"]);
        output_of(command.env("SSL_CERT_FILE", world.home().join(certificates)))
    };
    let (trusted, foreign) = (list("ca.pem"), list("center.pem"));
    center.kill().unwrap();
    center.wait().unwrap();
    assert_eq!(trusted.assert_code(0).stdout, "[]\n");
    foreign.assert_stderr_contains("UnknownIssuer");
}
