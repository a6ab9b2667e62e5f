use std::time::{SystemTime, UNIX_EPOCH};

use super::Timestamp;

/// A point on the monotonic clock, for deadlines inside one process.
pub use std::time::Instant;

/// The one home of the wall clock and of the monotonic clock.
#[derive(Clone, Default)]
pub struct Clock {}

#[expect(clippy::disallowed_methods, reason = "the one home of the clock")]
impl Clock {
    /// The wall clock's time, in microseconds' precision.
    pub fn now(&self) -> Timestamp {
        let micros = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| i64::try_from(since.as_micros()).unwrap_or(i64::MAX));
        Timestamp::from_unix_micros(micros)
    }

    /// The monotonic clock's time.
    pub fn instant(&self) -> Instant {
        Instant::now()
    }
}
