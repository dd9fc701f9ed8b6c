//! `list --explain`: all known facts about one service.

use std::io::{self, Write};

use anyhow::Result;
use chrono::{DateTime, Utc};
use humantime::format_duration;
use serde_json::json;

use crate::commands::targets::unlisted;
use crate::commands::{Context, show};
use crate::coverage::percent_text;
use crate::fleet::build_group::{BuildGroup, BuildGroupStatus};
use crate::fleet::key_entry::KeyEntry;
use crate::fleet::pending::PendingAdoption;
use crate::fleet::pick::Picked;
use crate::fleet::plan::next_pull;
use crate::fleet::records::Life;
use crate::fleet::row::Row;
use crate::fleet::service_state::{AddressHealth, ListedAddressState, ServiceLine};
use crate::io::store::Store;
use crate::names::{CommitChoice, in_message};

use super::json::address_object;

/// Writes all known facts about a service.
pub(crate) fn run(
    picked: &Picked<'_>,
    store: Option<&Store>,
    health: &AddressHealth,
    is_json: bool,
    context: &Context,
    out: &mut dyn Write,
) -> Result<()> {
    let Picked { entry, choice } = *picked;
    let (build_groups, lives, row) = match store {
        Some(store) => (store.build_groups(entry.id)?, store.lives(entry.id)?, store.latest(&entry.key)?),
        None => (Vec::new(), Vec::new(), None),
    };
    let election = &entry.schedule.election;
    let build_of =
        |id| build_groups.iter().find(|known| known.id == id)?.structures.last().map(|(_, build)| *build);
    let pending = PendingAdoption::new(election, build_of);
    let builds =
        build_groups.iter().filter(|build_group| !build_group.structures.is_empty()).map(|build_group| {
            ExplainedBuildGroup::new(build_group, &lives, election.chosen == Some(build_group.id))
        });
    let builds = builds.collect();
    let explained = ExplainedService { entry, choice, row, builds, pending, health, context };
    match is_json {
        true => show::write_json(&explained.object(), out)?,
        false => explained.print(out)?,
    }
    Ok(())
}

struct ExplainedService<'a> {
    entry: &'a KeyEntry,
    /// The commits among which that of the service was chosen.
    choice: Option<CommitChoice>,
    row: Option<Row>,
    builds: Vec<ExplainedBuildGroup>,
    pending: Option<PendingAdoption>,
    health: &'a AddressHealth,
    context: &'a Context,
}

/// A build group, and how many lives it has.
struct ExplainedBuildGroup {
    status: BuildGroupStatus,
    /// A person chose the build, so votes do not replace it.
    is_chosen: bool,
    fingerprints: Vec<String>,
    open: usize,
    closed: usize,
    folded: usize,
}

impl ExplainedBuildGroup {
    fn new(build_group: &BuildGroup, lives: &[Life], is_chosen: bool) -> Self {
        let of_it = || lives.iter().filter(|known| known.build_group == build_group.id);
        let folded = of_it().filter(|known| known.address.is_none()).count();
        let open = of_it().filter(|known| known.address.is_some() && known.closed_at.is_none()).count();
        Self {
            status: build_group.status,
            is_chosen,
            fingerprints: build_group.structures.iter().map(|(_, fingerprint)| fingerprint.short()).collect(),
            open,
            closed: of_it().filter(|known| !known.is_mixture).count() - open - folded,
            folded,
        }
    }
}

impl ExplainedService<'_> {
    /// Returns the time of the next pull and the reason for it.
    fn next(&self) -> (Option<DateTime<Utc>>, String) {
        match next_pull(self.entry, self.context.config.pull.waits(), self.context.now()) {
            Some((at, reason)) => (Some(at), reason.to_string()),
            None => {
                let unasked = self.entry.members.iter().filter_map(|member| member.not_asked_since).max();
                let since = |at| format!(", not asked since {}", show::moment(at, self.context.now()));
                (None, format!("{}{}", unlisted(self.context), unasked.map(since).unwrap_or_default()))
            }
        }
    }

    /// Returns the lines that a list has for the names of the key.
    fn lines(&self) -> impl Iterator<Item = ServiceLine<'_>> {
        let overdue_before = self.context.config.pull.steps.overdue_before(self.context.now());
        self.entry.members.iter().map(move |member| {
            ServiceLine::new(member, self.entry, self.row.as_ref(), self.health, overdue_before)
        })
    }

    fn object(&self) -> serde_json::Value {
        let Self { entry, row, builds, .. } = self;
        let schedule = &entry.schedule;
        let (next, why) = self.next();
        let address = |address: &String| {
            let more = json!({
                "address": address,
                "targets": entry.sources_of(address),
                "is_dead": self.health.suspicion(address).is_some_and(|suspicion| suspicion.is_dead),
            });
            address_object(entry, address, self.health, more)
        };
        let build = |build: &ExplainedBuildGroup| {
            json!({
                "status": build.status.as_str(),
                "chosen_by_hand": build.is_chosen,
                "fingerprints": build.fingerprints,
                "generations": { "open": build.open, "closed": build.closed, "folded": build.folded },
            })
        };
        json!({
            "services": entry.members.iter().map(|member| &member.name).collect::<Vec<_>>(),
            "states": self.lines().map(|line| line.state.word()).collect::<Vec<_>>(),
            "env": entry.key.env,
            "region": entry.key.region,
            "app": entry.key.app,
            "commit": entry.key.commit,
            "commit_choice": self.choice,
            "percent": row.as_ref().map(|row| row.cover_total),
            "id": row.as_ref().map(|row| row.id.0),
            "cov_file_path": row.as_ref().map(|row| &row.cov_file_path),
            "step": schedule.schedule.step + 1,
            "last_pull": schedule.schedule.last_pull.map(show::iso),
            "last_change": schedule.last_change_at.map(show::iso),
            "next_pull": next.map(show::iso),
            "why": why,
            "addresses": entry.addresses().iter().map(address).collect::<Vec<_>>(),
            "builds": builds.iter().map(build).collect::<Vec<_>>(),
            "pending": self.pending.as_ref().map(PendingAdoption::object),
        })
    }

    fn print(&self, out: &mut dyn Write) -> io::Result<()> {
        let now = self.context.now();
        for member in &self.entry.members {
            writeln!(out, "{}", in_message(&member.name))?;
        }
        let mut field = |name: &str, value: &str| writeln!(out, "  {name:<12} {value}");
        for line in self.lines() {
            let state = line.state_text(now);
            match self.entry.members.len() {
                1 => field("state", &state)?,
                _ => field("state", &format!("{state} ({})", in_message(&line.member.name)))?,
            }
        }
        if let Some(row) = &self.row {
            let replicas = self.entry.replicas_now(row);
            let replicas =
                replicas.map(|(answered, listed)| format!(", {}", show::replicas(answered, listed)));
            field("total", &(percent_text(row.cover_total) + &replicas.unwrap_or_default()))?;
            let stored = show::moment(row.created_at, now);
            field("stored", &format!("{stored}, id {}, {}", row.id.0, row.cov_file_path))?;
        }
        let schedule = &self.entry.schedule;
        field("last pull", &show::ago(schedule.schedule.last_pull, now))?;
        field("last change", &show::ago(schedule.last_change_at, now))?;
        let (next, why) = self.next();
        let next = match next {
            Some(at) if at > now => show::moment(at, now),
            Some(_) => "now".to_owned(),
            None => "none".to_owned(),
        };
        field("next pull", &format!("{next}: {why}"))?;
        let wait = self.context.config.pull.steps.wait(schedule.schedule.step);
        field("step", &format!("{}, a wait of {}", schedule.schedule.step + 1, format_duration(wait)))?;
        for address in self.entry.addresses() {
            field("address", &format!("{} ({})", in_message(&address), self.how_it_answers(&address)))?;
        }
        for build in &self.builds {
            let ExplainedBuildGroup { status, is_chosen, fingerprints, open, closed, folded } = build;
            let status = match status {
                BuildGroupStatus::Current if *is_chosen => "shown, chosen by hand",
                BuildGroupStatus::Current => "shown",
                BuildGroupStatus::Aside => "set aside",
                BuildGroupStatus::Former => "history",
            };
            let fingerprints = fingerprints.join(" ");
            let lives = format!("generations: {open} open, {closed} closed, {folded} folded");
            field("build", &format!("{fingerprints} ({status}; {lives})"))?;
        }
        if let Some(pending) = &self.pending {
            field("pending", &pending.sentence(now))?;
        }
        Ok(())
    }

    fn how_it_answers(&self, address: &str) -> String {
        let now = self.context.now();
        let state = self.entry.state(address);
        let mut said = vec![match state.last_answer_at {
            Some(at) => format!("answered {} ago", show::span(now - at)),
            None if state.other_build.is_some() => "answers for another service".to_owned(),
            None => "never answered".to_owned(),
        }];
        let agent = self.health.agent(self.entry, address).filter(|kind| *kind != "goc");
        said.extend(agent.map(|kind| format!("agent {kind}")));
        said.extend(
            self.entry
                .sources_of(address)
                .iter()
                .map(|name| format!("listed by targets \"{}\"", in_message(name))),
        );
        if state.retry.failures > 0 {
            said.push(format!("{} in a row", show::count(state.retry.failures as usize, "failures")));
            said.extend(state.retry.next_try.map(|at| format!("next try {}", show::moment(at, now))));
            said.extend(state.last_error.as_deref().map(|error| in_message(error).into_owned()));
        }
        said.extend(state.other_build.map(|build| format!("serves build {}", build.short())));
        if self.health.is_stale(address, &state) {
            said.push("listed here under a stale name (goc-watchdog prune --fix-names)".to_owned());
        }
        said.extend(self.health.suspicion(address).map(|suspicion| {
            format!(
                "{}: {} ({} in {})",
                ListedAddressState::from_suspicion(suspicion).word(),
                in_message(&suspicion.probe.detail),
                show::count(suspicion.any.runs as usize, "runs"),
                show::span(now - suspicion.any.since)
            )
        }));
        said.join("; ")
    }
}
