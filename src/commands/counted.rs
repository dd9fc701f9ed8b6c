//! What counts beside what the processes of a commit executed: other runs (`--with`), and other commits (`--carry`).

use serde_json::{Value, json};

use crate::carry::CarriedCoverage;
use crate::commands::count_unmeasured::name_unmeasured;
use crate::commands::{carry, with};
use crate::coverage::Coverage;
use crate::gate::Verdict;
use crate::report::{CountedUnmeasured, counted_words};
use crate::together::TogetherCoverage;

/// The coverage in its parts, as far as options ask for more than the processes of a commit.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counted {
    /// The service together with other runs.
    pub(crate) together: Option<TogetherCoverage>,
    /// These together with other commits.
    pub(crate) carried: Option<CarriedCoverage>,
    /// The code that no stored profile has, in the coverage of all parts.
    pub(crate) unmeasured: Option<CountedUnmeasured>,
}

impl Counted {
    /// Returns the coverage of all parts together; `None` if only what the processes of the commit link and executed counts.
    pub(crate) fn coverage(&self) -> Option<Coverage> {
        let carried = self.carried.as_ref().map(|carried| carried.all);
        let together = || self.together.as_ref().map(|together| together.all);
        carried.or_else(together).or_else(|| self.unmeasured.as_ref().map(|unmeasured| unmeasured.all))
    }

    /// Returns the parts in words.
    pub(crate) fn words(&self) -> Option<String> {
        counted_words(self.together.as_ref(), self.carried.as_ref())
    }

    /// Says in each verdict about coverage what counts.
    pub(crate) fn name_in(&self, verdicts: &mut [Verdict]) {
        if let Some(together) = &self.together {
            with::name_with(verdicts, together);
        }
        if self.carried.is_some() {
            carry::name_carry(verdicts);
        }
        if self.unmeasured.is_some() {
            name_unmeasured(verdicts);
        }
    }

    /// Adds the parts to the form for scripts; nulls for options that are not given.
    pub(crate) fn add_to(&self, object: &mut Value) {
        carry::add_carried(object, self.carried.as_ref());
        with::add_with(object, self.together.as_ref());
        object["counted_unmeasured"] = json!(self.unmeasured.as_ref().map(CountedUnmeasured::json));
    }
}
