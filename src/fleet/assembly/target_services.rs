//! The services of the targets of a source: their labels, what their processes tell, and what they were before.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use super::Assembly;
use crate::fleet::ids::{KeyId, ServiceId};
use crate::fleet::key_entry::ServiceName;
use crate::fleet::records::{Key, ListedAddress};
use crate::fleet::targets::{
    NameAnswer, ProgramAnswer, ProgramName, ServiceFields, Target, TargetFacts, TargetList, TargetService,
    Unplaced, may_be_same, unknown,
};

/// The targets of a source whose services are known.
pub(super) struct PlacedTargets {
    pub(super) targets: Vec<Target>,
    /// Stored names of those that stay what they were, by address.
    pub(super) as_before: HashMap<String, String>,
    /// Addresses whose app stands for their program.
    pub(super) named_by_program: HashSet<String>,
}

/// The service under which a source listed an address before.
struct ListedBefore {
    stored_name: String,
    fields: ServiceFields,
    facts: Option<Arc<TargetFacts>>,
}

/// The service of a target.
enum Place {
    /// Its labels name the service.
    AsLabelled,
    /// The target stays what it was.
    AsBefore(String),
    /// Its labels and its process together name the service.
    As(ServiceFields),
}

/// The app that stands for a program, and the first choice if that is the app of another program.
struct ChosenApp {
    app: String,
    instead_of: Option<(String, ProgramName)>,
}

/// Apps by environment, region and program.
type ChosenApps = HashMap<(String, String, ProgramName), ChosenApp>;

impl Assembly<'_> {
    /// Decides the service of each target of a list, which loses those that have none.
    pub(super) fn place(&mut self, list: &mut TargetList, before: &[ListedAddress]) -> PlacedTargets {
        // A run that asks no processes, such as `list`, has not joined the entries yet.
        list.join_vague(self.naming);
        let targets = std::mem::take(&mut list.targets);
        let known = self.listed_before(&targets, before);
        let apps = self.choose_apps(&targets);
        let mut placed = PlacedTargets {
            targets: Vec::new(),
            as_before: HashMap::new(),
            named_by_program: HashSet::new(),
        };
        // The list is changed in place: a second one of very many targets would take as much memory.
        let place = |mut target: Target| {
            if target.program == ProgramAnswer::Unasked && (target.lacks_app() || target.lacks_commit()) {
                target.program = self.earlier_silence(&target.address);
            }
            if target.lacks_app() {
                placed.named_by_program.insert(target.address.clone());
            }
            match self.place_of(&target, known.get(&target.address), &apps, list) {
                Ok(Place::AsLabelled) => {}
                Ok(Place::AsBefore(name)) => drop(placed.as_before.insert(target.address.clone(), name)),
                Ok(Place::As(fields)) => target.service = Arc::new(TargetService::Fields(fields)),
                Err(reason) => {
                    if target.may_tell() && target.program == ProgramAnswer::Unasked {
                        list.unasked.push(target.address.clone());
                    }
                    list.reject(&target.address, reason);
                    list.unplaced.push(target);
                    return None;
                }
            }
            Some(target)
        };
        let targets = targets.into_iter().filter_map(place).collect();
        PlacedTargets { targets, ..placed }
    }

    /// Decides the service of a target; fails with the reason why it has none.
    fn place_of(
        &self,
        target: &Target,
        before: Option<&ListedBefore>,
        apps: &ChosenApps,
        list: &mut TargetList,
    ) -> Result<Place, Unplaced> {
        let Some(mut fields) = target.service.fields(self.naming) else { return Ok(Place::AsLabelled) };
        let is_nameless = fields.app.is_empty();
        let before =
            before.filter(|before| target.may_still_be(&fields, &before.fields, before.facts.as_deref()));
        if is_nameless {
            fields.app = self.app_of_program(target, before, &fields, apps, list)?;
        }
        let label = fields.commit.clone();
        let Some(told) = target.program.told() else {
            return match (before, &target.program) {
                // No answer tells another commit, so the target stays what it was. If its agent told a commit before, a
                // label that differs from it lost then.
                (Some(before), _)
                    if target.may_tell()
                        && (label.is_empty()
                            || (self.is_binary(target) && !may_be_same(&label, &before.fields.commit))) =>
                {
                    Ok(Place::AsBefore(before.stored_name.clone()))
                }
                (None, ProgramAnswer::Silent(silence)) if label.is_empty() => {
                    Err(silence.leaves_open("commit", self.now))
                }
                _ if is_nameless => Ok(Place::As(fields)),
                _ => Ok(Place::AsLabelled),
            };
        };
        if !may_be_same(&label, &told.commit) {
            let label_name = match *target.service {
                TargetService::Name(_) => "service names commit",
                TargetService::Fields(_) => "commit is",
            };
            let told = &told.commit;
            list.note(
                &target.address,
                &format!("its label {label_name} {label}, and its agent tells {told}, which counts"),
            );
        }
        if label.is_empty() {
            list.note_commit(&told.odd_commit, 1);
        }
        // The longer of two commits that may be the same says more.
        if !told.commit.is_empty() && !label.starts_with(&told.commit) {
            fields.commit.clone_from(&told.commit);
        }
        Ok(match is_nameless || fields.commit != label {
            true => Place::As(fields),
            false => Place::AsLabelled,
        })
    }

    /// Returns the app of a target whose labels name none; fails with the reason why there is none.
    fn app_of_program(
        &self,
        target: &Target,
        before: Option<&ListedBefore>,
        fields: &ServiceFields,
        apps: &ChosenApps,
        list: &mut TargetList,
    ) -> Result<String, Unplaced> {
        let known = before.map(|before| before.fields.app.clone());
        let nameless = |why: &str| Unplaced::from(format!("{why}, {}", unknown("app")));
        let name = match (&target.program, known) {
            _ if !target.may_tell() => return Err(nameless("an agent of goc does not tell its program")),
            (ProgramAnswer::Told(told), known) => match (&told.name, known) {
                (NameAnswer::Unasked, Some(known)) => return Ok(known),
                (NameAnswer::Named(name), known) => {
                    let owner = |app: &str| self.app_programs.get(&place_of_app(fields, app));
                    let is_kept = |app: &String| {
                        name.apps().contains(app) && owner(app).is_none_or(|owner| owner == name)
                    };
                    if let Some(known) = known.filter(is_kept) {
                        return Ok(known);
                    }
                    name
                }
                (NameAnswer::Nameless | NameAnswer::Unasked, _) => {
                    return Err(nameless("its agent does not tell its program"));
                }
            },
            (_, Some(known)) => return Ok(known),
            (ProgramAnswer::Mute, None) => return Err(Unplaced::mute()),
            (ProgramAnswer::Unasked, None) => return Err(nameless("no pull has asked its process yet")),
            (ProgramAnswer::Silent(silence), None) => return Err(silence.leaves_open("app", self.now)),
        };
        let of_program = (fields.env.clone(), fields.region.clone(), name.clone());
        let Some(ChosenApp { app, instead_of }) = apps.get(&of_program) else {
            let name = name.as_str();
            return Err(nameless(&format!("the name of its binary, {name}, is the app of another program")));
        };
        if let Some((short, owner)) = instead_of {
            let (program, owner) = (name.as_str(), owner.as_str());
            let clause = format!(
                "its program {program} has the app {app}, because {short} is the app of {owner} there; a label app \
                 names it otherwise"
            );
            list.note(&target.address, &clause);
        }
        Ok(app.clone())
    }

    /// Chooses an app for each program that targets without an app tell. Two programs never have the same one.
    fn choose_apps(&mut self, targets: &[Target]) -> ChosenApps {
        let mut programs = BTreeSet::new();
        for target in targets.iter().filter(|target| target.lacks_app()) {
            let (Some(told), TargetService::Fields(fields)) = (target.program.told(), &*target.service)
            else {
                continue;
            };
            for (app, owner) in &told.taken {
                self.app_programs.entry(place_of_app(fields, app)).or_insert_with(|| owner.clone());
            }
            programs.extend(told.name.named().map(|name| (name, &fields.env, &fields.region)));
        }
        let mut chosen = ChosenApps::new();
        // The order of their names is used, so that the order of the list decides nothing.
        for (name, env, region) in programs {
            let mut instead_of = None;
            for app in name.apps() {
                let owner = self.app_programs.entry([env.clone(), region.clone(), app.clone()]);
                let owner = owner.or_insert_with(|| name.clone());
                if owner == name {
                    chosen.insert((env.clone(), region.clone(), name.clone()), ChosenApp { app, instead_of });
                    break;
                }
                instead_of = instead_of.or_else(|| Some((app, owner.clone())));
            }
        }
        chosen
    }

    /// Returns what is known of a target that this run does not ask: it failed before it had a service, or nothing.
    fn earlier_silence(&self, address: &str) -> ProgramAnswer {
        let found = self.unplaced.binary_search_by(|(known, _)| known.as_str().cmp(address));
        match found.map(|at| &self.unplaced[at].1) {
            Ok(state) if state.retry.failures > 0 => ProgramAnswer::Silent(state.waiting()),
            _ => ProgramAnswer::Unasked,
        }
    }

    /// Tells whether an agent of Go's binary data is known at a target.
    fn is_binary(&self, target: &Target) -> bool {
        target.is_labelled_binary() || self.coverport.contains(&target.address)
    }

    /// Returns the services under which the source listed targets before whose labels may not be all that counts.
    fn listed_before(&self, targets: &[Target], before: &[ListedAddress]) -> HashMap<String, ListedBefore> {
        let is_open = |target: &&Target| {
            target.may_tell() && (target.lacks_app() || target.lacks_commit() || self.is_binary(target))
        };
        let open: HashSet<&str> = targets.iter().filter(is_open).map(|target| &*target.address).collect();
        if open.is_empty() {
            return HashMap::new();
        }
        let keys: HashMap<KeyId, &Key> = self.key_ids.iter().map(|(key, id)| (*id, key)).collect();
        let members: HashMap<ServiceId, (&String, &KeyId, &ServiceName)> =
            self.members.iter().map(|(name, (key, member))| (member.id, (name, key, member))).collect();
        let listed = |listing: &ListedAddress| {
            let (name, key, member) = members.get(&listing.service)?;
            let fields = ServiceFields::from_key(keys.get(key)?, &member.branch);
            let facts = listing.facts.clone();
            let known = ListedBefore { stored_name: (*name).clone(), fields, facts };
            Some(((*listing.address).to_owned(), known))
        };
        let is_open = |listing: &&ListedAddress| listing.listed && open.contains(&*listing.address);
        before.iter().filter(is_open).filter_map(listed).collect()
    }
}

fn place_of_app(fields: &ServiceFields, app: &str) -> [String; 3] {
    [fields.env.clone(), fields.region.clone(), app.to_owned()]
}
