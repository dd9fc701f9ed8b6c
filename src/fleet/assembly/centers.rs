//! The lists of centers, laid over the known services.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::{Assembly, CenterAnswer};
use crate::fleet::center_list::{CenterList, ListedService};
use crate::fleet::change::Change;
use crate::fleet::ids::ServiceId;
use crate::fleet::key_entry::Listing;
use crate::fleet::records::{ListedAddress, Lister};
use crate::fleet::services::SilentCenter;
use crate::phrases::count;

impl Assembly<'_> {
    /// Takes in the answer of a center that listed `before`. The last list stands in for a missing answer, for known
    /// addresses that a cut list lacks, and for an empty list after one with addresses.
    pub(super) fn heard(
        &mut self,
        CenterAnswer { url, answer }: CenterAnswer,
        before: &[ListedAddress],
        last_heard: Option<DateTime<Utc>>,
    ) {
        let stood: Vec<&ListedAddress> = before.iter().filter(|listing| listing.listed).collect();
        let lists_nothing =
            |listed: &[ListedService]| listed.iter().all(|service| service.addresses.is_empty());
        let is_empty =
            matches!(&answer, Some(Ok(list)) if list.cut.is_none() && lists_nothing(&list.services));
        match answer {
            None => self.assume(&stood),
            Some(Ok(_)) if is_empty && !stood.is_empty() => {
                let message = format!("lists nothing, and listed {} before", count(stood.len(), "addresses"));
                self.assume(&stood);
                self.silent.push(SilentCenter { url, emptied: true, message, last_heard });
            }
            Some(Ok(CenterList { services, cut })) => {
                self.listed(&url, &services, before, cut.is_some_and(|cut| cut.of_known));
                self.cut.extend(cut.map(|cut| (url, cut.to_string())));
            }
            Some(Err(error)) => {
                self.assume(&stood);
                self.silent.push(SilentCenter { url, emptied: false, message: error, last_heard });
            }
        }
    }

    /// Takes in the list of a center. A partial list may lack known addresses, so addresses missing from it stay as
    /// they were.
    fn listed(&mut self, url: &str, listed: &[ListedService], before: &[ListedAddress], is_partial: bool) {
        let now = self.now;
        self.changes.push(Change::CenterListed { url: url.to_owned(), at: now });
        let mut stood: HashMap<(ServiceId, &str), &ListedAddress> =
            before.iter().map(|listing| ((listing.service, &*listing.address), listing)).collect();
        let center = Lister::Center(url.into());
        for ListedService { name, addresses } in listed {
            let service = self.service(name);
            if let Some((_, member)) = self.members.get_mut(name) {
                member.listings.reserve_exact(addresses.len());
            }
            let mut seen = HashSet::new();
            for (position, address) in addresses.iter().enumerate() {
                if !seen.insert(address) {
                    continue;
                }
                let before = stood.remove(&(service, address.as_str()));
                let spelling = before.map_or_else(|| address.as_str().into(), |it| Arc::clone(&it.address));
                let listed_at = if let Some(listing) = before.filter(|listing| listing.listed) {
                    listing.listed_at
                } else {
                    self.changes.push(Change::Listed {
                        service,
                        address: address.clone(),
                        center: url.to_owned(),
                        position,
                        at: now,
                    });
                    now
                };
                let (_, member) = self.members.get_mut(name).expect("made above");
                member.listings.push(Listing::new(spelling, &center, listed_at));
            }
            let (_, member) = self.members.get_mut(name).expect("made above");
            member.last_seen = Some(now);
        }
        let stood: Vec<((ServiceId, &str), &ListedAddress)> = stood.into_iter().collect();
        if is_partial {
            let standing = stood.iter().map(|(_, listing)| *listing).filter(|listing| listing.listed);
            self.assume(&standing.collect::<Vec<_>>());
            return;
        }
        for ((service, address), listing) in stood {
            if listing.listed {
                self.changes.push(Change::Unlisted { service, address: address.to_owned(), at: now });
            }
        }
    }
}
