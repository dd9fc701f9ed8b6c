//! The service of a snapshot whose name was put together from fields.

use std::collections::BTreeSet;

use anyhow::Result;

use super::reader::InboxReader;
use crate::collect::run::PullRun;
use crate::collect::target_programs::program_of_app;
use crate::fleet::targets::{ProgramName, ServiceFields, known_commit};

/// The reason why a snapshot has no service.
pub(super) const NAMELESS: &str = "it names no app, and its data names no program";

impl InboxReader<'_, '_, '_> {
    /// Returns the index of the entry with these fields; `None` where there is none, or no app.
    pub(super) fn entry_of(&self, fields: &ServiceFields) -> Option<usize> {
        let ServiceFields { env, region, app, commit, .. } = fields;
        if app.is_empty() {
            return None;
        }
        let entries = self.fleet.entries.iter().enumerate();
        let of_app = || {
            entries.clone().filter(|(_, entry)| {
                (&entry.key.env, &entry.key.region, &entry.key.app) == (env, region, app)
            })
        };
        let commits: BTreeSet<String> = of_app().map(|(_, entry)| entry.key.commit.clone()).collect();
        let commit = known_commit(commit, &commits).unwrap_or(commit);
        of_app().find(|(_, entry)| entry.key.commit == *commit).map(|(index, _)| index)
    }

    /// Returns the index of the entry whose commit abbreviates that of a full name, or is abbreviated by it.
    pub(super) fn entry_named(&self, name: &str) -> Option<usize> {
        let fields = ServiceFields::from_name(name, self.naming)?;
        if fields.commit.is_empty() { None } else { self.entry_of(&fields) }
    }

    /// Returns the index of the entry with these fields, which is added where there is none. If the fields have no app,
    /// they get the first app of the program that does not stand for another program.
    pub(super) fn entry_of_program(
        &mut self,
        mut fields: ServiceFields,
        main_package: Option<&str>,
    ) -> Result<Option<usize>> {
        if fields.app.is_empty() {
            let Some(program) = ProgramName::new(main_package, None) else {
                return Ok(None);
            };
            for app in program.apps() {
                let place = [fields.env.clone(), fields.region.clone(), app.clone()];
                let owner = program_of_app(self.store, &place, self.limits)?;
                if owner.is_none_or(|owner| owner == program) {
                    fields.app = app;
                    break;
                }
            }
        }
        if let Some(index) = self.entry_of(&fields) {
            return Ok(Some(index));
        }
        let PullRun { ids, now, .. } = self.run;
        let (index, changes) = self.fleet.add_service_of(&fields, self.naming, ids, *now);
        self.writer.apply_all(&changes)?;
        Ok(Some(index))
    }
}
