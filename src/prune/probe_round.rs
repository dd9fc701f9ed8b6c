//! A round of probes, which reads the centers' lists and asks each listed or removed address.

use std::collections::{BTreeSet, HashMap};

use anyhow::Result;

use crate::address::normal_form;
use crate::collect::fleet::{FleetSource, ask};
use crate::fleet::assembly::CenterAnswer;
use crate::fleet::center_list::CenterList;
use crate::fleet::liveness::Suspicion;
use crate::fleet::probe::{ProbeResult, add_tombstones, listed_targets};
use crate::fleet::services::{Fleet, SilentCenter};
use crate::fleet::tombstone::Tombstone;
use crate::io::center::ProbeEffort;
use crate::io::store::StoreError;
use crate::parallel::lock;
use crate::prune::PruneInputs;
use crate::prune::probe::Prober;

/// The answers of the centers, and the result of each address.
pub(crate) struct ProbeRound {
    pub(crate) fleet: Fleet,
    /// URLs of the centers that answered.
    pub(crate) answered: BTreeSet<String>,
    /// The list of each center that answered, by URL.
    lists: HashMap<String, CenterList>,
    /// The results by normal form of the address.
    pub(crate) results: HashMap<String, ProbeResult>,
    /// The deadline ended the round before all addresses were asked.
    pub(crate) is_cut: bool,
}

/// The stored failures and tombstones of addresses.
struct EarlierFindings {
    suspicions: HashMap<String, Suspicion>,
    tombstones: Vec<Tombstone>,
}

impl EarlierFindings {
    fn read(prober: &Prober<'_>) -> Result<Self, StoreError> {
        let Some(store) = &prober.store else {
            return Ok(Self { suspicions: HashMap::new(), tombstones: Vec::new() });
        };
        let store = lock(store);
        Ok(Self { suspicions: store.suspicions()?, tombstones: store.tombstones()? })
    }
}

impl ProbeRound {
    /// Asks the centers for their lists, and probes every address there; `None` if a signal ended the round.
    pub(crate) fn run(prober: &Prober<'_>, inputs: &PruneInputs<'_>) -> Result<Option<Self>> {
        let PruneInputs { naming, centers, prune, now, .. } = *inputs;
        let EarlierFindings { suspicions, tombstones } = EarlierFindings::read(prober)?;
        let answers = ask(&prober.patient, centers);
        let answered = answered(&answers);
        let list = |answer: &CenterAnswer| {
            Some((answer.url.clone(), answer.answer.as_ref()?.as_ref().ok()?.clone()))
        };
        let lists = answers.iter().filter_map(list).collect();
        let fleet = {
            let store = prober.store.as_ref().map(lock);
            FleetSource { store: store.as_deref(), naming, now }.assemble(|_| answers.into())?.0
        };
        let mut targets = listed_targets(&fleet);
        // Suspects are asked first. The others are asked in random order, so that short runs leave out different ones
        // each time.
        fastrand::shuffle(&mut targets);
        targets.sort_by_key(|target| !suspicions.contains_key(&target.address));
        let removed = add_tombstones(&mut targets, &tombstones, naming);
        let mut results = prober.probe_repeatedly(&targets, &prune.pauses)?;
        // One attempt is enough, because most of them stay dead, and the next run tries again.
        results.extend(prober.probe_shown(&removed, ProbeEffort::Thorough, "removed addresses")?);
        if prober.signals.received().is_some() {
            return Ok(None);
        }
        let is_cut = prober.deadline.has_passed();
        targets.extend(removed);
        let results = targets.into_iter().map(|target| target.address).zip(results);
        let results = results.filter_map(|(address, result)| Some((address, result?))).collect();
        Ok(Some(Self { fleet, answered, lists, results, is_cut }))
    }

    /// Asks the centers that answered again. After the deadline their first answer is used.
    pub(crate) fn ask_again(&self, prober: &Prober<'_>, centers: &[String]) -> Vec<CenterAnswer> {
        let ask = |center: &String| -> Vec<CenterAnswer> {
            let url = normal_form(center);
            match self.lists.get(&url) {
                // A slow center must not take its time again while the lock is held.
                None => vec![CenterAnswer { url, answer: None }],
                Some(list) if prober.deadline.has_passed() => {
                    vec![CenterAnswer { url, answer: Some(Ok(list.clone())) }]
                }
                Some(_) => ask(&prober.patient, std::slice::from_ref(center)),
            }
        };
        centers.iter().flat_map(ask).collect()
    }

    /// Returns the centers that did not answer.
    pub(crate) fn silent(&self) -> impl Iterator<Item = SilentCenter> {
        self.fleet.silent.iter().filter(|silent| !silent.emptied).cloned()
    }
}

/// Returns the URLs of the centers that answered.
pub(crate) fn answered(answers: &[CenterAnswer]) -> BTreeSet<String> {
    let answered = answers.iter().filter(|answer| matches!(answer.answer, Some(Ok(_))));
    answered.map(|answer| answer.url.clone()).collect()
}
