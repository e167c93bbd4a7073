//! The only place that reads the time of day, so that tests hold it still.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use crate::domain::time::Timestamp;

/// Tells the time.
#[derive(Clone, Debug)]
pub enum Clock {
    /// The machine's own.
    System,
    /// One that stands still until it is moved: milliseconds since the epoch.
    Standing(Arc<AtomicI64>),
}

impl Clock {
    /// A clock that stands at an instant.
    pub fn standing(at: Timestamp) -> Clock {
        Clock::Standing(Arc::new(AtomicI64::new(at.millis())))
    }

    /// The time it is.
    #[expect(clippy::disallowed_methods, reason = "this is the one place that may")]
    pub fn now(&self) -> Timestamp {
        match self {
            Clock::System => chrono::Utc::now().into(),
            Clock::Standing(millis) => Timestamp::from_millis(millis.load(Ordering::SeqCst)),
        }
    }

    /// Moves a standing clock; the machine's own cannot be moved.
    pub fn set(&self, at: Timestamp) {
        if let Clock::Standing(millis) = self {
            millis.store(at.millis(), Ordering::SeqCst);
        }
    }
}
