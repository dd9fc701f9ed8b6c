//! A goc center and instrumented processes that speak goc's protocol as it was recorded
//! (`tests/fixtures/wire`): files in another order at each answer, chunked, with every way to fail that
//! was seen in the wild. Serves the tests, the quickstart and the benches; no part of the product.

#![allow(dead_code, unused_imports, reason = "tests, quickstart and benches each use a part of it")]

mod agent;
mod center;
mod fleet;
mod http;
mod port;
mod program;
mod proxy;

pub(crate) use agent::Agent;
pub(crate) use agent::Behaviour;
pub(crate) use center::{Center, RemovalBehaviour};
pub(crate) use fleet::{FleetSize, SimulatedFleet};
pub(crate) use http::{AfterAnswer, Request, Server, sized};
pub(crate) use port::ReservedPort;
pub(crate) use program::Program;
pub(crate) use proxy::Proxy;
