//! Things that are costly to make and that tests only look at.

use std::sync::{Arc, Mutex, PoisonError, Weak};

/// A thing that tests share while at least one of them has it. It is dropped with the last one, and made anew by the next
/// test, because nothing drops a static when the program ends.
pub(crate) struct Shared<T>(Mutex<Weak<T>>);

impl<T> Shared<T> {
    pub(crate) const fn new() -> Self {
        Self(Mutex::new(Weak::new()))
    }

    /// Returns the thing; makes it if no test has it. Other tests wait for that.
    pub(crate) fn get(&self, make: impl FnOnce() -> T) -> Arc<T> {
        let mut shared = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        shared.upgrade().unwrap_or_else(|| {
            let thing = Arc::new(make());
            *shared = Arc::downgrade(&thing);
            thing
        })
    }
}
