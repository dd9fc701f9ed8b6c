//! Processes that name themselves count once, whatever stands between them and this program, and whatever they leave.

use std::fs;

use serde_json::json;

use crate::harness::{ECHO, World};
use crate::sim::{Behaviour, BinaryProgram, Coverport};

/// Three blocks, in canonical order.
const BLOCKS: &str = "example.com/echo/main.go:1.1,2.2 1\nexample.com/echo/main.go:3.1,4.2 1\n\
    example.com/echo/other.go:1.1,2.2 1\n";
const REBUILT: &str = "example.com/echo/main.go:1.1,2.2 1\nexample.com/echo/main.go:3.1,5.2 2\n";

fn program() -> BinaryProgram {
    BinaryProgram::from_profile(BLOCKS)
}

/// A world in which each change of counters is a row, with a process of three blocks.
fn world() -> (World, Coverport) {
    let world = World::new();
    world.configure("[pull]\nchange = \"counts\"\n");
    let agent = Coverport::start(&program());
    world.center.register_url(ECHO, &agent.url());
    (world, agent)
}

/// Lets a process answer with these counters, and pulls it.
fn pull(world: &World, agent: &Coverport, pid: u32, counts: [u64; 3]) {
    agent.switch_to(pid, &counts);
    world.pull(0);
}

#[test]
fn an_answer_that_a_proxy_kept_adds_nothing_and_ends_nothing() {
    for pid in [1, 7] {
        let (world, agent) = world();
        let mut kept = Vec::new();
        for counts in [[1, 0, 2], [3, 0, 4], [5, 0, 9], [6, 2, 9]] {
            agent.switch_to(pid, &counts);
            kept.push(agent.kept_answer());
            // The second is one that this program has not seen.
            if counts != [3, 0, 4] {
                world.pull(0);
            }
        }
        for answer in kept {
            agent.behave(answer);
            world.pull(0);
            assert_eq!(world.echo_counts(), [6, 2, 9], "{pid}");
            agent.behave(Behaviour::Normal);
            world.pull(0);
            assert_eq!(world.echo_counts(), [6, 2, 9], "{pid}");
        }
        assert_eq!(world.query::<i64>("SELECT count(*) FROM generation WHERE closed_at IS NULL"), 1);
        assert_eq!(world.query::<i64>("SELECT count(*) FROM generation"), 1);
        world.assert_consistent();
    }
}

#[test]
fn a_kept_answer_of_a_process_that_is_gone_adds_only_what_nobody_saw() {
    let (world, agent) = world();
    pull(&world, &agent, 1, [3, 0, 2]);
    let seen = agent.kept_answer();
    agent.switch_to(1, &[4, 1, 2]);
    let unseen = agent.kept_answer();
    pull(&world, &agent, 1, [1, 0, 1]);
    assert_eq!(world.echo_counts(), [4, 0, 3]);
    for (answer, then) in [(&seen, [4, 0, 3]), (&unseen, [5, 1, 3]), (&seen, [5, 1, 3])] {
        agent.behave(answer.clone());
        world.pull(0);
        assert_eq!(world.echo_counts(), then);
    }
    agent.behave(Behaviour::Normal);
    pull(&world, &agent, 1, [2, 0, 1]);
    assert_eq!(world.echo_counts(), [6, 1, 3]);
    assert_eq!(world.query::<i64>("SELECT count(*) FROM generation"), 2);
}

#[test]
fn a_process_whose_clock_went_back_goes_on() {
    for pid in [1, 7] {
        let (world, agent) = world();
        agent.switch_to(pid, &[9, 1, 9]);
        let grown = agent.kept_answer();
        pull(&world, &agent, pid, [5, 0, 9]);
        agent.behave(grown);
        world.pull(0);
        assert_eq!(world.echo_counts(), [9, 1, 9], "{pid}");
        agent.behave(Behaviour::Normal);
        pull(&world, &agent, pid, [10, 1, 9]);
        assert_eq!(world.echo_counts(), [10, 1, 9], "{pid}");
        assert_eq!(world.query::<i64>("SELECT count(*) FROM generation"), 1);
    }
}

#[test]
fn a_process_that_starts_again_in_its_container_is_counted_from_its_first_hit() {
    let (world, agent) = world();
    for (counts, sum) in [
        ([5, 0, 3], [5, 0, 3]),
        ([1, 0, 1], [6, 0, 4]),
        // The counters pass those of the process before.
        ([9, 0, 7], [14, 0, 10]),
        ([1, 0, 1], [15, 0, 11]),
        ([2, 1, 1], [16, 1, 11]),
    ] {
        pull(&world, &agent, 1, counts);
        assert_eq!(world.echo_counts(), sum, "{counts:?}");
    }
    assert_eq!(world.query::<i64>("SELECT count(*) FROM generation"), 3);
}

#[test]
fn processes_behind_one_address_go_on_with_their_own_lives() {
    let (world, agent) = world();
    for (pid, counts, sum) in [
        (7, [5, 0, 3], [5, 0, 3]),
        (8, [6, 1, 4], [11, 1, 7]),
        (7, [5, 0, 3], [11, 1, 7]),
        (8, [7, 1, 5], [12, 1, 8]),
        (7, [9, 2, 9], [16, 3, 14]),
        (8, [8, 1, 6], [17, 3, 15]),
    ] {
        pull(&world, &agent, pid, counts);
        assert_eq!(world.echo_counts(), sum, "{pid} {counts:?}");
    }
    assert_eq!(world.query::<i64>("SELECT count(*) FROM generation"), 2);
}

#[test]
fn processes_with_pid_1_behind_one_address_that_stand_still_count_once() {
    let (world, agent) = world();
    let (one, other) = ([2, 0, 1], [5, 0, 3]);
    for counts in [one, other, one, other, one, other] {
        pull(&world, &agent, 1, counts);
    }
    assert_eq!(world.echo_counts(), [7, 0, 4]);
}

#[test]
fn a_process_is_known_again_after_another_program_answered_in_between() {
    let (world, agent) = world();
    pull(&world, &agent, 1, [5, 0, 3]);
    agent.run(&BinaryProgram::from_profile(REBUILT));
    world.pull(0);
    agent.run(&program());
    pull(&world, &agent, 1, [5, 0, 3]);
    assert_eq!(world.echo_counts(), [5, 0, 3]);
}

#[test]
fn counters_that_were_cleared_and_come_back_count_once() {
    let (world, agent) = world();
    for counts in [[5, 0, 3], [0, 0, 0], [5, 0, 3]] {
        pull(&world, &agent, 1, counts);
    }
    assert_eq!(world.echo_counts(), [5, 0, 3]);
}

/// Writes a counter file of the process of [`world`] into its folder, as if it was written at this time.
fn leave_file(world: &World, folder: &str, pid: u32, nanoseconds: u64, counts: [u64; 3]) {
    let folder = world.root().join("inbox").join(folder);
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("covmeta.a"), program().meta()).unwrap();
    let name = format!("covcounters.a.{pid}.{nanoseconds}");
    fs::write(folder.join(name), program().counters(&counts)).unwrap();
}

#[test]
fn a_file_that_a_process_left_before_its_first_pull_counts_once() {
    for (pid, pulled, sum) in [
        (1, [3, 0, 2], [3, 0, 2]),
        (1, [5, 1, 2], [5, 1, 2]),
        (1, [2, 0, 1], [3, 0, 2]),
        // Other lives.
        (1, [0, 4, 1], [3, 4, 3]),
        (2, [5, 1, 2], [8, 1, 4]),
    ] {
        let (world, agent) = world();
        leave_file(&world, ECHO, 1, 1, [3, 0, 2]);
        pull(&world, &agent, pid, pulled);
        assert_eq!(world.echo_counts(), sum, "{pid} {pulled:?}");
        // The process goes on, and leaves a file when it ends.
        pull(&world, &agent, pid, [9, 5, 9]);
        leave_file(&world, ECHO, pid, 2, [9, 6, 9]);
        agent.kill();
        world.pull(3);
        let is_own = sum == pulled || sum == [3, 0, 2];
        assert_eq!(world.echo_counts(), if is_own { [9, 6, 9] } else { [12, 6, 11] }, "{pid} {pulled:?}");
        world.assert_consistent();
    }
}

#[test]
fn of_two_processes_that_answer_first_one_takes_the_file_that_one_of_them_left() {
    let (world, agents) = (World::new(), [1, 2].map(|_| Coverport::start(&program())));
    world.configure("[pull]\nchange = \"counts\"\n");
    for agent in &agents {
        world.center.register_url(ECHO, &agent.url());
        agent.switch_to(1, &[5, 1, 2]);
    }
    leave_file(&world, ECHO, 1, 1, [3, 0, 2]);
    world.pull(0);
    assert_eq!(world.echo_counts(), [10, 2, 4]);
}

#[test]
fn a_file_joins_the_process_of_its_pod_that_is_pulled_later() {
    let world = World::new();
    world.configure("[pull]\nchange = \"counts\"\n");
    let agents = [1, 2].map(|_| Coverport::start(&program()));
    let targets = agents.iter().zip(["pod-0", "pod-1"]).map(|(agent, pod)| {
        let target = agent.url().replace("http://", "");
        json!({"targets": [target], "labels": {"service": ECHO, "pod": pod}})
    });
    let file = world.home().join("targets.json");
    fs::write(&file, json!(targets.collect::<Vec<_>>()).to_string()).unwrap();
    agents[0].switch_to(1, &[9, 1, 9]);
    agents[1].switch_to(7, &[5, 1, 2]);
    leave_file(&world, &format!("{ECHO}/pod-1"), 7, 1, [4, 0, 2]);
    leave_file(&world, &format!("{ECHO}/pod-2"), 1, 1, [1, 0, 0]);
    world.run(&["pull", "--force", "--targets", file.to_str().unwrap()]).assert_code(0);
    assert_eq!(world.echo_counts(), [15, 2, 11]);
}

#[test]
fn files_of_several_folders_join_one_process_whatever_the_first_of_them_brought() {
    let (world, agent) = world();
    pull(&world, &agent, 1, [1, 0, 1]);
    // The second is the older one, and its folder is read later.
    for (pod, counts) in
        [("pod-0", [4, 0, 2]), ("pod-1", [2, 0, 1]), ("pod-2", [5, 1, 2]), ("pod-3", [4, 1, 2])]
    {
        leave_file(&world, &format!("{ECHO}/{pod}"), 1, 1, counts);
    }
    agent.kill();
    world.pull(3);
    assert_eq!(world.echo_counts(), [5, 1, 2]);
    assert_eq!(world.query::<i64>("SELECT count(*) FROM generation"), 1);
    world.assert_consistent();
}

#[test]
fn a_file_makes_an_answer_that_was_kept_before_it_an_old_one() {
    let (world, agent) = world();
    pull(&world, &agent, 1, [1, 0, 1]);
    agent.switch_to(1, &[2, 0, 1]);
    let kept = agent.kept_answer();
    // Later than all that the agent tells.
    leave_file(&world, ECHO, 1, 1_750_000_000_000_000_000, [5, 0, 3]);
    agent.behave(kept);
    world.pull(0);
    assert_eq!(world.echo_counts(), [5, 0, 3]);
}

#[test]
fn another_program_under_a_known_hash_is_noticed_though_its_counters_fit() {
    let (world, agent) = world();
    agent.hit(&[0], 1);
    world.pull(0);
    // As many functions and blocks, at other places.
    let twin = BinaryProgram::from_profile(&BLOCKS.replace("3.1,4.2", "5.1,9.2")).with_hash_of(&program());
    let other = Coverport::start(&twin);
    other.hit(&[1], 1);
    world.center.register_url(ECHO, &other.url());
    let output = world.pull(3);
    assert!(output.stderr.contains("has the hash of another one, "), "{}", output.stderr);
    assert!(output.stderr.contains("which contradicts the one shown"), "{}", output.stderr);
    assert_eq!(world.echo_counts(), [1, 0, 0]);
    assert_eq!(world.query::<i64>("SELECT count(*) FROM meta"), 2);
}

/// Leaves a snapshot of a process in the inbox, as the hook in its pod does.
fn leave_snapshot(world: &World, agent: &Coverport) {
    let inbox = world.root().join("inbox");
    fs::create_dir_all(&inbox).unwrap();
    let options = ["pull", "--service", ECHO, "--address", &agent.url(), "--strict", "--to-inbox"];
    world.run(&[&options[..], &[inbox.to_str().unwrap()]].concat()).assert_code(0);
}

#[test]
fn a_snapshot_of_a_process_that_is_pulled_first_afterwards_counts_once() {
    for (pulled, sum) in [([3, 0, 2], [3, 0, 2]), ([5, 1, 2], [5, 1, 2]), ([0, 4, 0], [3, 4, 2])] {
        let (world, agent) = world();
        agent.switch_to(1, &[3, 0, 2]);
        leave_snapshot(&world, &agent);
        pull(&world, &agent, 1, pulled);
        assert_eq!(world.echo_counts(), sum, "{pulled:?}");
    }
}

#[test]
fn a_snapshot_makes_an_answer_that_was_kept_before_it_an_old_one() {
    let (world, agent) = world();
    pull(&world, &agent, 1, [1, 0, 1]);
    agent.switch_to(1, &[2, 0, 1]);
    let kept = agent.kept_answer();
    agent.switch_to(1, &[3, 0, 2]);
    leave_snapshot(&world, &agent);
    agent.behave(kept);
    world.pull(0);
    assert_eq!(world.echo_counts(), [3, 0, 2]);
}

#[test]
fn a_snapshot_of_another_process_id_is_added_though_its_counters_are_higher() {
    let (world, agent) = world();
    pull(&world, &agent, 7, [3, 0, 2]);
    agent.switch_to(8, &[5, 1, 2]);
    leave_snapshot(&world, &agent);
    world.pull(0);
    assert_eq!(world.echo_counts(), [8, 1, 4]);
}

#[test]
fn a_kept_answer_of_a_process_that_only_left_a_file_adds_nothing() {
    let (world, agent) = world();
    agent.switch_to(7, &[2, 0, 1]);
    let kept = agent.kept_answer();
    pull(&world, &agent, 8, [1, 0, 1]);
    leave_file(&world, ECHO, 7, 1, [3, 0, 2]);
    agent.switch_to(7, &[2, 0, 1]);
    agent.behave(kept);
    world.pull(0);
    assert_eq!(world.echo_counts(), [4, 0, 3]);
    agent.behave(Behaviour::Normal);
    pull(&world, &agent, 8, [2, 0, 1]);
    assert_eq!(world.echo_counts(), [5, 0, 3]);
}
