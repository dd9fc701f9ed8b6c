//! A goc center and instrumented processes that speak goc's protocol as it was recorded (`tests/fixtures/wire`): files
//! in another order in each answer, chunked, and with every failure that was seen in practice. Tests, the quickstart
//! and the benches use it; the product does not.

#![allow(dead_code, unused_imports, reason = "tests, quickstart and benches each use a part of it")]

mod agent;
mod center;
mod coverport;
mod fleet;
mod http;
mod port;
mod program;
mod proxy;

pub(crate) use agent::Agent;
pub(crate) use agent::Behaviour;
pub(crate) use center::{Center, RemovalBehaviour};
pub(crate) use coverport::{BinaryProgram, Coverport};
pub(crate) use fleet::{FleetSize, SimulatedFleet};
pub(crate) use http::{AfterAnswer, Request, Server, chunked, sized};
pub(crate) use port::ReservedPort;
pub(crate) use program::{Program, fraction};
pub(crate) use proxy::Proxy;
