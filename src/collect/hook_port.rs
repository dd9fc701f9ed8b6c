//! The port of the process whose counters the hook saves, where nobody names its address.
//!
//! goc writes the port into a file. An agent of Go's binary coverage data takes the first of 50 ports that is free, so
//! several processes of a host, or of the containers of a pod, have agents at ports that follow each other. The agent of
//! another service must not be taken for that of this one.

use std::fmt::Write as _;
use std::time::Duration;

use anyhow::{Result, bail};

use crate::fleet::targets::{DEFAULT_PORT, may_be_same, tidy_commit};
use crate::io::center::{AgentHeaders, Client};
use crate::io::clock::Deadline;
use crate::io::host::{self, AddressFile, Listener};
use crate::names::in_message;
use crate::parallel;

/// Number of ports that an agent tries, from the first one.
const PORTS_TRIED: u16 = 50;
/// Time within which an agent has to show itself, so that a port that hangs leaves time for the counters.
const SHOWN_WITHIN: Duration = Duration::from_secs(1);

/// A process that listens at one of the ports that an agent tries.
#[derive(Clone, Debug, Default)]
struct FoundPort {
    port: u16,
    agent: AgentHeaders,
    /// `None` if the process is one of another user or of another container.
    listener: Option<Listener>,
}

/// The reason why no port is chosen.
#[derive(Debug, PartialEq, Eq)]
enum NotChosen {
    /// All are ports of other services.
    OfOthers,
    /// Several ports may be that of the service.
    Several(Vec<u16>),
}

/// Returns the port that goc wrote into a file, in the current folder or else beside a running program: of several ports
/// the only one with a listener. Without such a file, returns the port of the agent of a service with this name.
///
/// A file in the current folder counts as the choice of the user. A file beside a program counts unless its process has
/// the name of another service.
pub(super) fn find(client: &Client, service: Option<&str>) -> Result<u16> {
    let mut files = host::address_files_here();
    if files.is_empty() {
        files = host::address_files_of_processes();
        let listener = |file: &AddressFile| file.port.and_then(host::listener);
        files.retain(|file| !is_of_other(listener(file).as_ref(), service));
    }
    let told: Vec<u16> = files.iter().filter_map(|file| file.port).collect();
    let listened: Vec<u16> = told.iter().copied().filter(|port| host::is_listened_at(*port)).collect();
    match (&listened[..], &told[..], files.first()) {
        ([port], ..) | ([], [port], _) => Ok(*port),
        ([], [], None) => of_agent(client, service),
        ([], [], Some(file)) => {
            bail!(
                "\"{}\" has no port; name the process with --address",
                in_message(&file.path.display().to_string())
            )
        }
        _ => {
            let listed = files.iter().map(|file| {
                let port = file.port.map_or_else(|| "no port".to_owned(), |port| format!("port {port}"));
                format!("\n  {}: {port}", in_message(&file.path.display().to_string()))
            });
            bail!(
                "several processes wrote an address; choose one with --address http://127.0.0.1:PORT:{}",
                listed.collect::<String>()
            )
        }
    }
}

/// Returns the port of the agent of a service among the ports that agents try.
fn of_agent(client: &Client, service: Option<&str>) -> Result<u16> {
    let told = host::coverage_port();
    let first = told.unwrap_or(DEFAULT_PORT);
    let last = first.saturating_add(PORTS_TRIED - 1);
    let found = found_ports(client, first, last);
    if found.is_empty() {
        bail!(
            "no *_profile_listen_addr lies here or beside a running program of the service, as goc writes it where it may, \
             and no agent listens at port {first} (COVERAGE_PORT) or one of the next up to {last}: name the process with --address \
             http://127.0.0.1:PORT (goc build --agentport fixes the port)"
        );
    }
    choose(&found, service, told).map_err(|why| explained(&why, &found, service))
}

/// Returns the agents at these ports. A process that listens alone, at the first port, counts as an agent without
/// showing itself.
fn found_ports(client: &Client, first: u16, last: u16) -> Vec<FoundPort> {
    let listened = host::listened_ports(first..=last);
    let is_first_alone = listened == [first];
    let client = client.until(Deadline::after(Some(SHOWN_WITHIN)));
    let found = parallel::on_own_threads(listened, |port| {
        let agent = client.agent_headers(&format!("http://127.0.0.1:{port}")).unwrap_or_default();
        FoundPort { port, agent, listener: host::listener(port) }
    });
    let has_agents = found.iter().any(|found| found.agent.is_coverport);
    // The first port may be that of an agent that serves text, or shows itself late, if no agent shows itself.
    let is_agent = |found: &FoundPort| match is_first_alone || !has_agents {
        true => found.port == first,
        false => found.agent.is_coverport,
    };
    found.into_iter().filter(is_agent).collect()
}

/// Chooses the port of a service among the processes that do not have the name of another service. The order of
/// preference is: the name of the service, the user and container of the hook, the commit of the service, the port `told`
/// in the environment of the hook, and no other commit. The port `told` may only be the first one that the agent tried.
fn choose(found: &[FoundPort], service: Option<&str>, told: Option<u16>) -> Result<u16, NotChosen> {
    let is_of_other = |found: &&FoundPort| is_of_other(found.listener.as_ref(), service);
    let has_name = |found: &FoundPort| service.is_some() && own_name(found.listener.as_ref()) == service;
    let mut left: Vec<&FoundPort> = found.iter().filter(|found| !is_of_other(found)).collect();
    if left.is_empty() {
        return Err(NotChosen::OfOthers);
    }
    prefer(&mut left, has_name);
    prefer(&mut left, |found| found.listener.is_some());
    prefer(&mut left, |found| has_commit(found, service) == Some(true));
    prefer(&mut left, |found| told == Some(found.port));
    prefer(&mut left, |found| has_commit(found, service) != Some(false));
    match left[..] {
        [one] => Ok(one.port),
        _ => Err(NotChosen::Several(left.iter().map(|found| found.port).collect())),
    }
}

/// Returns the name in the environment of a process.
fn own_name(listener: Option<&Listener>) -> Option<&str> {
    listener?.service.as_deref()
}

/// Tells whether a process has the name of another service in its environment.
fn is_of_other(listener: Option<&Listener>, service: Option<&str>) -> bool {
    service.zip(own_name(listener)).is_some_and(|(service, own)| service != own)
}

/// Reduces the ports to those for which something holds, unless it holds for none.
fn prefer(left: &mut Vec<&FoundPort>, holds: impl Fn(&FoundPort) -> bool) {
    if left.iter().any(|found| holds(found)) {
        left.retain(|found| holds(found));
    }
}

/// Tells whether the commit of a program is the one at the end of a service's name, as far as both are known.
fn has_commit(found: &FoundPort, service: Option<&str>) -> Option<bool> {
    let (told, named) = (found.agent.commit.as_deref()?, service?.rsplit('_').next()?);
    let [told, named] = [told, named].map(tidy_commit);
    (!told.is_empty() && !named.is_empty()).then(|| may_be_same(&told, &named))
}

fn explained(why: &NotChosen, found: &[FoundPort], service: Option<&str>) -> anyhow::Error {
    let service = in_message(service.unwrap_or_default());
    let (problem, listed): (String, Vec<&FoundPort>) = match why {
        NotChosen::OfOthers => (
            format!(
                "no agent here is one of \"{service}\"; if one of these is, choose it with --address \
                 http://127.0.0.1:PORT:"
            ),
            found.iter().collect(),
        ),
        NotChosen::Several(ports) => (
            "several agents listen here, and nothing tells which one is that of the service; choose one with \
             --address http://127.0.0.1:PORT or COVERAGE_PORT=PORT:"
                .to_owned(),
            found.iter().filter(|found| ports.contains(&found.port)).collect(),
        ),
    };
    let lines = listed.into_iter().map(|found| format!("\n  {}", described(found)));
    anyhow::anyhow!("{problem}{}", lines.collect::<String>())
}

fn described(found: &FoundPort) -> String {
    let FoundPort { port, agent, listener } = found;
    let mut text = format!("port {port}");
    let pid = listener.as_ref().map(|listener| listener.id.to_string());
    let pid = pid.or_else(|| agent.pid.map(|pid| pid.to_string()));
    let service = own_name(listener.as_ref()).map(str::to_owned);
    for (word, value) in [
        ("process", pid),
        ("program", agent.binary.clone()),
        ("commit", agent.commit.clone()),
        ("service", service),
    ] {
        if let Some(value) = value {
            let _ = write!(text, ", {word} {}", in_message(&value));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::targets::ServiceFields;

    fn found(port: u16) -> FoundPort {
        FoundPort { port, ..FoundPort::default() }
    }

    impl FoundPort {
        /// The process is one that the hook may look at, with this name in its environment.
        fn visible(self, service: Option<&str>) -> Self {
            let service = service.map(str::to_owned);
            Self {
                listener: Some(Listener { id: 7, started_at: None, service, pod: ServiceFields::default() }),
                ..self
            }
        }

        fn of_commit(mut self, commit: &str) -> Self {
            self.agent.commit = Some(commit.to_owned());
            self
        }
    }

    const A: &str = "staging_th_a_master_845820727e";
    const B: &str = "staging_th_b_master_0123456789";

    #[test]
    fn the_agent_of_another_service_is_never_chosen() {
        let one = |own| choose(&[found(53_700).visible(own)], Some(B), None);
        assert_eq!(one(Some(A)), Err(NotChosen::OfOthers));
        assert_eq!((one(Some(B)), one(None)), (Ok(53_700), Ok(53_700)));
        let both = [found(53_700).visible(Some(A)), found(53_701).visible(Some(B))];
        assert_eq!(choose(&both, Some(B), None), Ok(53_701));
        // The port in the environment of the hook is only the first one that its agent tried.
        assert_eq!(choose(&both, Some(B), Some(53_700)), Ok(53_701));
        assert_eq!(choose(&both, None, None), Err(NotChosen::Several(vec![53_700, 53_701])));
        let nameless = [found(53_700).visible(Some(A)), found(53_701).visible(None)];
        assert_eq!(choose(&nameless, Some(B), None), Ok(53_701));
    }

    #[test]
    fn of_the_containers_of_a_pod_the_hook_chooses_the_agent_of_its_own() {
        let both = [found(53_700), found(53_701).visible(None)];
        assert_eq!(choose(&both, Some(B), None), Ok(53_701));
        assert_eq!(choose(&both, Some(B), Some(53_700)), Ok(53_701));
        assert_eq!(choose(&both, None, None), Ok(53_701));
    }

    #[test]
    fn between_agents_without_names_the_commit_and_then_the_port_decides() {
        let both = [found(53_700).visible(None), found(53_701).visible(None)];
        assert_eq!(choose(&both, Some(B), Some(53_701)), Ok(53_701));
        let several = Err(NotChosen::Several(vec![53_700, 53_701]));
        assert_eq!(choose(&both, Some(B), None), several);
        assert_eq!(choose(&both, Some(B), Some(53_702)), several);
        let commits = |of: [&str; 2], told| {
            let [a, b] = both.clone();
            choose(&[a.of_commit(of[0]), b.of_commit(of[1])], Some(B), told)
        };
        for told in [None, Some(53_700)] {
            assert_eq!(commits(["845820727e", "0123456789abcdef"], told), Ok(53_701));
        }
        assert_eq!(commits(["845820727e", "unknown"], None), Ok(53_701));
        for same in ["0123456", "845820727e"] {
            assert_eq!(commits([same, same], None), several);
            assert_eq!(commits([same, same], Some(53_700)), Ok(53_700));
        }
    }

    #[test]
    fn a_refusal_names_each_agent_and_the_remedy() {
        let mut one = found(53_700).visible(Some(A)).of_commit("845820727e");
        one.agent.binary = Some("svc\u{1b}".to_owned());
        let mut two = found(53_701);
        two.agent.pid = Some(1);
        let both = [one, two];
        let several = explained(&NotChosen::Several(vec![53_700, 53_701]), &both, Some(B)).to_string();
        assert_eq!(
            several,
            "several agents listen here, and nothing tells which one is that of the service; choose one with --address \
             http://127.0.0.1:PORT or COVERAGE_PORT=PORT:\n  port 53700, process 7, program svc\\u{1b}, commit 845820727e, \
             service staging_th_a_master_845820727e\n  port 53701, process 1"
        );
        let of_others = explained(&NotChosen::OfOthers, &both[..1], Some(B)).to_string();
        assert!(
            of_others.starts_with("no agent here is one of \"staging_th_b_master_0123456789\"; "),
            "{of_others}"
        );
    }
}
