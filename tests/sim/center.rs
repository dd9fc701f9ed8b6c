//! The goc center: who is registered where.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Mutex};

use super::agent::Agent;
use super::http::{After, Request, Server, sized};

/// A running center. What registers stays listed, also when it is dead.
pub(crate) struct Center {
    address: SocketAddr,
    server: Option<Server>,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    services: BTreeMap<String, Vec<String>>,
    answer: Option<(&'static str, String)>,
    is_version_2: bool,
}

const JSON: &str = "Content-Type: application/json; charset=utf-8\r\n";

impl Center {
    pub(crate) fn start() -> Self {
        let state = Arc::default();
        let server = listen(([127, 0, 0, 1], 0).into(), &state).expect("a free port");
        Self { address: server.address(), server: Some(server), state }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Lists an address under a name, as a process does at its start.
    pub(crate) fn register(&self, name: &str, agent: &Agent) {
        self.register_url(name, &agent.url());
    }

    pub(crate) fn register_url(&self, name: &str, url: &str) {
        let mut state = self.state.lock().unwrap();
        let addresses = state.services.entry(name.to_owned()).or_default();
        if !addresses.iter().any(|known| known == url) {
            addresses.push(url.to_owned());
        }
    }

    /// Takes an address off the list under every name, as the center does.
    pub(crate) fn remove(&self, url: &str) {
        let mut state = self.state.lock().unwrap();
        for addresses in state.services.values_mut() {
            addresses.retain(|known| known != url);
        }
        state.services.retain(|_, addresses| !addresses.is_empty());
    }

    pub(crate) fn remove_all(&self) {
        self.state.lock().unwrap().services.clear();
    }

    /// Answers the list with this status and body from now on.
    pub(crate) fn answer(&self, status: &'static str, body: &str) {
        self.state.lock().unwrap().answer = Some((status, body.to_owned()));
    }

    /// Speaks the protocol of goc v2 from now on.
    pub(crate) fn become_version_2(&self) {
        self.state.lock().unwrap().is_version_2 = true;
    }

    pub(crate) fn stop(&mut self) {
        self.server = None;
    }

    pub(crate) fn start_again(&mut self) {
        self.server = Some(listen(self.address, &self.state).expect("its own port"));
    }
}

fn listen(address: SocketAddr, state: &Arc<Mutex<State>>) -> io::Result<Server> {
    let state = Arc::clone(state);
    Server::start(
        address,
        Arc::new(move |request: &Request, stream: &mut TcpStream| {
            let state = state.lock().unwrap();
            let answer = match (request.path.as_str(), &state.answer) {
                ("/v2/agents", _) if state.is_version_2 => sized("200 OK", JSON, br#"{"items":[]}"#),
                ("/v1/cover/list", Some((status, body))) => sized(status, JSON, body.as_bytes()),
                ("/v1/cover/list", None) if !state.is_version_2 => {
                    let body = serde_json::to_vec(&state.services).expect("names and addresses");
                    sized("200 OK", JSON, &body)
                }
                _ => sized("404 Not Found", "Content-Type: text/plain\r\n", b"404 page not found"),
            };
            drop(state);
            stream.write_all(&answer)?;
            Ok(After::KeepAlive)
        }),
    )
}
