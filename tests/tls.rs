//! Encrypted addresses: their certificates are verified, against the authorities of the system or of `[tls] ca`.

use std::fs;
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use crate::harness::{ECHO, World, has_program, warn_skipped};
use crate::sim::ReservedPort;

const PROFILE: &str = "mode: count\nexample.com/apa/echo/main.go:10.13,12.2 2 3\n";

/// A process that serves a profile over TLS, with a certificate of an authority of its own.
struct TlsAgent {
    port: ReservedPort,
    server: Child,
}

impl Drop for TlsAgent {
    fn drop(&mut self) {
        drop(self.server.kill());
        drop(self.server.wait());
    }
}

/// Makes `ca.pem` in the home of a world, and starts a process whose certificate it signed.
fn start(world: &World) -> TlsAgent {
    let home = world.home();
    let openssl = |arguments: &[&str]| {
        let output = Command::new("openssl").args(arguments).current_dir(home).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    let new = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-keyout"];
    openssl(&[&new[..], &["ca.key", "-out", "ca.pem", "-subj", "/CN=test authority"]].concat());
    let signed = ["-CA", "ca.pem", "-CAkey", "ca.key", "-addext", "subjectAltName=IP:127.0.0.1"];
    let leaf = ["-addext", "basicConstraints=critical,CA:false"];
    let own = ["own.key", "-out", "own.pem", "-subj", "/CN=process"];
    openssl(&[&new[..], &own, &signed, &leaf].concat());
    fs::create_dir_all(home.join("v1/cover")).unwrap();
    let answer = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n\r\n{PROFILE}",
        PROFILE.len()
    );
    fs::write(home.join("v1/cover/profile"), answer).unwrap();
    let port = ReservedPort::local();
    let server = Command::new("openssl")
        .args(["s_server", "-quiet", "-HTTP", "-cert", "own.pem", "-key", "own.key", "-accept"])
        .arg(port.address().to_string())
        .current_dir(home)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    for _ in 0..600 {
        if TcpStream::connect(port.address()).is_ok() {
            break;
        }
        thread::sleep(Duration::from_millis(50));
    }
    TlsAgent { port, server }
}

#[test]
fn a_certificate_is_believed_where_its_authority_is_named_and_nowhere_else() {
    if !has_program(&["openssl", "version"]) {
        warn_skipped("no openssl here, so nothing was tested over TLS");
        return;
    }
    let world = World::new();
    let agent = start(&world);
    world.center.register_url(ECHO, &format!("https://{}", agent.port.address()));
    let untrusted = "no connection: invalid peer certificate: UnknownIssuer; trusted are the authorities in the file of \
                     ca in [tls], or else those of the system";
    let output = world.pull(3);
    output.assert_stderr_contains(&format!("{untrusted}; no answer of it is stored yet, next try "));

    fs::copy(world.home().join("ca.pem"), world.root().join("ca.pem")).unwrap();
    world.configure("[tls]\nca = \"ca.pem\"\n");
    world.pull(0);
    assert_eq!(world.echo_counts(), [3]);

    // A request for the fraction alone gets the same hint.
    world.configure("");
    world.run(&["pull"]).assert_code(3).assert_stderr_contains(untrusted);
}

#[test]
fn a_file_without_certificates_is_named() {
    let world = World::new();
    for (file, text, expected) in [
        ("none.pem", None, "No such file or directory (os error 2) (ca in [tls])"),
        (
            "empty.pem",
            Some("no certificate\n"),
            "it holds no certificate between -----BEGIN CERTIFICATE----- lines",
        ),
    ] {
        world.configure(&format!("[tls]\nca = \"{file}\"\n"));
        let path = world.root().join(file);
        text.inspect(|text| fs::write(&path, text).unwrap());
        let output = world.run(&["pull"]).assert_code(1);
        assert!(output.stderr.contains(&format!("cannot read {path:?}: {expected}")), "{}", output.stderr);
    }
}
