//! Processes that name themselves count once, whatever stands between them and this program, and whatever they leave.

use std::fs;

use chrono::DateTime;
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
fn processes_with_pid_1_behind_one_address_are_understated_once_they_are_known() {
    let (world, agent) = world();
    let said = format!("several processes with one process id answer at \"{}\"", agent.url());
    let mut told = 0;
    // Two processes answer in turn. The fall to 6 shows it, because 6 goes on with the first 5.
    for (count, sum) in
        [(5, 5), (3, 8), (8, 13), (4, 17), (9, 22), (6, 22), (12, 22), (7, 22), (20, 27), (9, 29), (21, 30)]
    {
        agent.switch_to(1, &[count, 0, count]);
        told += world.pull(0).stderr.matches(&said).count();
        assert_eq!(world.echo_counts(), [sum, 0, sum], "{count}");
    }
    assert_eq!(told, 1);
    // A third process has a block of its own. The sum is exact when each of the three has answered again.
    for (counts, sum) in [
        ([1, 2, 0], [30, 2, 30]),
        ([21, 0, 22], [30, 2, 30]),
        ([1, 3, 0], [30, 3, 30]),
        ([10, 0, 10], [32, 3, 32]),
    ] {
        pull(&world, &agent, 1, counts);
        assert_eq!(world.echo_counts(), sum, "{counts:?}");
    }
    world.assert_consistent();
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
    world.leave_file(folder, &program(), &format!("{pid}.{nanoseconds}"), &counts);
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
fn a_file_is_not_of_another_process_of_its_pod_with_another_id() {
    let world = World::new();
    world.configure("[pull]\nchange = \"counts\"\n");
    let agents = [1, 2].map(|_| Coverport::start(&program()));
    let targets = agents.each_ref().map(|agent| agent.url().replace("http://", ""));
    let file = world.home().join("targets.json");
    let list = json!([{"targets": targets, "labels": {"service": ECHO, "pod": "pod-0"}}]);
    fs::write(&file, list.to_string()).unwrap();
    agents[0].switch_to(7, &[1, 2, 1]);
    agents[1].switch_to(8, &[4, 4, 4]);
    world.run(&["pull", "--force", "--targets", file.to_str().unwrap()]).assert_code(0);
    assert_eq!(world.echo_counts(), [5, 6, 5]);
    leave_file(&world, &format!("{ECHO}/pod-0"), 7, 1, [3, 3, 3]);
    world.run(&["pull", "--force", "--targets", file.to_str().unwrap()]).assert_code(0);
    assert_eq!(world.echo_counts(), [7, 7, 7]);
}

#[test]
fn a_file_counts_once_where_its_pod_took_over_the_address_and_the_life_of_another() {
    let (world, agent) = world();
    let file = world.home().join("targets.json");
    let pull_as = |pod: &str, counts: [u64; 3]| {
        let target = agent.url().replace("http://", "");
        let list = json!([{"targets": [target], "labels": {"service": ECHO, "pod": pod}}]);
        fs::write(&file, list.to_string()).unwrap();
        agent.switch_to(1, &counts);
        world.run(&["pull", "--force", "--targets", file.to_str().unwrap()]).assert_code(0);
    };
    pull_as("pod-0", [0, 1, 0]);
    // The counters of the new pod look as if those of the other one went on.
    leave_file(&world, &format!("{ECHO}/pod-1"), 1, 1, [1, 1, 2]);
    pull_as("pod-1", [1, 1, 2]);
    assert_eq!(world.echo_counts(), [1, 2, 2]);
    pull_as("pod-1", [3, 1, 2]);
    assert_eq!(world.echo_counts(), [3, 2, 2]);
    world.assert_consistent();
}

#[test]
fn files_of_several_folders_are_those_of_several_processes_of_which_one_may_be_the_pulled_one() {
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
    assert_eq!(world.echo_counts(), [4 + 2 + 5 + 4, 1 + 1, 2 + 1 + 2 + 2]);
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

#[test]
fn a_snapshot_of_a_process_that_is_pulled_first_afterwards_counts_once() {
    for (pulled, sum) in [([3, 0, 2], [3, 0, 2]), ([5, 1, 2], [5, 1, 2]), ([0, 4, 0], [3, 4, 2])] {
        let (world, agent) = world();
        agent.switch_to(1, &[3, 0, 2]);
        world.leave_snapshot(&agent.url(), ECHO);
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
    world.leave_snapshot(&agent.url(), ECHO);
    agent.behave(kept);
    world.pull(0);
    assert_eq!(world.echo_counts(), [3, 0, 2]);
}

#[test]
fn a_snapshot_of_another_process_id_is_added_though_its_counters_are_higher() {
    let (world, agent) = world();
    pull(&world, &agent, 7, [3, 0, 2]);
    agent.switch_to(8, &[5, 1, 2]);
    world.leave_snapshot(&agent.url(), ECHO);
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

/// A container of a pod, as a list of pods tells it.
#[derive(Clone, Copy)]
struct Container {
    uid: &'static str,
    restarts: u32,
    /// Start of its process, in seconds since 1970.
    started_at: Option<i64>,
}

/// Pulls with a list of pods that tells this container; `None`: the source fails.
fn pull_pod(world: &World, agent: &Coverport, container: Option<Container>) {
    let address = agent.url();
    let (ip, port) = address.trim_start_matches("http://").split_once(':').unwrap();
    let list = container.map(|Container { uid, restarts, started_at }| {
        let started_at = started_at.map(|at| DateTime::from_timestamp_secs(at).unwrap().to_rfc3339());
        let state = started_at.map(|at| json!({"running": {"startedAt": at}}));
        let status = json!([{"name": "echo", "restartCount": restarts, "state": state}]);
        json!({"kind": "List", "items": [{
            "kind": "Pod",
            "metadata": {"name": "echo-0", "namespace": "staging", "uid": uid,
                         "annotations": {"goc-watchdog/service": ECHO, "goc-watchdog/port": port}},
            "spec": {"containers": [{"name": "echo"}]},
            "status": {"phase": "Running", "podIP": ip, "containerStatuses": status},
        }]})
    });
    let path = world.home().join("pods.json");
    fs::write(&path, list.as_ref().map(ToString::to_string).unwrap_or_default()).unwrap();
    let code = if list.is_some() { 0 } else { 3 };
    world.run(&["pull", "--force", "--targets", &path.display().to_string()]).assert_code(code);
}

/// A world without a center, with a process of a container that has counted.
fn world_of_pods(counts: [u64; 3], tells_start: bool) -> (World, Coverport, Container) {
    let world = World::new();
    world.configure("[pull]\nchange = \"counts\"\n");
    let agent = Coverport::start(&program());
    let started_at = tells_start.then(|| agent.seconds() - 30);
    let container = Container { uid: "u-1", restarts: 3, started_at };
    agent.switch_to(1, &counts);
    pull_pod(&world, &agent, Some(container));
    (world, agent, container)
}

/// The container as a list tells it after a restart, or that of another pod.
fn after(container: Container, agent: &Coverport, is_other_pod: bool) -> Container {
    let started_at = container.started_at.map(|_| agent.seconds() - 30);
    match is_other_pod {
        true => Container { uid: "u-2", restarts: 0, started_at },
        false => Container { restarts: container.restarts + 1, started_at, ..container },
    }
}

#[test]
fn a_restart_that_a_list_tells_too_late_adds_nothing_twice() {
    for (tells_start, is_stale, is_other_pod) in [
        (true, true, false),
        (true, true, true),
        (true, false, false),
        (true, false, true),
        // A source that fails tells nothing of the container.
        (false, false, false),
        (false, false, true),
    ] {
        for last in [[5, 0, 1], [6, 1, 1]] {
            let (world, agent, container) = world_of_pods([9, 0, 4], tells_start);
            let restarted = after(container, &agent, is_other_pod);
            agent.switch_to(1, &[5, 0, 1]);
            pull_pod(&world, &agent, Some(container).filter(|_| is_stale));
            assert_eq!(world.echo_counts(), [14, 0, 5]);
            agent.switch_to(1, &last);
            pull_pod(&world, &agent, Some(restarted));
            let what = format!("{tells_start} {is_stale} {is_other_pod} {last:?}");
            assert_eq!(world.echo_counts(), [9 + last[0], last[1], 4 + last[2]], "{what}");
            assert_eq!(world.query::<i64>("SELECT count(*) FROM generation"), 2, "{what}");
            // A restart that is told in time, of a process that counts more at once.
            let restarted = after(restarted, &agent, is_other_pod);
            agent.switch_to(1, &[8, 2, 7]);
            pull_pod(&world, &agent, Some(Container { uid: "u-3", ..restarted }));
            assert_eq!(world.echo_counts(), [17 + last[0], 2 + last[1], 11 + last[2]], "{what}");
            world.assert_consistent();
        }
    }
}

#[test]
fn a_restart_that_no_list_told_yet_never_counts_too_much() {
    for tells_start in [true, false] {
        let (world, agent, container) = world_of_pods([2, 0, 1], tells_start);
        let restarted = after(container, &agent, false);
        // Counters that passed those of the process before.
        agent.switch_to(1, &[5, 0, 1]);
        pull_pod(&world, &agent, None);
        assert_eq!(world.echo_counts(), [5, 0, 1]);
        agent.switch_to(1, &[6, 1, 1]);
        pull_pod(&world, &agent, Some(restarted));
        assert_eq!(world.echo_counts(), [6, 1, 1], "{tells_start}");
    }
}

#[test]
fn what_lists_told_of_a_container_holds_when_it_is_pulled_without_a_list() {
    for moves in [false, true] {
        let (world, agent, container) = world_of_pods([2, 0, 1], true);
        if moves {
            agent.switch_to(1, &[3, 0, 1]);
        }
        world.run(&["pull", ECHO, "--address", &agent.url()]).assert_code(0);
        let restarted = after(container, &agent, false);
        agent.switch_to(1, &[4, 0, 1]);
        pull_pod(&world, &agent, Some(restarted));
        assert_eq!(world.echo_counts(), [if moves { 7 } else { 6 }, 0, 2]);
    }
    // Without a time of the start, the restarts still tell it where the counters did not move in between.
    let (world, agent, container) = world_of_pods([2, 0, 1], false);
    world.run(&["pull", ECHO, "--address", &agent.url()]).assert_code(0);
    pull_pod(&world, &agent, Some(after(container, &agent, false)));
    assert_eq!(world.echo_counts(), [4, 0, 2]);
}

/// Lets a container leave a file and start again, pulls it, and returns what is stored then.
fn start_again(
    world: &World,
    agent: &Coverport,
    container: &mut Container,
    left: [u64; 3],
    counts: [u64; 3],
) -> Vec<u64> {
    leave_file(world, &format!("{ECHO}/echo-0"), 1, u64::from(container.restarts), left);
    *container = after(*container, agent, false);
    agent.switch_to(1, &counts);
    pull_pod(world, agent, Some(*container));
    world.echo_counts()
}

#[test]
fn a_pod_that_leaves_a_file_at_each_restart_counts_each_process_once() {
    let (world, agent, mut container) = world_of_pods([990, 1, 0], false);
    let mut start_again = |left, counts| start_again(&world, &agent, &mut container, left, counts);
    assert_eq!(start_again([1000, 1, 0], [3, 1, 1500]), [1003, 2, 1500]);
    // One counter alone is smaller than that of the process before.
    assert_eq!(start_again([5, 1, 2000], [1, 1, 0]), [1006, 3, 2000]);
    world.assert_consistent();
}

#[test]
fn a_file_of_a_pod_that_passed_those_of_two_earlier_processes_is_understated() {
    let (world, agent, mut container) = world_of_pods([5, 1, 0], false);
    let mut start_again = |left, counts| start_again(&world, &agent, &mut container, left, counts);
    assert_eq!(start_again([5, 1, 0], [5, 0, 1]), [10, 1, 1]);
    assert_eq!(start_again([5, 0, 1], [1, 0, 0]), [11, 1, 1]);
    // The last process executed the first block five times, not once. The file may also be of another process, so the
    // sum has only the certain part.
    assert_eq!(start_again([5, 1, 1], [1, 1, 1]), [12, 2, 2]);
    world.assert_consistent();
}
