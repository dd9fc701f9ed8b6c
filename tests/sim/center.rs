//! The goc center: a list of names with their addresses.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::net::TcpStream;
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::Duration;

use super::agent::Agent;
use super::http::{AfterAnswer, Request, Server, sized};
use super::port::ReservedPort;

/// A running center. Registered addresses stay listed, also when their process is dead.
pub(crate) struct Center {
    /// Port that stays reserved while nothing listens there.
    port: ReservedPort,
    server: Option<Server>,
    state: Arc<Mutex<State>>,
}

/// Behaviour of a center that is asked for a removal.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum RemovalBehaviour {
    /// Removes as goc's center does, with all its pitfalls.
    #[default]
    AsGoc,
    /// Answers 200 and removes nothing.
    Ignored,
    /// Removes all addresses, as it does when a proxy strips the content type.
    Everything,
    /// Dies before the removal.
    DiesBefore,
    /// Removes, then dies without an answer.
    DiesAfter,
    /// Refuses with 403.
    Forbidden,
}

/// Callback for each removed address.
type RemovalCallback = Box<dyn FnMut(&str) + Send>;

#[derive(Default)]
struct State {
    services: BTreeMap<String, Vec<String>>,
    answer: Option<(&'static str, String)>,
    is_version_2: bool,
    removing: RemovalBehaviour,
    is_dead: bool,
    ignores_registrations: bool,
    removals: Vec<String>,
    registrations: Vec<String>,
    callback: Option<RemovalCallback>,
    /// Pause after each byte of the list.
    pause_after_byte: Option<Duration>,
    lists: usize,
}

const JSON: &str = "Content-Type: application/json; charset=utf-8\r\n";
const TEXT: &str = "Content-Type: text/plain; charset=utf-8\r\n";

impl Center {
    pub(crate) fn start() -> Self {
        let state = Arc::default();
        let port = ReservedPort::local();
        let server = listen(&port, &state);
        Self { port, server: Some(server), state }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.port.address())
    }

    /// Lists an address under a name, as a process does at its start.
    pub(crate) fn register(&self, name: &str, agent: &Agent) {
        self.register_url(name, &agent.url());
    }

    pub(crate) fn register_url(&self, name: &str, url: &str) {
        self.state().register(name, url);
    }

    /// Removes an address under every name, as the center does.
    pub(crate) fn remove(&self, url: &str) {
        self.state().remove(url);
    }

    pub(crate) fn remove_all(&self) {
        self.state().services.clear();
    }

    /// Returns the list: each name with an address, sorted.
    pub(crate) fn listed(&self) -> Vec<(String, String)> {
        let state = self.state();
        let pairs = |(name, addresses): (&String, &Vec<String>)| -> Vec<(String, String)> {
            addresses.iter().map(|address| (name.clone(), address.clone())).collect()
        };
        let mut listed: Vec<(String, String)> = state.services.iter().flat_map(pairs).collect();
        listed.sort();
        listed
    }

    /// Returns each requested removal: content type and body.
    pub(crate) fn removals(&self) -> Vec<String> {
        self.state().removals.clone()
    }

    /// Returns the query of each registration over the network.
    pub(crate) fn registrations(&self) -> Vec<String> {
        self.state().registrations.clone()
    }

    /// Sets the behaviour for removals from now on.
    pub(crate) fn set_removal_behaviour(&self, removing: RemovalBehaviour) {
        self.state().removing = removing;
    }

    /// Answers registrations with success from now on, without listing anything.
    pub(crate) fn ignore_registrations(&self, ignored: bool) {
        self.state().ignores_registrations = ignored;
    }

    /// Calls `callback` with each address that was removed over the network, before the answer.
    pub(crate) fn after_each_removal(&self, callback: impl FnMut(&str) + Send + 'static) {
        self.state().callback = Some(Box::new(callback));
    }

    /// Answers requests for the list with this status and body from now on.
    pub(crate) fn set_list_answer(&self, status: &'static str, body: &str) {
        self.state().answer = Some((status, body.to_owned()));
    }

    /// Sends the list byte by byte from now on.
    pub(crate) fn drip(&self, pause: Duration) {
        self.state().pause_after_byte = Some(pause);
    }

    /// Returns the number of requests for the list.
    pub(crate) fn list_requests(&self) -> usize {
        self.state().lists
    }

    /// Speaks the protocol of goc v2 from now on.
    pub(crate) fn become_version_2(&self) {
        self.state().is_version_2 = true;
    }

    pub(crate) fn stop(&mut self) {
        self.server = None;
    }

    pub(crate) fn start_again(&mut self) {
        self.server = None;
        self.state().is_dead = false;
        self.server = Some(listen(&self.port, &self.state));
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }
}

fn listen(port: &ReservedPort, state: &Arc<Mutex<State>>) -> Server {
    let state = Arc::clone(state);
    let answer = move |request: &Request, stream: &mut TcpStream| {
        let (answer, pause) = {
            let mut state = state.lock().unwrap();
            (state.answer(request), state.pause_after_byte.filter(|_| request.path == "/v1/cover/list"))
        };
        let Some(answer) = answer else { return Ok(AfterAnswer::Close) };
        let Some(pause) = pause else {
            stream.write_all(&answer)?;
            return Ok(AfterAnswer::KeepAlive);
        };
        for byte in answer.chunks(1) {
            stream.write_all(byte)?;
            thread::sleep(pause);
        }
        Ok(AfterAnswer::KeepAlive)
    };
    Server::start_at(port, Arc::new(answer)).expect("its own port")
}

impl State {
    fn register(&mut self, name: &str, url: &str) {
        let addresses = self.services.entry(name.to_owned()).or_default();
        if !addresses.iter().any(|known| known == url) {
            addresses.push(url.to_owned());
        }
    }

    fn remove(&mut self, url: &str) {
        for addresses in self.services.values_mut() {
            addresses.retain(|known| known != url);
        }
        self.services.retain(|_, addresses| !addresses.is_empty());
    }

    /// Returns the answer, or `None` where the center dies.
    fn answer(&mut self, request: &Request) -> Option<Vec<u8>> {
        if self.is_dead {
            return None;
        }
        let (path, query) = request.path.split_once('?').unwrap_or((&request.path, ""));
        self.lists += usize::from(path == "/v1/cover/list");
        Some(match (path, &self.answer) {
            ("/v2/agents", _) if self.is_version_2 => sized("200 OK", JSON, br#"{"items":[]}"#),
            ("/v1/cover/list", Some((status, body))) => sized(status, JSON, body.as_bytes()),
            ("/v1/cover/list", None) if !self.is_version_2 => {
                let body = serde_json::to_vec(&self.services).expect("names and addresses");
                sized("200 OK", JSON, &body)
            }
            ("/v1/cover/remove", _) if request.method == "POST" => return self.removal(request),
            ("/v1/cover/register", _) if request.method == "POST" => self.registration(query),
            _ => sized("404 Not Found", "Content-Type: text/plain\r\n", b"404 page not found"),
        })
    }

    fn removal(&mut self, request: &Request) -> Option<Vec<u8>> {
        let body = String::from_utf8_lossy(&request.body).into_owned();
        self.removals.push(format!("{} {body}", request.content_type));
        match self.removing {
            RemovalBehaviour::DiesBefore => {
                self.is_dead = true;
                return None;
            }
            RemovalBehaviour::Ignored => return Some(sized("200 OK", TEXT, b"")),
            RemovalBehaviour::Forbidden => return Some(sized("403 Forbidden", TEXT, b"not for you")),
            RemovalBehaviour::Everything => {
                self.services.clear();
                return Some(sized("200 OK", TEXT, b"removed"));
            }
            RemovalBehaviour::AsGoc | RemovalBehaviour::DiesAfter => {}
        }
        // goc parses the body by its content type. A body that it does not parse is empty, and an empty one means all
        // addresses.
        let is_json = request.content_type.starts_with("application/json");
        let parsed: serde_json::Value = match serde_json::from_str(&body) {
            Ok(parsed) => parsed,
            Err(_) if is_json => return Some(sized("417 Expectation Failed", JSON, br#"{"error":"EOF"}"#)),
            Err(_) => serde_json::Value::Null,
        };
        let addresses: Vec<String> = parsed["address"]
            .as_array()
            .filter(|_| is_json)
            .map(|addresses| addresses.iter().filter_map(|it| it.as_str().map(str::to_owned)).collect())
            .unwrap_or_default();
        if addresses.is_empty() {
            self.services.clear();
        }
        for address in &addresses {
            self.remove(address);
            if let Some(callback) = &mut self.callback {
                callback(address);
            }
        }
        if self.removing == RemovalBehaviour::DiesAfter {
            self.is_dead = true;
            return None;
        }
        Some(sized("200 OK", TEXT, b"Register service removed from the center."))
    }

    fn registration(&mut self, query: &str) -> Vec<u8> {
        self.registrations.push(query.to_owned());
        let pairs: BTreeMap<&str, String> = query
            .split('&')
            .filter_map(|pair| pair.split_once('='))
            .map(|(name, value)| (name, decoded(value)))
            .collect();
        let (Some(name), Some(address)) = (pairs.get("name"), pairs.get("address")) else {
            return sized("400 Bad Request", JSON, br#"{"error":"required"}"#);
        };
        let (scheme, authority) = address.split_once("://").expect("a URL");
        let (host, port) = authority.rsplit_once(':').expect("a port");
        // The center drops brackets, and replaces the host by the caller's address unless told not to.
        let host = match pairs.get("ip_revise").map(String::as_str) {
            Some("false") => host.trim_matches(['[', ']']),
            _ => "127.0.0.1",
        };
        if !self.ignores_registrations {
            self.register(name, &format!("{scheme}://{host}:{port}"));
        }
        sized("200 OK", JSON, br#"{"result":"success"}"#)
    }
}

/// Undoes the escapes of a query.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        let byte = match byte {
            b'+' => b' ',
            b'%' => {
                let digits = [rest.next().expect("a digit"), rest.next().expect("a digit")];
                u8::from_str_radix(std::str::from_utf8(&digits).expect("digits"), 16).expect("digits")
            }
            byte => byte,
        };
        bytes.push(byte);
    }
    String::from_utf8(bytes).expect("text")
}
