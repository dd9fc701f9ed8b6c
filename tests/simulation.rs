//! The simulated center and processes themselves, on which other tests build.

use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketType, bind, socket};

use crate::harness::{World, echo, make_script};
use crate::sim::Agent;

fn address_of(agent: &Agent) -> SocketAddr {
    agent.url().strip_prefix("http://").unwrap().parse().unwrap()
}

/// Does some work while four threads start one program after the other, as other tests do.
fn while_programs_start<T>(work: impl FnOnce() -> T) -> T {
    let is_done = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while !is_done.load(Ordering::Relaxed) {
                    Command::new("true").status().unwrap();
                }
            });
        }
        let done = work();
        is_done.store(true, Ordering::Relaxed);
        done
    })
}

#[test]
fn a_killed_process_refuses_connections_while_other_tests_start_programs() {
    let is_refused = |_: &usize| {
        let agent = Agent::start(&echo());
        agent.kill();
        TcpStream::connect(address_of(&agent)).is_err_and(|it| it.kind() == ErrorKind::ConnectionRefused)
    };
    assert_eq!(while_programs_start(|| (0..100).filter(is_refused).count()), 100);
}

#[test]
fn a_script_that_a_test_makes_runs_while_other_tests_start_programs() {
    let world = World::new();
    let runs = |at: &usize| {
        let script = world.home().join(format!("script{at}"));
        make_script(&script, "exit 7\n");
        Command::new(&script).status().is_ok_and(|status| status.code() == Some(7))
    };
    assert_eq!(while_programs_start(|| (0..100).filter(runs).count()), 100);
}

#[test]
fn the_port_of_a_killed_process_is_taken_until_it_starts_again() {
    let agent = Agent::start(&echo());
    agent.kill();
    // A bind without `SO_REUSEADDR` fails here for the same reason for which the kernel gives this port to nobody.
    let other = socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
    assert_eq!(bind(&other, &address_of(&agent)), Err(Errno::ADDRINUSE));
    agent.revive();
    TcpStream::connect(address_of(&agent)).unwrap();
}

/// Keeps a center with two processes for a person who debugs the binary; CONTRIBUTING.md has the commands.
#[test]
#[ignore = "reads orders of a person from stdin"]
fn a_simulated_center_stays_until_stdin_ends() {
    let (world, agents) = World::with_echo(2);
    println!("export GOC_CENTER={} GOC_WATCHDOG_ROOT={}", world.center.url(), world.root().display());
    println!("# orders: hit PROCESS BLOCK, restart PROCESS, kill PROCESS, revive PROCESS; Ctrl-D ends");
    for line in io::stdin().lines() {
        let line = line.unwrap();
        let (order, numbers) = line.split_once(' ').unwrap_or((&line, ""));
        let numbers: Vec<usize> = numbers.split(' ').filter_map(|number| number.parse().ok()).collect();
        match (order, &numbers[..]) {
            ("hit", &[process @ 0..2, block @ 0..6]) => agents[process].hit(&[block], 1),
            ("restart", &[process @ 0..2]) => agents[process].restart(),
            ("kill", &[process @ 0..2]) => agents[process].kill(),
            ("revive", &[process @ 0..2]) => agents[process].revive(),
            _ => println!("# not understood; PROCESS is 0 or 1, BLOCK is 0 to 5"),
        }
    }
}
