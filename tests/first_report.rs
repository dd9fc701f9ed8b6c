//! The commands in the README files of `examples/kubernetes` and `examples/compose` lead from the manifests to a
//! report, with programs in place of kubectl and docker that run what these would run in a container.

use std::fs;
use std::os::unix::fs::symlink;

use serde_json::json;

use crate::examples::{example, shell};
use crate::harness::source::{Source, project_path};
use crate::harness::{Output, World, make_script, output_of};
use crate::sim::{Agent, Program};

const SOURCE: &str = "package main\n\nfunc main() {\n\trun(1)\n}\n\nfunc run(x int) int {\n\tif x > 2 {\n\t\treturn 1\n\t}\n\treturn 0\n}\n";
const PROFILE: &str = "example.com/app/main.go:3.13,5.2 1
example.com/app/main.go:7.21,8.11 1
example.com/app/main.go:8.11,10.3 1
example.com/app/main.go:11.2,11.10 1
";
/// The reports of it if the block in `if` was not executed.
const REPORT: &str = "example.com/app/main.go:3:\tmain\t\t100.0%\n\
    example.com/app/main.go:7:\trun\t\t66.7%\n\
    total:\t\t\t\t(statements)\t75.0%\n";

/// A service that no center lists, with its source elsewhere and nothing collected yet.
struct FirstHour {
    world: World,
    source: Source,
    agent: Agent,
}

impl FirstHour {
    fn new() -> Self {
        let module = b"module example.com/app\n";
        let source = Source::from_files(&[("main.go", SOURCE.as_bytes()), ("go.mod", module)]);
        let agent = Agent::start(&Program::from_profile(PROFILE));
        agent.hit(&[0, 1, 3], 1);
        Self { world: World::new(), source, agent }
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.world.home().join(name), text).unwrap();
    }

    /// Runs the blocks of commands of a README in a folder with the other files of the example, and with scripts in place
    /// of these programs.
    fn run_readme(&self, folder: &str, stand_ins: &[(&str, &str)]) -> Output {
        let home = self.world.home().display().to_string();
        for entry in fs::read_dir(project_path("examples/") + folder).unwrap() {
            let path = entry.unwrap().path();
            fs::copy(&path, self.world.home().join(path.file_name().unwrap())).unwrap();
        }
        let readme = example(&format!("{folder}/README.md"));
        let blocks = readme.split("```sh\n").skip(1).map(|rest| rest.split_once("```\n").unwrap().0);
        let commands = blocks
            .collect::<String>()
            .replace("/root-of-goc-watchdog", self.world.root().to_str().unwrap())
            .replace(
                "https://git.example.com/apa/goc_echoserver.git",
                self.source.folder.path().to_str().unwrap(),
            )
            .replace("/targets.json", &format!("{home}/targets.json"))
            .replace("apa_goc_echoserver", "app");
        let mut run = shell(&self.world, &["sh", "-euc", &commands]);
        for (program, stand_in) in stand_ins {
            make_script(&self.world.home().join("bin").join(program), &format!("set -e\n{stand_in}"));
        }
        output_of(run.env_remove("GOC_CENTER"))
    }

    /// Fails unless the table, the total, the report and the page came out.
    #[track_caller]
    fn assert_seen(&self, output: Output) {
        let output = output.assert_code(0);
        let (row, rest) =
            output.stdout.split_once("NEXT PULL  STATE\n").expect("a list").1.split_once('\n').unwrap();
        assert!(row.starts_with("staging  th      app  master  ") && row.ends_with("ok"), "{row}");
        assert!(rest.starts_with(&format!("75.0\n{REPORT}")), "{rest:?}");
        let page = fs::read_to_string(self.world.home().join("coverage.html")).unwrap();
        assert!(page.starts_with("<!DOCTYPE html>"), "{}", &page[..80]);
    }
}

#[test]
fn the_readme_for_kubernetes_leads_to_the_first_report() {
    let hour = FirstHour::new();
    let url = hour.agent.url();
    let (host, port) = url.trim_start_matches("http://").rsplit_once(':').unwrap();
    let pods = json!({"kind": "List", "items": [{
        "kind": "Pod",
        "metadata": {
            "name": "cover-echoserver-0", "namespace": "staging",
            "annotations": {"goc-watchdog/service": hour.source.service_name()},
        },
        "spec": {"containers": [{"name": "a", "ports": [
            {"name": "coverage", "containerPort": port.parse::<u16>().unwrap()},
        ]}]},
        "status": {"phase": "Running", "podIP": host},
    }]});
    hour.write("pods.json", &pods.to_string());
    let kubectl = "case $1 in\n\
        apply) shift; for file; do [ \"$file\" = -f ] || cat \"$file\" >/dev/null; done ;;\n\
        create) case $2 in\n\
            job) [ \"$*\" = 'create job first-pull --from=cronjob/goc-watchdog-pull-pods' ]\n\
                goc-watchdog pull --quiet --targets pods=pods.json ;;\n\
            secret) [ -f \"${5#--from-file=}\" ] ;;\n\
            esac ;;\n\
        exec) [ \"$2 $3\" = 'goc-watchdog-shell --' ]; shift 3; exec \"$@\" ;;\n\
        rollout | wait | delete) ;;\n\
        *) exit 9 ;;\n\
        esac";
    hour.write("goc-watchdog.toml", &configuration_with_token());
    // Nothing is built here, and no registry is asked.
    let stand_ins = [
        ("kubectl", kubectl),
        ("rustup", "[ \"$1\" = target ]"),
        ("cargo", "[ \"$1\" = build ]"),
        ("docker", "case $1 in build | push) ;; *) exit 9 ;; esac"),
    ];
    let output = hour.run_readme("kubernetes", &stand_ins);
    hour.assert_seen(output);
}

/// Returns the configuration that the README for Kubernetes puts into a Secret.
fn configuration_with_token() -> String {
    let readme = example("kubernetes/README.md");
    let (_, rest) = readme.split_once("```toml\n").expect("a configuration");
    rest.split_once("```\n").unwrap().0.to_owned()
}

#[test]
fn the_configuration_of_the_secret_for_kubernetes_lets_a_report_clone_by_itself() {
    const URL: &str = "https://reader:TOKEN@git.example.com/apa/{app}.git";
    let hour = FirstHour::new();
    let configuration = configuration_with_token();
    assert!(configuration.contains(URL), "{configuration}");
    symlink(hour.source.folder.path(), hour.world.home().join("app.git")).unwrap();
    let source = format!("file://{}/{{app}}.git", hour.world.home().display());
    hour.world.configure(&configuration.replace(URL, &source));
    let place = hour.agent.url().trim_start_matches("http://").to_owned();
    let list = json!([{"targets": [place], "labels": {"service": hour.source.service_name()}}]);
    hour.write("targets.json", &list.to_string());
    hour.world.run(&["pull", "--quiet", "--targets", "targets.json"]).assert_code(0);
    let report = hour.world.run(&["report", "app", "--format", "func"]).assert_code(0);
    assert_eq!(report.stdout, REPORT);
}

#[test]
fn the_readme_for_compose_leads_to_the_first_report() {
    let hour = FirstHour::new();
    let address = hour.agent.url().trim_start_matches("http://").to_owned();
    let targets = json!([{"targets": [address], "labels": {"service": hour.source.service_name()}}]);
    hour.write("targets.json", &targets.to_string());
    let docker = "case $2 in\n\
        up) ;;\n\
        exec) shift 2; [ \"$1\" != -T ] || shift; [ \"$1\" = goc-watchdog ]; shift; exec \"$@\" ;;\n\
        *) exit 9 ;;\n\
        esac";
    let output = hour.run_readme("compose", &[("docker", docker)]);
    assert!(output.stdout.contains("1 of 1    changed\npulled 1 service (1 changed), "), "{}", output.stdout);
    hour.assert_seen(output);
}
