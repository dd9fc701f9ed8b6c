//! Mistakes that people make: each with the command as it is typed, its exit code, and all that is said on stderr: the
//! fault, its cause and the next step.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::thread;

use regex::Regex;

use crate::examples::shell;
use crate::harness::git_server::GitServer;
use crate::harness::source::Source;
use crate::harness::users::can_change_user;
use crate::harness::{ECHO, NEXT_ECHO, Output, World, make_script, output_of};

/// A mistake: its command, the exit code, and the whole stderr.
type Mistake<'a> = (&'a str, i32, &'a str);

/// A place in which mistakes are made, with names for its folders and ports.
struct Stage {
    world: World,
    /// Texts of this machine, each with the name that replaces it in messages.
    names: Vec<(String, &'static str)>,
}

impl Stage {
    fn new(world: World) -> Self {
        let center = world.center.url().replace("http://", "");
        let home = world.home().canonicalize().unwrap().display().to_string();
        Self { world, names: vec![(center, "CENTER"), (home, "HOME")] }
    }

    fn name(&mut self, text: String, name: &'static str) {
        self.names.insert(0, (text, name));
    }

    /// Runs a line in a shell, in which each name is a variable. A pipe fails if a program in it fails.
    fn run(&self, line: &str) -> Output {
        let mut shell = shell(&self.world, &["bash", "-o", "pipefail", "-c", line]);
        shell.envs(self.names.iter().map(|(text, name)| (name, text)));
        let Output { code, stdout, stderr } = output_of(&mut shell);
        let times = Regex::new(r"([0-9-]{10} )?\d\d:\d\d UTC").unwrap();
        let took = Regex::new(r"\d+ ms").unwrap();
        let stderr = self.names.iter().fold(stderr, |said, (text, name)| said.replace(text, name));
        let stderr = times.replace_all(&stderr, "TIME").into_owned();
        Output { code, stdout, stderr: took.replace_all(&stderr, "N ms").into_owned() }
    }

    /// Makes each mistake, and fails unless code and message are those of the table.
    #[track_caller]
    fn assert_table(&self, table: &[Mistake<'_>]) {
        let mut wrong = Vec::new();
        for (line, code, message) in table {
            let Output { code: found, stderr, .. } = self.run(line);
            if (found, &*stderr) != (*code, *message) {
                wrong.push(format!("{line}\nexpected {code}:\n{message}found {found}:\n{stderr}\n"));
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.concat());
    }
}

/// Starts a server that answers the first bytes of each connection with these, whatever they are. Returns host and port.
fn serve(answer: &'static [u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let _ = stream.read(&mut [0; 1 << 14]);
            let _ = stream.write_all(answer);
        }
    });
    address
}

#[test]
fn of_the_center() {
    let (world, agents) = World::with_pulled_echo();
    let mut stage = Stage::new(world);
    // The answers of Go's net/http to TLS at a port without it, and to http at a port with TLS, and an alert of TLS.
    let bad_request =
        b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n\
                        400 Bad Request";
    stage.name(serve(bad_request), "PLAIN");
    stage.name(
        serve(b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n"),
        "TLS",
    );
    stage.name(serve(b"\x15\x03\x01\x00\x02\x02\x46"), "ALERT");
    stage.assert_table(&[
        (
            "goc-watchdog pull --center $CENTER",
            2,
            "goc-watchdog: center \"CENTER\": the scheme is missing; write \"http://CENTER\"\n",
        ),
        (
            "goc-watchdog list --center center.example",
            2,
            "goc-watchdog: center \"center.example\": the scheme is missing; write \"http://center.example:7777\"\n",
        ),
        (
            "GOC_CENTER=http://$CENTER,$CENTER/v1/cover/list goc-watchdog prune",
            2,
            "goc-watchdog: center \"CENTER/v1/cover/list\": the scheme is missing; write \"http://CENTER\"\n",
        ),
        (
            "goc-watchdog pull --center http://$CENTER/v1/cover/list",
            2,
            "goc-watchdog: center \"http://CENTER/v1/cover/list\": the path /v1/cover/list is not a part of a center's URL; \
             write \"http://CENTER\"\n",
        ),
        ("goc-watchdog list --offline --center $CENTER", 0, ""),
        ("goc-watchdog prune --retention-only --center $CENTER", 0, ""),
        ("goc-watchdog total echoserver --center $CENTER", 0, ""),
        (
            "goc-watchdog pull --center https://$PLAIN",
            1,
            "goc-watchdog: center \"https://PLAIN\": it speaks http: http://PLAIN (name a center by --center, GOC_CENTER or \
             center in the configuration, or targets by --targets or [[targets]])\n",
        ),
        (
            "goc-watchdog pull --center http://$TLS",
            1,
            "goc-watchdog: center \"http://TLS\": it speaks https: https://TLS (name a center by --center, GOC_CENTER or \
             center in the configuration, or targets by --targets or [[targets]])\n",
        ),
        (
            "goc-watchdog list --center http://$ALERT",
            3,
            "goc-watchdog: warning: center \"http://ALERT\": answered without HTTP; if it speaks https, its URL is \
             https://ALERT\n",
        ),
        (
            "goc-watchdog pull echoserver --address https://$PLAIN",
            3,
            "goc-watchdog: staging_th_apa_goc_echoserver_master_845820727e: profile from \"https://PLAIN\": it speaks http: \
             http://PLAIN; no answer of it is stored yet, next try TIME\n",
        ),
        (
            "goc-watchdog pull --raw --address $TLS",
            1,
            "goc-watchdog: profile from \"http://TLS\": it speaks https: https://TLS\n",
        ),
    ]);
    // In the configuration, a center with a mistake is one that does not answer.
    let center = stage.world.center.url();
    stage.world.configure(&format!("centers = [\"{center}\", \"{center}/v1/cover/list\"]\n"));
    stage.assert_table(&[
        (
            "unset GOC_CENTER; goc-watchdog pull",
            3,
            "goc-watchdog: warning: center \"http://CENTER/v1/cover/list\": the path /v1/cover/list is not a part of a center's \
             URL; write \"http://CENTER\"; pulling the addresses that it listed before\n",
        ),
        (
            "GOC_CENTER=' ' goc-watchdog prune",
            3,
            "goc-watchdog: warning: center \"http://CENTER/v1/cover/list\": the path /v1/cover/list is not a part of a center's \
             URL; write \"http://CENTER\"; nothing is removed there\n",
        ),
    ]);
    drop(agents);
}

#[test]
fn of_a_center_that_can_never_be_asked() {
    let (world, agents) = World::with_pulled_echo();
    let stage = Stage::new(world);
    stage.assert_table(&[
        (
            "goc-watchdog pull --center ftp://x",
            2,
            "goc-watchdog: center: \"ftp://x\" is not an address: the scheme is neither http nor https (expected \
             \"http://host:port\")\n",
        ),
        (
            "goc-watchdog prune --center http://",
            2,
            "goc-watchdog: center: \"http://\" is not an address: the host is missing (expected \"http://host:port\")\n",
        ),
        (
            "goc-watchdog list --format json --center 'http://h?x=1'",
            2,
            "goc-watchdog: center: \"http://h?x=***\" is not an address: it holds a user name, a query or a fragment \
             (expected \"http://host:port\")\n",
        ),
        (
            "goc-watchdog pull --center http://user:pw@h",
            2,
            "goc-watchdog: center: \"http://***@h\" is not an address: it holds a user name, a query or a fragment \
             (expected \"http://host:port\")\n",
        ),
        (
            "goc-watchdog pull --center ''",
            2,
            "goc-watchdog: center: \"\" is not an address: the scheme is missing (expected \"http://host:port\")\n",
        ),
    ]);
    drop(agents);
}

#[test]
fn of_the_root() {
    let (world, agents) = World::with_pulled_echo();
    let stage = Stage::new(world);
    let missing = "goc-watchdog: \"HOME/no/sqlite.db\" does not exist: nothing was pulled into this root yet (goc-watchdog \
                   pull), or another root is meant (--root, GOC_WATCHDOG_ROOT)\n";
    let warned = "goc-watchdog: warning: the root \"HOME/no\" does not exist, so nothing is stored there; another one is \
                  named by --root or GOC_WATCHDOG_ROOT\n";
    stage.assert_table(&[
        ("goc-watchdog list --root no", 0, warned),
        ("GOC_WATCHDOG_ROOT=no goc-watchdog pull -n", 0, warned),
        ("goc-watchdog prune -n --root no", 0, warned),
        ("goc-watchdog list --offline --root no", 1, missing),
        ("goc-watchdog total echoserver --root no", 1, missing),
        ("goc-watchdog report echoserver --root no", 1, missing),
        ("goc-watchdog history echoserver --root no", 1, missing),
        ("goc-watchdog prune --retention-only --root no", 0, warned),
        (
            "goc-watchdog prune --root no",
            0,
            "goc-watchdog: warning: the root \"HOME/no\" does not exist, so nothing is stored there; it is made now, for what \
             prune remembers; another one is named by --root or GOC_WATCHDOG_ROOT\n",
        ),
        ("goc-watchdog prune --root no", 0, ""),
        (
            "mkdir empty; goc-watchdog list --root empty",
            0,
            "goc-watchdog: warning: the root \"HOME/empty\" has no sqlite.db, so nothing is stored there; another one is named \
             by --root or GOC_WATCHDOG_ROOT\n",
        ),
        (
            "touch file; goc-watchdog pull --root file",
            1,
            "goc-watchdog: \"HOME/file\" is not a folder, so \"HOME/file\" cannot be the root; choose another one with --root or \
             GOC_WATCHDOG_ROOT\n",
        ),
        (
            "GOC_WATCHDOG_ROOT= goc-watchdog list",
            2,
            "error: invalid value '' for '--root <DIR>': the path is empty; name a folder by --root or GOC_WATCHDOG_ROOT, or \
             unset the variable, which means ./goc_watch_dog_root\n\nFor more information, try '--help'.\n",
        ),
        (
            "goc-watchdog total echoserver >/dev/full",
            1,
            "goc-watchdog: cannot write to stdout: No space left on device (os error 28)\n",
        ),
        (
            "goc-watchdog pull --root new",
            0,
            "goc-watchdog: the root \"HOME/new\" is new; another one is named by --root or GOC_WATCHDOG_ROOT\n",
        ),
        ("goc-watchdog pull --root new", 0, ""),
        ("goc-watchdog pull -q --root quiet", 0, ""),
    ]);
    drop(agents);
}

#[test]
fn of_the_command_line() {
    let (world, agents) = World::with_pulled_echo();
    let stage = Stage::new(world);
    let days = "error: invalid value '30d' for '--keep-days <DAYS>': expected a number of days from 0 to 36500, such as 30\n\
                \nFor more information, try '--help'.\n";
    let unknown = "error: unrecognized subcommand 'nosuch'\n\n  tip: the commands are pull, prune, report, list, total, \
                   history\n\nUsage: goc-watchdog [OPTIONS] <COMMAND>\n\nFor more information, try '--help'.\n";
    let similar = "error: unrecognized subcommand 'pul'\n\n  tip: a similar subcommand exists: 'pull'\n\n\
                   Usage: goc-watchdog [OPTIONS] <COMMAND>\n\nFor more information, try '--help'.\n";
    let age = "error: unexpected argument '30d' found\n\n  tip: an age follows this option after \"=\": --carry=30d\n\nUsage: \
               goc-watchdog total [OPTIONS] <SERVICE>\n\nFor more information, try '--help'.\n";
    stage.assert_table(&[
        ("goc-watchdog total echoserver --carry 30d", 2, age),
        ("goc-watchdog prune --keep-days 30d", 2, days),
        ("goc-watchdog nosuch", 2, unknown),
        ("goc-watchdog help nosuch", 2, unknown),
        ("goc-watchdog help pul", 2, similar),
        ("diff <(goc-watchdog help) <(goc-watchdog --help) >&2", 0, ""),
        ("diff <(goc-watchdog help help) <(goc-watchdog --help) >&2", 0, ""),
        ("diff <(goc-watchdog help pull) <(goc-watchdog pull --help) >&2", 0, ""),
        ("goc-watchdog pull -n -q >&2", 0, ""),
        ("goc-watchdog pull -q >&2", 0, ""),
        ("goc-watchdog prune -n -q >&2", 0, ""),
        ("goc-watchdog prune -q >&2", 0, ""),
        ("goc-watchdog pull --raw echoserver | true", 0, ""),
        ("goc-watchdog list | true", 0, ""),
        ("goc-watchdog report echoserver --format profile | true", 0, ""),
    ]);
    drop(agents);
}

#[test]
fn each_help_has_an_example_and_names_no_page_that_may_not_be_installed() {
    let world = World::new();
    for command in ["", "pull", "prune", "report", "list", "total", "history"] {
        let help =
            world.run(&["help", command][..if command.is_empty() { 1 } else { 2 }]).assert_code(0).stdout;
        let (_, example) = help.split_once("\nExample").expect(&help);
        assert!(example.contains(&format!("  goc-watchdog {command}")), "{help}");
        assert!(!help.contains("man page") && !help.contains("\n  help "), "{help}");
    }
}

#[test]
fn of_words_that_contradicted_what_was_so() {
    let (world, agents) = World::with_covered_echo();
    let stage = Stage::new(world);
    stage.world.center.register_url(NEXT_ECHO, "http://127.0.0.1:1");
    stage.assert_table(&[
        (
            "goc-watchdog pull -v",
            3,
            "goc-watchdog: the root \"HOME/root\" is new; another one is named by --root or GOC_WATCHDOG_ROOT\n\
             goc-watchdog: staging_th_apa_goc_echoserver_master_845820727e: pulled for the first time\n\
             goc-watchdog: staging_th_apa_goc_echoserver_master_ffffffffff: profile from \"http://127.0.0.1:1\": no \
             connection: connection refused; no answer of it is stored yet, next try TIME\n\
             goc-watchdog: staging_th_apa_goc_echoserver_master_ffffffffff: pulled for the first time\n",
        ),
        (
            "goc-watchdog pull -n >&2",
            0,
            "SERVICE                                          ADDRESSES  DUE        REASON\n\
             staging_th_apa_goc_echoserver_master_845820727e  1          TIME  waiting 15m (step 1)\n\
             staging_th_apa_goc_echoserver_master_ffffffffff  1          TIME  retry after a failure\n",
        ),
        (
            "goc-watchdog prune --center http://127.0.0.1:1 >&2",
            3,
            "goc-watchdog: warning: center \"http://127.0.0.1:1\": no connection: connection refused; nothing is removed \
             there\nasked 0 addresses: 0 alive; N ms\n",
        ),
    ]);
    drop(agents);
}

#[test]
fn of_the_lock() {
    let (world, agents) = World::with_pulled_echo();
    let stage = Stage::new(world);
    stage.assert_table(&[
        (
            "flock root/goc-watchdog.lock goc-watchdog pull",
            4,
            "goc-watchdog: HOME/root/goc-watchdog.lock: another run holds the lock; nothing was changed (--wait waits for \
             it)\n",
        ),
        (
            "flock root/goc-watchdog.lock goc-watchdog pull --wait 10ms",
            4,
            "goc-watchdog: HOME/root/goc-watchdog.lock: another run holds the lock, even after waiting 10ms; nothing was \
             changed\n",
        ),
    ]);
    if can_change_user() {
        stage.world.install_binary();
        let advice =
            "run as that user, or let a group share it (chgrp, chmod g+rwxs, group_write = true in [files])";
        let said = |file: &str| {
            format!(
                "goc-watchdog: {file}: Permission denied (os error 13); the root belongs to user root (0): {advice}\n"
            )
        };
        let as_nobody = "setpriv --reuid 65534 --regid 65534 --clear-groups ./goc-watchdog";
        stage.assert_table(&[
            (
                &format!("chmod 755 .; {as_nobody} pull --root none"),
                1,
                "goc-watchdog: cannot create \"HOME/none\": Permission denied (os error 13); \"HOME\" belongs to user root \
                 (0): run as a user who may write there, or choose another root with --root or GOC_WATCHDOG_ROOT\n",
            ),
            (&format!("{as_nobody} list"), 1, &said("cannot read \"HOME/root/goc-watchdog.toml\"")),
            (
                &format!("chmod 755 root; {as_nobody} pull"),
                1,
                &said("cannot open \"HOME/root/goc-watchdog.lock\""),
            ),
        ]);
    }
    drop(agents);
}

#[test]
fn of_the_repository() {
    let (world, agents) = World::with_pulled_echo();
    let source = Source::with_main();
    let mut stage = Stage::new(world);
    let git = GitServer::start(source.folder.path().join(".git"), "hush");
    stage.name(git.address.clone(), "GIT");
    let configure = |text: &str| {
        stage.world.configure(&format!(
            "{text}[apps.apa_goc_echoserver]\nrepo = \"http://{}/r.git\"\n",
            git.address
        ));
    };
    configure("");
    stage.assert_table(&[
        (
            "goc-watchdog report echoserver",
            1,
            "goc-watchdog: cannot clone \"http://GIT/r.git\": git clone: transport 'http' not allowed; protocols in [git] \
             lacks \"http\": add it, if the network is trusted\n",
        ),
        (
            "PATH=bin $HOME/bin/goc-watchdog report echoserver",
            1,
            "goc-watchdog: cannot clone \"http://GIT/r.git\": cannot run git: no folder of PATH has it; install git, or add \
             its folder to the PATH of this run\n",
        ),
    ]);
    let gone = stage.world.home().join("gone.git").display().to_string();
    stage
        .world
        .configure(&format!("[git]\nprotocols = [\"file\"]\n[apps.apa_goc_echoserver]\nrepo = {gone:?}\n"));
    stage.assert_table(&[(
        "goc-watchdog report echoserver",
        1,
        "goc-watchdog: cannot clone \"HOME/gone.git\": git clone: repository 'HOME/gone.git' does not exist; check repo in \
         [apps.apa_goc_echoserver], and that this user may reach it (git ls-remote HOME/gone.git)\n",
    )]);
    configure("[git]\nprotocols = [\"http\"]\n");
    stage.assert_table(&[(
        "goc-watchdog report echoserver",
        1,
        "goc-watchdog: cannot clone \"http://GIT/r.git\": git clone: could not read Username for 'http://GIT': terminal \
         prompts disabled; the repository wants a login, and nobody is asked here: give git a credential helper (git \
         config --global credential.helper store), or put a token into the URL (https://TOKEN@host/...)\n",
    )]);
    stage.world.configure("[apps.apa_goc_echoserver]\nrepo = \"git@git.example:apa/echo.git\"\n");
    let ssh = stage.world.home().join("bin/ssh");
    make_script(&ssh, "echo 'git@git.example: Permission denied (publickey).' >&2\nexit 255\n");
    stage.assert_table(&[(
        "goc-watchdog report echoserver",
        1,
        "goc-watchdog: cannot clone \"git@git.example:apa/echo.git\": git clone: git@git.example: Permission denied \
         (publickey); the server knows no ssh key of this user: make one (ssh-keygen), and add it to the repository as a \
         deploy key with the right to read\n",
    )]);
    make_script(&ssh, "echo 'ssh: connect to host git.example port 22: Connection refused' >&2\nexit 255\n");
    stage.assert_table(&[(
        "goc-watchdog report echoserver",
        1,
        "goc-watchdog: cannot clone \"git@git.example:apa/echo.git\": git clone: ssh: connect to host git.example port 22: \
         Connection refused; check repo in [apps.apa_goc_echoserver], and that this user may reach it (git ls-remote \
         git@git.example:apa/echo.git)\n",
    )]);
    drop(agents);
}

#[test]
fn of_an_app_s_name_in_the_configuration() {
    let (world, agents) = World::with_pulled_echo();
    let stage = Stage::new(world);
    stage.world.configure(
        "[apps.apa_goc_echosrever]\nfail_under = 80\n[apps.apa_goc_echoserver]\nfail_under = 80\n[apps.zzz]\n",
    );
    let said = "goc-watchdog: no service has the app of [apps.apa_goc_echosrever] in goc-watchdog.toml, did you mean \
                \"apa_goc_echoserver\"?\n\
                goc-watchdog: no service has the app of [apps.zzz] in goc-watchdog.toml\n";
    stage.assert_table(&[
        ("goc-watchdog list", 0, said),
        ("goc-watchdog list -q", 0, ""),
        ("goc-watchdog list --format json", 0, ""),
        ("goc-watchdog list echoserver", 0, ""),
        ("goc-watchdog pull", 0, ""),
    ]);
    let pulled = stage.run("goc-watchdog pull -v");
    assert!(pulled.stderr.contains(said), "{}", pulled.stderr);
    assert!(pulled.stderr.contains(ECHO), "{}", pulled.stderr);
    drop(agents);
}
