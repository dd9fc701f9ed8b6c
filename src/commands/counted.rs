//! What counts beside what the processes of a commit executed: other runs (`--with`), and other commits (`--carry`).

use serde_json::Value;

use crate::carry::CarriedCoverage;
use crate::commands::{carry, with};
use crate::coverage::Coverage;
use crate::gate::Verdict;
use crate::report::counted_words;
use crate::together::TogetherCoverage;

/// The coverage in its parts, as far as options ask for more than the processes of a commit.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counted {
    /// The service together with other runs.
    pub(crate) together: Option<TogetherCoverage>,
    /// These together with other commits.
    pub(crate) carried: Option<CarriedCoverage>,
}

impl Counted {
    /// Returns the coverage of all parts together; `None` if only the processes of the commit count.
    pub(crate) fn coverage(&self) -> Option<Coverage> {
        let carried = self.carried.as_ref().map(|carried| carried.all);
        carried.or_else(|| self.together.as_ref().map(|together| together.all))
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
    }

    /// Adds the parts to the form for scripts; nulls for options that are not given.
    pub(crate) fn add_to(&self, object: &mut Value) {
        carry::add_carried(object, self.carried.as_ref());
        with::add_with(object, self.together.as_ref());
    }
}
