//! The runs that executed each block, as bits: the service, and each label of `--with`.

/// Largest number of runs. The script of a page computes with 32 bits, and each run has two.
pub(crate) const MOST_RUNS: usize = 15;

/// Which of some runs executed each block of a profile. The first run is the service.
///
/// A *choice* is a way to look at coverage. The first choices are what each run executed, the others are what each executed
/// and no other.
#[derive(Clone, Debug)]
pub(crate) struct BlockLabels {
    /// Number of runs.
    runs: usize,
    /// The choices of each block, as bits from the lowest on.
    choices: Vec<u32>,
}

impl BlockLabels {
    /// Takes for each block the runs that executed it, as bits.
    pub(super) fn new(runs: usize, executed: impl Iterator<Item = u32>) -> Self {
        let choices = executed.map(|bits| match bits.count_ones() {
            1 => bits | bits << runs,
            _ => bits,
        });
        Self { runs, choices: choices.collect() }
    }

    /// Returns the number of choices.
    pub(crate) fn choices(&self) -> usize {
        2 * self.runs
    }

    /// Returns the choices of the blocks in a range.
    pub(crate) fn of(&self, (first, end): (usize, usize)) -> &[u32] {
        &self.choices[first..end]
    }
}
