use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};

use crate::error::Error;

/// Attempts of one account that wait or are under way.
const LINE: usize = 100;

/// The same of all accounts together.
const ALL: usize = 1000;

/// Where attempts on one account line up in this process, so that those under way do not look like guesses to the rest.
///
/// It lets nothing through that the throttle would not: whoever has a turn still has to take the throttle's units.
pub struct Gate {
    lines: Mutex<Lines>,
    width: u32,
    wait: Duration,
}

#[derive(Default)]
struct Lines {
    by_key: HashMap<String, Line>,
    all: usize,
}

struct Line {
    permits: Arc<Semaphore>,
    present: usize,
}

impl Gate {
    /// At most `width` attempts of one account have their turn at once; the others wait for at most `wait`.
    pub fn new(width: u32, wait: Duration) -> Self {
        Self { lines: Mutex::default(), width: width.max(1), wait }
    }

    /// Joins the line of a key; [`Error::Overloaded`] at once when it is full. Whoever comes first is always let in.
    pub fn join(self: &Arc<Self>, key: String) -> Result<Ticket, Error> {
        let mut lines = self.lock();
        if lines.by_key.get(&key).is_some_and(|line| line.present >= LINE || lines.all >= ALL) {
            return Err(Error::Overloaded);
        }
        lines.all += 1;
        let width = usize::try_from(self.width).unwrap_or(1);
        let line = lines
            .by_key
            .entry(key.clone())
            .or_insert_with(|| Line { permits: Arc::new(Semaphore::new(width)), present: 0 });
        line.present += 1;
        let permits = Arc::clone(&line.permits);
        drop(lines);
        Ok(Ticket { gate: Arc::clone(self), key, permits, until: Instant::now() + self.wait, turn: None })
    }

    fn lock(&self) -> MutexGuard<'_, Lines> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One attempt in its line. Dropped, also while it waits, it leaves nothing behind.
pub struct Ticket {
    gate: Arc<Gate>,
    key: String,
    permits: Arc<Semaphore>,
    until: Instant,
    turn: Option<OwnedSemaphorePermit>,
}

impl Ticket {
    /// Waits until this attempt may go ahead, beside a few others; [`Error::Overloaded`] when that takes too long.
    /// Tells whether it is alone, which it is where nobody else is under way.
    pub async fn turn(&mut self) -> Result<bool, Error> {
        if let Ok(turn) = Arc::clone(&self.permits).try_acquire_many_owned(self.gate.width) {
            self.turn = Some(turn);
            return Ok(true);
        }
        self.acquire(1).await?;
        Ok(self.gate.width == 1)
    }

    /// Gives the turn back, and waits until no other attempt of this line is under way.
    pub async fn alone(&mut self) -> Result<(), Error> {
        self.turn = None;
        self.acquire(self.gate.width).await
    }

    /// Lets others go ahead beside this attempt.
    pub fn share(&mut self) {
        if let Some(turn) = &mut self.turn {
            drop(turn.split(turn.num_permits().saturating_sub(1)));
        }
    }

    async fn acquire(&mut self, permits: u32) -> Result<(), Error> {
        let waiting = Arc::clone(&self.permits).acquire_many_owned(permits);
        let turn = timeout_at(self.until, waiting).await.map_err(|_| Error::Overloaded)?;
        self.turn = Some(turn.map_err(|_| Error::Internal("a line is gone".to_owned()))?);
        Ok(())
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut lines = self.gate.lock();
        lines.all = lines.all.saturating_sub(1);
        if let Some(line) = lines.by_key.get_mut(&self.key) {
            line.present = line.present.saturating_sub(1);
            if line.present == 0 {
                lines.by_key.remove(&self.key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::future::join_all;

    use super::*;

    fn gate(width: u32) -> Arc<Gate> {
        Arc::new(Gate::new(width, Duration::from_millis(200)))
    }

    #[tokio::test]
    async fn a_line_is_bounded_in_number_and_in_time_and_another_is_not_affected() {
        let gate = gate(1);
        let mut first = gate.join("ada".to_owned()).unwrap();
        assert!(first.turn().await.unwrap());
        let mut waiting: Vec<Ticket> = (1..LINE).map(|_| gate.join("ada".to_owned()).unwrap()).collect();
        assert!(matches!(gate.join("ada".to_owned()), Err(Error::Overloaded)));
        assert!(gate.join("eve".to_owned()).unwrap().turn().await.unwrap());
        let begun = Instant::now();
        let ended = join_all(waiting.iter_mut().map(Ticket::turn)).await;
        assert!(ended.iter().all(|end| matches!(end, Err(Error::Overloaded))));
        assert!(begun.elapsed() >= Duration::from_millis(200));
        drop((first, waiting));
        assert!(gate.lock().by_key.is_empty() && gate.lock().all == 0, "nothing is left");
    }

    #[tokio::test]
    async fn all_lines_together_are_bounded_and_who_comes_first_to_one_is_let_in() {
        let gate = gate(1);
        let places: Vec<Ticket> = (0..ALL).map(|number| gate.join((number / 2).to_string()).unwrap()).collect();
        assert!(matches!(gate.join("0".to_owned()), Err(Error::Overloaded)));
        assert!(gate.join("another".to_owned()).is_ok());
        drop(places);
        assert!(gate.join("0".to_owned()).is_ok());
    }

    #[tokio::test]
    async fn who_gives_up_waiting_leaves_the_turn_to_the_next() {
        let gate = gate(2);
        let join = || gate.join("ada".to_owned()).unwrap();
        let (mut first, mut second, mut third, mut fourth) = (join(), join(), join(), join());
        assert!(first.turn().await.unwrap(), "alone");
        first.share();
        assert!(!second.turn().await.unwrap(), "beside the first");
        let soon = tokio::time::timeout(Duration::from_millis(20), third.alone());
        assert!(soon.await.is_err(), "it hangs up");
        drop((third, second));
        assert!(!fourth.turn().await.unwrap());
        drop(first);
        fourth.alone().await.unwrap();
    }
}
