use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::Timestamp;

/// A point on the monotonic clock, for deadlines inside one process.
pub use std::time::Instant;

/// The one home of the wall clock and of the monotonic clock.
///
/// A test may hold a clock of its own and move it; the running service reads the host's.
#[derive(Clone, Default)]
pub struct Clock {
    offset_micros: Arc<AtomicI64>,
}

#[expect(clippy::disallowed_methods, reason = "the one home of the clock")]
impl Clock {
    /// The wall clock's time, in microseconds' precision.
    pub fn now(&self) -> Timestamp {
        let micros = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| i64::try_from(since.as_micros()).unwrap_or(i64::MAX));
        Timestamp::from_unix_micros(micros.saturating_add(self.offset_micros.load(Ordering::Relaxed)))
    }

    /// The monotonic clock's time.
    pub fn instant(&self) -> Instant {
        Instant::now()
    }

    /// Moves this clock forward, for tests that need hours to pass.
    pub fn advance(&self, by: Duration) {
        let micros = i64::try_from(by.as_micros()).unwrap_or(i64::MAX);
        self.offset_micros.fetch_add(micros, Ordering::Relaxed);
    }
}
