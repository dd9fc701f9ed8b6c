//! Origins of source: clones that anybody made, and other machines.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt, chown, symlink};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::harness::git_server::{GitServer, Hold};
use crate::harness::service::MAIN_SOURCE;
use crate::harness::source::{Source, repository};
use crate::harness::users::{NOBODY, OTHER_USER, can_change_user, change_owner};
use crate::harness::{World, make_script, output_of, warn_skipped};
use crate::sim::{Agent, Program};

const PROFILE: &str = "example.com/app/main.go:3.13,5.2 1 0\nexample.com/app/main.go:7.12,9.2 1 0\n";
const TABLE: &str = "example.com/app/main.go:3:\tmain\t\t0.0%\nexample.com/app/main.go:7:\trun\t\t0.0%\n\
                     total:\t\t\t\t(statements)\t0.0%\n";

/// Makes a pulled service of two functions, and its repository.
fn pulled_service() -> (World, Source, Agent) {
    let source = Source::with_main();
    let world = World::new();
    let agent = world.start(&source.service_name(), &Program::from_profile(PROFILE));
    world.pull(0);
    (world, source, agent)
}

/// Makes or updates the bare repository of a source that a server has.
fn bare_clone(source: &Source) -> PathBuf {
    let served = source.folder.path().join("r.git");
    if !served.exists() {
        source.git(&["clone", "--quiet", "--bare", ".", "r.git"]);
    }
    source.git(&["--git-dir", "r.git", "fetch", "--quiet", ".", "+refs/heads/*:refs/heads/*"]);
    source.git(&["--git-dir", "r.git", "update-server-info"]);
    served
}

/// Returns the arguments of each process of this machine.
fn process_arguments() -> Vec<String> {
    let processes = fs::read_dir("/proc").unwrap().map(|entry| entry.unwrap().path().join("cmdline"));
    let arguments = processes.filter_map(|path| fs::read(path).ok());
    arguments.map(|arguments| String::from_utf8_lossy(&arguments).replace('\0', " ")).collect()
}

/// Fails where a process shows the password during a transfer; ends when `is_done` says so. The arguments of git's
/// helper for HTTP begin with `helper`.
#[track_caller]
fn assert_no_process_shows(password: &str, helper: &str, hold: &Hold, mut is_done: impl FnMut() -> bool) {
    use std::sync::mpsc::RecvTimeoutError::Timeout;
    let mut looked = 0;
    while !is_done() {
        match hold.reached.recv_timeout(std::time::Duration::from_millis(20)) {
            Err(Timeout) => continue,
            reached => reached.unwrap(),
        }
        let shown = process_arguments();
        assert!(shown.iter().any(|arguments| arguments.contains(helper)), "the transfer is held");
        let telling: Vec<&String> = shown.iter().filter(|arguments| arguments.contains(password)).collect();
        assert!(telling.is_empty(), "{telling:?}");
        looked += 1;
        hold.go_on.send(()).unwrap();
    }
    assert!(looked > 2, "{looked} requests were looked at");
}

#[test]
fn no_process_shows_the_password_of_a_repository_while_it_is_cloned_and_fetched() {
    let (world, mut source, _agent) = pulled_service();
    // The password has the process id, since other tests on this machine have passwords, too.
    let password = format!("hush{}", std::process::id());
    let (server, hold) = GitServer::start_held(bare_clone(&source), &password);
    world.configure(&format!(
        "[git]\nprotocols = [\"http\"]\n[apps.app]\nrepo = \"http://me:{password}@{}/r.git\"\n",
        server.address
    ));
    let report = |service: &str| {
        let mut child = world.spawn(&["report", service]);
        let helper = format!("git-remote-http origin http://{}/", server.address);
        assert_no_process_shows(&password, &helper, &hold, || child.try_wait().unwrap().is_some());
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(String::from_utf8(output.stdout).unwrap(), TABLE);
    };
    report("app");
    source.git(&["commit", "--quiet", "--allow-empty", "--message=on"]);
    source.commit = source.head();
    bare_clone(&source);
    let _second = world.start(&source.service_name(), &Program::from_profile(PROFILE));
    world.pull(0);
    report(&source.service_name());
    assert!(server.authorizations().len() > 2, "the server was given it");
    for file in world.files("") {
        let is_ours = file.ends_with("goc-watchdog.toml");
        assert!(is_ours || !file_contains(&file, password.as_bytes()), "{}", file.display());
    }
}

#[test]
fn no_process_file_or_message_shows_the_query_of_a_repository_s_url() {
    let (world, mut source, _agent) = pulled_service();
    let secret = format!("token{}", std::process::id());
    let (server, hold) = GitServer::start_held(bare_clone(&source), &secret);
    world.configure(&format!(
        "[git]\nprotocols = [\"http\"]\n[apps.app]\nrepo = \"http://me:{secret}@{}/r.git?token={secret}\"\n",
        server.address
    ));
    let report = |service: &str| {
        let mut child = world.spawn(&["-v", "report", service]);
        assert_no_process_shows(&secret, "git-remote-http goc-watchdog", &hold, || {
            child.try_wait().unwrap().is_some()
        });
        let output = child.wait_with_output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success() && !stderr.contains(&secret), "{stderr}");
        assert_eq!(String::from_utf8(output.stdout).unwrap(), TABLE);
    };
    report("app");
    let _second = pull_next_commit(&world, &mut source);
    bare_clone(&source);
    report(&source.service_name());
    for file in world.files("") {
        let is_ours = file.ends_with("goc-watchdog.toml");
        assert!(is_ours || !file_contains(&file, secret.as_bytes()), "{}", file.display());
    }
    // A person who fetches by hand finds the address without its secrets.
    let config = fs::read_to_string(repository(&world).join("config")).unwrap();
    assert!(config.contains(&format!("url = http://{}/r.git\n", server.address)), "{config}");
}

fn file_contains(file: &Path, part: &[u8]) -> bool {
    fs::read(file).unwrap().windows(part.len()).any(|bytes| bytes == part)
}

/// Makes an empty commit, and pulls a process of that commit.
fn pull_next_commit(world: &World, source: &mut Source) -> Agent {
    source.git(&["commit", "--quiet", "--allow-empty", "--message=on"]);
    source.commit = source.head();
    let agent = world.start(&source.service_name(), &Program::from_profile(PROFILE));
    world.pull(0);
    agent
}

fn file_url(source: &Source) -> String {
    format!("file://{}", source.folder.path().display())
}

/// Writes settings into the configuration of a clone.
fn configure_clone(clone: &Path, source: &Source, settings: &[(&str, &str)]) {
    for (key, value) in settings {
        source.git(&["--git-dir", clone.to_str().unwrap(), "config", "--add", key, value]);
    }
}

/// Makes a clone name a program in every place that git knows. Returns the file that each of these programs would make.
fn name_hostile_programs(world: &World, source: &Source, clone: &Path) -> PathBuf {
    let witness = world.home().join("witness");
    let touch = format!("touch {}", witness.display());
    let program = world.home().join("program");
    make_script(&program, &format!("{touch}\nexec git-upload-pack \"$@\"\n"));
    let program = program.to_str().unwrap();
    let hooks = world.home().join("hooks");
    for folder in [&hooks, &clone.join("hooks")] {
        fs::create_dir_all(folder).unwrap();
        for hook in ["reference-transaction", "pre-auto-gc", "post-checkout", "fsmonitor-watchman", "update"]
        {
            symlink(program, folder.join(hook)).unwrap();
        }
    }
    let included = world.home().join("included");
    fs::write(&included, format!("[credential]\n\thelper = \"!{touch}\"\n")).unwrap();
    let shell = format!("!{touch}");
    configure_clone(
        clone,
        source,
        &[
            ("credential.helper", &shell),
            ("include.path", included.to_str().unwrap()),
            ("core.hooksPath", hooks.to_str().unwrap()),
            ("core.fsmonitor", program),
            ("core.sshCommand", program),
            ("core.gitProxy", program),
            ("core.askPass", program),
            ("core.alternateRefsCommand", &touch),
            ("core.pager", &touch),
            ("core.editor", program),
            ("core.attributesFile", "/dev/null"),
            ("pager.cat-file", &touch),
            ("pager.for-each-ref", &touch),
            ("alias.cat-file", &shell),
            ("remote.origin.uploadpack", program),
            ("uploadpack.packObjectsHook", program),
            ("gpg.program", program),
            ("log.showSignature", "true"),
            ("diff.external", program),
            ("diff.go.command", program),
            ("diff.go.textconv", program),
            ("filter.go.smudge", program),
            ("filter.go.clean", program),
            ("filter.go.process", program),
            ("filter.go.required", "true"),
            ("merge.go.driver", program),
            ("protocol.ext.allow", "always"),
            ("protocol.allow", "always"),
            ("gc.auto", "1"),
            ("maintenance.auto", "true"),
            ("fetch.fsckObjects", "true"),
            ("submodule.recurse", "true"),
        ],
    );
    fs::create_dir_all(clone.join("info")).unwrap();
    fs::write(clone.join("info/attributes"), "*.go diff=go filter=go merge=go\n").unwrap();
    witness
}

/// Makes a `git` that writes down its arguments before it runs the real one. Returns a `PATH` with it, and the file of
/// notes.
fn recording_git(world: &World) -> (OsString, PathBuf) {
    let (bin, notes) = (world.home().join("bin"), world.home().join("notes"));
    fs::create_dir(&bin).unwrap();
    let path = std::env::var_os("PATH").unwrap();
    let git =
        std::env::split_paths(&path).map(|folder| folder.join("git")).find(|git| git.is_file()).unwrap();
    let commands = format!(
        "echo \"$PWD|$GIT_DIR $GIT_COMMON_DIR|$*\" >> {}\nexec {} \"$@\"\n",
        notes.display(),
        git.display()
    );
    make_script(&bin.join("git"), &commands);
    (std::env::join_paths([bin].into_iter().chain(std::env::split_paths(&path))).unwrap(), notes)
}

/// Fails where git was run in a clone. Only reading a file of its configuration, in no repository, is allowed.
#[track_caller]
fn assert_git_was_not_run_in(clone: &Path, notes: &Path) {
    let notes = fs::read_to_string(notes).unwrap();
    let is_in_clone = |folder: &str| Path::new(folder).starts_with(clone);
    let mut read = 0;
    for note in notes.lines() {
        let [folder, variables, arguments] = note.splitn(3, '|').collect::<Vec<_>>()[..] else {
            panic!("{note}")
        };
        let reads_settings = arguments.contains("--git-dir /dev/null/none config --file config");
        assert!(!is_in_clone(folder) || reads_settings, "{note}");
        assert!(!variables.split(' ').any(is_in_clone), "{note}");
        let given = arguments.split_once("--git-dir ").map(|(_, rest)| rest.split(' ').next().unwrap());
        assert!(!given.is_some_and(is_in_clone), "{note}");
        read += usize::from(arguments.contains(" cat-file "));
    }
    assert!(read > 0, "{notes}");
}

#[test]
fn a_clone_runs_nothing_whatever_its_configuration_names() {
    let (world, mut source, _agent) = pulled_service();
    source.git(&["config", "uploadpack.allowFilter", "true"]);
    source.git(&["config", "uploadpack.allowAnySHA1InWant", "true"]);
    let to = repository(&world);
    let kinds: [&[&str]; 4] = [&["--bare"], &[], &["--depth=1"], &["--bare", "--filter=blob:none"]];
    let mut agents = Vec::new();
    let (path, notes) = recording_git(&world);
    for kind in kinds {
        let _ = fs::remove_dir_all(&to);
        let _ = fs::remove_dir_all(world.root().join("app/repo.fetch"));
        source.git(&[&["clone", "--quiet"][..], kind, &[&file_url(&source), to.to_str().unwrap()]].concat());
        fs::write(source.folder.path().join("more.go"), format!("package main // {kind:?}\n")).unwrap();
        source.commit_all();
        agents.push(world.start(&source.service_name(), &Program::from_profile(PROFILE)));
        world.pull(0);
        let git_dir = if kind.contains(&"--bare") { to.clone() } else { to.join(".git") };
        let witness = name_hostile_programs(&world, &source, &git_dir);
        let promises = [
            ("remote.another.url", file_url(&source)),
            ("remote.another.promisor", "true".to_owned()),
            ("remote.another.partialCloneFilter", "blob:none".to_owned()),
            ("remote.another.uploadpack", world.home().join("program").display().to_string()),
        ];
        configure_clone(&git_dir, &source, &promises.each_ref().map(|(key, value)| (*key, value.as_str())));
        let service = source.service_name();
        for options in [&["--offline"][..], &[], &["--format=diff-json", "--base=parent"], &["--format=json"]]
        {
            let mut command = world.command(&[&["report", &service][..], options].concat());
            let report = output_of(command.env("PATH", &path));
            assert!(report.code == 0 || options == ["--offline"], "{kind:?} {options:?}: {}", report.stderr);
            assert!(!witness.exists(), "{kind:?} {options:?}");
        }
        let _ = fs::remove_dir_all(world.home().join("hooks"));
    }
    // Settings of later releases of git cannot matter either, since git sees none of the clone's.
    assert_git_was_not_run_in(&to, &notes);
}

#[test]
fn a_pipe_in_a_clone_is_named_and_not_waited_for() {
    let (world, source, _agent) = pulled_service();
    let clone = repository(&world);
    source.git(&[
        "clone",
        "--quiet",
        "--bare",
        source.folder.path().to_str().unwrap(),
        clone.to_str().unwrap(),
    ]);
    for part in ["config", "packed-refs", "shallow", "objects/info/alternates"] {
        let kept = fs::read(clone.join(part)).ok();
        let _ = fs::remove_file(clone.join(part));
        assert!(Command::new("mkfifo").arg(clone.join(part)).status().unwrap().success());
        let output = world.run(&["report", "app", "--format", "html", "-o", "page.html"]).assert_code(3);
        let name = part.rsplit('/').next().unwrap();
        let message = &output.stderr;
        assert!(message.contains(name) && message.matches("not a regular file").count() == 1, "{message}");
        fs::remove_file(clone.join(part)).unwrap();
        if let Some(kept) = kept {
            fs::write(clone.join(part), kept).unwrap();
        }
    }
    world.run(&["report", "app", "--format", "html", "-o", "page.html"]).assert_code(0);
}

#[test]
fn clones_of_every_kind_are_read_through_a_folder_that_goes_with_the_report() {
    let (world, mut source, _agent) = pulled_service();
    // The second commit has a parent.
    let _second = pull_next_commit(&world, &mut source);
    let service = source.service_name();
    let to = repository(&world);
    let at = to.to_str().unwrap();
    let main = world.home().join("main");
    let plain = main.to_str().unwrap();
    let tmp = world.home().join("tmp");
    fs::create_dir(&tmp).unwrap();
    let reads = |kind: &str| {
        for options in [&["--offline"][..], &["--offline", "--base=master", "--format=diff-json"]] {
            let mut command = world.command(&[&["report", &service], options].concat());
            let report = output_of(command.env("TMPDIR", &tmp)).assert_code(0);
            assert!(options.len() > 1 || report.stdout == TABLE, "{kind}: {}", report.stdout);
        }
        let _ = fs::remove_dir_all(&to).or_else(|_| fs::remove_file(&to));
        assert_eq!(fs::read_dir(&tmp).unwrap().count(), 0, "{kind}");
    };
    source.git(&["clone", "--quiet", &file_url(&source), plain]);
    source.git(&["-C", plain, "worktree", "add", "--quiet", "-b", "other", at]);
    reads("a worktree");
    source.git(&["clone", "--quiet", "--bare", "--shared", plain, at]);
    let objects = main.canonicalize().unwrap().join(".git/objects");
    let up = "../".repeat(to.join("objects").canonicalize().unwrap().components().count() - 1);
    let relative = format!("{up}{}\n", objects.strip_prefix("/").unwrap().display());
    fs::write(to.join("objects/info/alternates"), relative).unwrap();
    reads("objects borrowed by a relative path");
    source.git(&["clone", "--quiet", "--bare", plain, at]);
    fs::remove_file(to.join("HEAD")).unwrap();
    fs::write(to.join("refs/heads/master"), format!("{}\n", source.commit)).unwrap();
    symlink("refs/heads/master", to.join("HEAD")).unwrap();
    reads("a HEAD that is a link");
    source.git(&["clone", "--quiet", "--bare", plain, at]);
    source.git(&["--git-dir", at, "config", "extensions.worktreeConfig", "true"]);
    fs::write(to.join("config.worktree"), "[core]\n\tbare = true\n").unwrap();
    reads("a configuration of its worktree");
    source.git(&["clone", "--quiet", "--bare", plain, at]);
    // A format of a later release of git is refused, not guessed at.
    source.git(&["--git-dir", at, "config", "core.repositoryformatversion", "1"]);
    source.git(&["--git-dir", at, "config", "extensions.unheardOf", "true"]);
    world.run(&["report", &service, "--offline"]).assert_code(1).assert_stderr_contains("unheardof");
    fs::remove_dir_all(&to).unwrap();
    // Reports work where temporary files can be written in memory only.
    source.git(&["clone", "--quiet", "--bare", plain, at]);
    let mut command = world.command(&["report", &service, "--offline"]);
    assert_eq!(output_of(command.env("TMPDIR", world.home().join("none"))).assert_code(0).stdout, TABLE);
}

#[test]
fn clones_with_other_hashes_or_references_in_tables_are_read_as_any() {
    for format in ["--object-format=sha256", "--ref-format=reftable"] {
        let folder = TempDir::new().unwrap();
        fs::write(folder.path().join("main.go"), MAIN_SOURCE).unwrap();
        fs::write(folder.path().join("go.mod"), "module example.com/app\n").unwrap();
        let mut source = Source { folder, commit: String::new() };
        let init = ["init", "--quiet", "--initial-branch=master", format];
        let is_known = source.git_command().args(init).output().unwrap().status.success();
        if !is_known {
            warn_skipped(&format!("git is too old here for {format}"));
            continue;
        }
        source.commit_all();
        source.git(&["commit", "--quiet", "--allow-empty", "--message=on"]);
        source.commit = source.head();
        let world = World::new();
        let _agent = world.start(&source.service_name(), &Program::from_profile(PROFILE));
        world.pull(0);
        let to = repository(&world);
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        symlink(source.folder.path(), &to).unwrap();
        assert_eq!(world.run(&["report", "app", "--offline"]).assert_code(0).stdout, TABLE, "{format}");
        world.run(&["report", "app", "--offline", "--base=master", "--format=diff-json"]).assert_code(0);
    }
}

#[test]
fn a_clone_without_contents_has_them_fetched_by_no_program_of_its_own() {
    let (world, source, _agent) = pulled_service();
    source.git(&["config", "uploadpack.allowFilter", "true"]);
    let to = repository(&world);
    source.git(&[
        "clone",
        "--quiet",
        "--bare",
        "--filter=blob:none",
        &file_url(&source),
        to.to_str().unwrap(),
    ]);
    let witness = name_hostile_programs(&world, &source, &to);
    // The same must hold where a read finds that contents are missing.
    configure_clone(&to, &source, &[("extensions.partialClone", "origin")]);
    world.run(&["report", "app", "--offline"]).assert_code(0).assert_stderr_contains("not in the clone");
    assert_eq!(world.run(&["report", "app"]).assert_code(0).stdout, TABLE);
    assert!(!witness.exists());
}

#[test]
fn a_helper_that_only_the_clone_names_is_reported_with_both_places_for_it() {
    let (world, mut source, _agent) = pulled_service();
    source.clone_into(&world, &["--bare"]);
    let _second = pull_next_commit(&world, &mut source);
    let server = GitServer::start(bare_clone(&source), "hush");
    let to = repository(&world);
    let url = format!("http://{}/r.git", server.address);
    source.git(&["--git-dir", to.to_str().unwrap(), "remote", "set-url", "origin", &url]);
    let witness = name_hostile_programs(&world, &source, &to);
    let helper = "!printf 'username=me\\npassword=hush\\n'";
    configure_clone(&to, &source, &[("credential.helper", helper)]);
    world.configure("[git]\nprotocols = [\"http\"]\n");
    let service = source.service_name();
    let report = || world.run(&["report", &service]);
    report()
        .assert_code(1)
        .assert_stderr_contains("the clone's own configuration has ")
        .assert_stderr_contains("\"credential.helper\"")
        .assert_stderr_contains("the git configuration of the user who runs this (git config --global), or in the URL of [apps.app] repo");
    assert!(server.authorizations().is_empty() && !witness.exists());
    // Both places that the message names are tried.
    fs::write(
        world.home().join(".gitconfig"),
        format!("[credential]\n\thelper = \"{}\"\n", helper.replace('\\', "\\\\")),
    )
    .unwrap();
    assert_eq!(report().assert_code(0).stdout, TABLE);
    fs::remove_file(world.home().join(".gitconfig")).unwrap();
    fs::remove_dir_all(world.root().join("app/repo.fetch")).unwrap();
    world.configure(&format!(
        "[git]\nprotocols = [\"http\"]\n[apps.app]\nrepo = \"http://me:hush@{}/r.git\"\n",
        server.address
    ));
    assert_eq!(report().assert_code(0).stdout, TABLE);
    assert!(!witness.exists());
}

#[test]
fn the_configured_password_goes_nowhere_else_whatever_the_clone_says() {
    let (world, mut source, _agent) = pulled_service();
    source.clone_into(&world, &["--bare"]);
    let _second = pull_next_commit(&world, &mut source);
    let thief = GitServer::start(bare_clone(&source), "other");
    let (host, port) = thief.address.split_once(':').unwrap();
    let to = repository(&world);
    let stolen = format!("http://{}/", thief.address);
    configure_clone(
        &to,
        &source,
        &[
            ("http.sslVerify", "false"),
            ("http.curloptResolve", &format!("git.invalid:{port}:{host}")),
            (&format!("url.{stolen}.insteadOf"), "http://git.invalid/"),
            ("http.proxy", &stolen),
            ("remote.origin.proxy", &stolen),
        ],
    );
    world.configure("[apps.app]\n");
    for url in
        [format!("http://me:hush@git.invalid:{port}/r.git"), "http://me:hush@git.invalid/r.git".to_owned()]
    {
        world.configure(&format!("[git]\nprotocols = [\"http\"]\n[apps.app]\nrepo = \"{url}\"\n"));
        world
            .run(&["report", &source.service_name()])
            .assert_code(1)
            .assert_stderr_contains("\"http.curloptresolve\"");
    }
    assert_eq!(thief.authorizations(), Vec::<String>::new());
}

/// Returns all files below a folder with their contents.
fn files_with_text(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.push((path.clone(), fs::read(&path).unwrap()));
            }
        }
    }
    found.sort();
    found
}

#[test]
fn fetched_objects_are_kept_beside_the_clone_which_stays_as_it_was() {
    let (world, mut source, _agent) = pulled_service();
    let to = repository(&world);
    // git-sync keeps a shallow clone with a worktree, to which a link leads.
    let synced = world.home().join("synced");
    source.git(&["clone", "--quiet", "--depth=1", &file_url(&source), synced.to_str().unwrap()]);
    let [first, second] = ["1", "2"].map(|name| world.home().join(name));
    let git = |arguments: &[&str]| source.git(&[&["-C", synced.to_str().unwrap()], arguments].concat());
    git(&["worktree", "add", "--quiet", "--detach", first.to_str().unwrap(), "HEAD"]);
    symlink(&first, &to).unwrap();
    let before = files_with_text(&synced);
    assert_eq!(world.run(&["report", "app"]).assert_code(0).stdout, TABLE);
    let _second = pull_next_commit(&world, &mut source);
    let service = source.service_name();
    assert_eq!(world.run(&["report", &service]).assert_code(0).stdout, TABLE);
    let parent = ["report", &service, "--format=diff-json", "--base=parent"];
    world.run(&parent).assert_code(0);
    assert!(files_with_text(&synced) == before, "the clone is as it was");
    // The clone moves on by itself, and so does the link.
    let git = |arguments: &[&str]| source.git(&[&["-C", synced.to_str().unwrap()], arguments].concat());
    git(&["fetch", "--quiet", "--depth=1", "origin", "master"]);
    git(&["worktree", "add", "--quiet", "--detach", second.to_str().unwrap(), "FETCH_HEAD"]);
    fs::remove_file(&to).unwrap();
    symlink(&second, &to).unwrap();
    git(&["worktree", "remove", "--force", first.to_str().unwrap()]);
    assert_eq!(world.run(&["report", &service, "--offline"]).assert_code(0).stdout, TABLE);
    world.run(&parent).assert_code(0);
}

#[test]
fn a_team_that_may_write_the_root_may_not_write_files_that_git_obeys() {
    let (world, mut source, _agent) = pulled_service();
    source.clone_into(&world, &["--bare"]);
    let _second = pull_next_commit(&world, &mut source);
    world.configure(&format!("[files]\ngroup_write = true\n[apps.app]\nrepo = \"{}\"\n", file_url(&source)));
    assert_eq!(world.run(&["report", &source.service_name()]).assert_code(0).stdout, TABLE);
    let fetched = world.root().join("app/repo.fetch");
    assert_eq!(
        fs::metadata(&fetched).unwrap().permissions().mode() & 0o027,
        0,
        "neither the group nor others may write it"
    );
}

#[test]
fn objects_that_a_clone_deletes_are_fetched_again() {
    let (world, mut source, _agent) = pulled_service();
    source.clone_into(&world, &["--bare", "--no-local"]);
    let _second = pull_next_commit(&world, &mut source);
    world.configure(&format!("[apps.app]\nrepo = \"{}\"\n", file_url(&source)));
    assert_eq!(world.run(&["report", &source.service_name()]).assert_code(0).stdout, TABLE);
    // Only the clone has the parent of the fetched commit.
    let to = repository(&world);
    let git = |arguments: &[&str]| source.git(&[&["--git-dir", to.to_str().unwrap()], arguments].concat());
    git(&["update-ref", "-d", "refs/heads/master"]);
    git(&["reflog", "expire", "--expire=now", "--all"]);
    git(&["gc", "--quiet", "--prune=now"]);
    let _third = pull_next_commit(&world, &mut source);
    assert_eq!(world.run(&["report", &source.service_name()]).assert_code(0).stdout, TABLE);
    world.run(&["report", &source.service_name(), "--format=diff-json", "--base=parent"]).assert_code(0);
}

#[test]
fn a_clone_of_a_user_who_is_not_trusted_is_no_source() {
    if !can_change_user() {
        return;
    }
    let (world, source, _agent) = pulled_service();
    source.clone_into(&world, &["--bare"]);
    let to = repository(&world);
    change_owner(&to, NOBODY);
    let report = |options: &[&str]| world.run(&[&["report", "app"], options].concat());
    let said_so = "belongs to user nobody (65534), whose clones are not read";
    let refused = report(&[])
        .assert_code(3)
        .assert_stderr_contains(said_so)
        .assert_stderr_contains("[git] trust_owners = [\"nobody\"]");
    assert_eq!(refused.stdout, "");
    let json = report(&["--format", "json"]).assert_code(3).assert_stderr_contains(said_so).json().remove(0);
    assert_eq!((&json["total"], &json["source_commit"]), (&2.into(), &serde_json::Value::Null));
    world.run(&["report", "--all", "--format=site", "-o", "site"]).assert_code(3);
    world.pull(0);
    for trusted in ["\"nobody\"", "65534", "\"65534\""] {
        world.configure(&format!("[git]\ntrust_owners = [{trusted}]\n"));
        assert_eq!(report(&[]).assert_code(0).stdout, TABLE, "{trusted}");
    }
    world.configure("[git]\ntrust_owners = [\"git-sink\"]\n");
    report(&[]).assert_code(3).assert_stderr_contains("/etc/passwd has no \"git-sink\"; give a number");
    let sudo = output_of(world.command(&["report", "app"]).env("SUDO_UID", "65534"));
    assert_eq!(sudo.assert_code(0).stdout, TABLE, "as git does");
    // A single file of another user is enough for a refusal, and so is a folder from which the clone borrows objects.
    world.configure("");
    change_owner(&to, 0);
    report(&[]).assert_code(0);
    chown(to.join("config"), Some(NOBODY), None).unwrap();
    report(&[]).assert_code(3).assert_stderr_contains("repo/config\" belongs to user nobody");
    chown(to.join("config"), Some(0), None).unwrap();
    let lent = world.home().join("lent");
    fs::create_dir(&lent).unwrap();
    chown(&lent, Some(NOBODY), None).unwrap();
    fs::write(to.join("objects/info/alternates"), format!("{}\n", lent.display())).unwrap();
    report(&[]).assert_code(3).assert_stderr_contains("lent\" belongs to user nobody");
}

#[test]
fn in_a_root_that_cannot_be_written_nothing_is_fetched_and_existing_objects_are_read() {
    if !can_change_user() {
        return;
    }
    let (world, mut source, _agent) = pulled_service();
    source.clone_into(&world, &["--bare"]);
    let there = source.service_name();
    let _second = pull_next_commit(&world, &mut source);
    fs::set_permissions(world.home(), PermissionsExt::from_mode(0o755)).unwrap();
    fs::set_permissions(source.folder.path(), PermissionsExt::from_mode(0o755)).unwrap();
    change_owner(&world.root(), NOBODY);
    let app = world.root().join("app");
    chown(&app, Some(0), Some(0)).unwrap();
    fs::set_permissions(&app, PermissionsExt::from_mode(0o755)).unwrap();
    change_owner(&repository(&world), 0);
    let as_nobody = |service: &str| {
        let mut command = world.command(&["report", service]);
        output_of(command.uid(NOBODY).gid(NOBODY))
    };
    assert_eq!(as_nobody(&there).assert_code(0).stdout, TABLE);
    let refused = as_nobody(&source.service_name()).assert_code(1);
    refused
        .assert_stderr_contains("nothing can be fetched, because ")
        .assert_stderr_contains("app/repo.fetch\" cannot be written: Permission denied");
    assert!(!app.join("repo.fetch").exists());
}

#[test]
fn a_clone_that_root_makes_belongs_to_the_owner_of_the_work_directory() {
    if !can_change_user() {
        return;
    }
    let (world, source, _agent) = pulled_service();
    let served = bare_clone(&source);
    world.install_binary();
    for path in [source.folder.path(), &served] {
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    change_owner(&world.root(), OTHER_USER);
    let text = format!("[git]\nprotocols = [\"file\"]\n[apps.app]\nrepo = \"file://{}\"\n", served.display());
    fs::write(world.root().join("goc-watchdog.toml"), text).unwrap();
    let sudo =
        output_of(world.command(&["report", "app"]).env("SUDO_UID", OTHER_USER.to_string())).assert_code(0);
    assert_eq!(sudo.stdout, TABLE, "{}", sudo.stderr);
    for file in world.files("").into_iter().chain([repository(&world), repository(&world).join("objects")]) {
        let found = fs::symlink_metadata(&file).unwrap();
        assert!(
            file.ends_with("goc-watchdog.toml") || (found.uid(), found.gid()) == (OTHER_USER, OTHER_USER),
            "{}",
            file.display()
        );
    }
    let report = ["report", "app", "--offline"];
    let theirs = world.run_as(OTHER_USER, OTHER_USER, "022", &report).unwrap().assert_code(0);
    assert_eq!(theirs.stdout, TABLE, "{}", theirs.stderr);

    // An earlier release left this clone.
    fs::remove_dir_all(world.root().join("app/repo.fetch")).unwrap_or_default();
    chown(repository(&world), Some(0), Some(0)).unwrap();
    let refused = world.run_as(OTHER_USER, OTHER_USER, "022", &["report", "app"]).unwrap();
    let refused = refused
        .assert_stderr_contains("cannot read")
        .assert_stderr_contains("app/repo")
        .assert_stderr_contains("Permission denied");
    assert!(!refused.stderr.contains("no git repository"), "{}", refused.stderr);
}
