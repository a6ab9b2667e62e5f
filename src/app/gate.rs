use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};

use crate::error::Error;

/// How long an attempt waits for the others of its lines.
const WAIT: Duration = Duration::from_secs(5);

/// Attempts of one line that wait or are under way.
const LINE: usize = 500;

/// The same of all lines together.
const ALL: usize = 2_000;

/// Where attempts that share a counter of the throttle line up in this process, so that those under way do not look like
/// guesses to the rest.
///
/// It lets nothing through that the throttle would not: whoever has a turn still has to take the throttle's units.
pub struct Gate {
    lines: Mutex<Lines>,
    waiting: AtomicUsize,
    wait: Duration,
}

impl Default for Gate {
    fn default() -> Self {
        Self { lines: Mutex::default(), waiting: AtomicUsize::default(), wait: WAIT }
    }
}

#[derive(Default)]
struct Lines {
    by_key: HashMap<String, Waiting>,
    all: usize,
}

struct Waiting {
    permits: Arc<Semaphore>,
    present: usize,
}

/// One of the lines that an attempt joins.
#[derive(Clone, Debug)]
pub struct Line {
    /// What its attempts share.
    pub key: String,
    /// How many of them have their turn at once.
    pub width: u32,
}

impl Gate {
    /// Joins some lines; [`Error::Overloaded`] at once when one is full. Whoever comes first to a line is let in.
    ///
    /// Whoever has a turn in one waits for the next, so that all have to name them in one order.
    pub fn join(self: &Arc<Self>, lines: Vec<Line>) -> Result<Ticket, Error> {
        let until = Instant::now() + self.wait;
        let spots = lines.into_iter().map(|line| self.join_one(line, until)).collect::<Result<_, _>>()?;
        Ok(Ticket { spots })
    }

    fn join_one(self: &Arc<Self>, line: Line, until: Instant) -> Result<Spot, Error> {
        let Line { key, width } = line;
        let mut lines = self.lock();
        if lines.by_key.get(&key).is_some_and(|waiting| waiting.present >= LINE || lines.all >= ALL) {
            return Err(Error::Overloaded);
        }
        lines.all += 1;
        let permits = || Arc::new(Semaphore::new(usize::try_from(width).unwrap_or(1)));
        let waiting = lines.by_key.entry(key.clone()).or_insert_with(|| Waiting { permits: permits(), present: 0 });
        waiting.present += 1;
        let permits = Arc::clone(&waiting.permits);
        drop(lines);
        Ok(Spot { gate: Arc::clone(self), key, width, permits, until, turn: None })
    }

    /// Attempts that wait for their turn.
    pub fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    fn lock(&self) -> MutexGuard<'_, Lines> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One attempt in its lines. Dropped, also while it waits, it leaves nothing behind.
pub struct Ticket {
    spots: Vec<Spot>,
}

impl Ticket {
    /// Waits until this attempt may go ahead, beside a few others; [`Error::Overloaded`] when that takes too long.
    pub async fn turn(&mut self) -> Result<(), Error> {
        for spot in &mut self.spots {
            spot.turn().await?;
        }
        Ok(())
    }

    /// Whether nobody else of the line `key` is under way.
    pub fn is_alone(&self, key: &str) -> bool {
        self.spots.iter().filter(|spot| spot.key == key).all(Spot::is_alone)
    }

    /// Gives its turns back, and waits for them anew, until nobody else of the line `key` is under way.
    pub async fn alone(&mut self, key: &str) -> Result<(), Error> {
        for spot in &mut self.spots {
            spot.turn = None;
        }
        for spot in &mut self.spots {
            let permits = if spot.key == key { spot.width } else { 1 };
            spot.acquire(permits).await?;
        }
        Ok(())
    }

    /// Lets others go ahead beside this attempt.
    pub fn share(&mut self) {
        for turn in self.spots.iter_mut().filter_map(|spot| spot.turn.as_mut()) {
            drop(turn.split(turn.num_permits().saturating_sub(1)));
        }
    }
}

struct Spot {
    gate: Arc<Gate>,
    key: String,
    width: u32,
    permits: Arc<Semaphore>,
    until: Instant,
    turn: Option<OwnedSemaphorePermit>,
}

impl Spot {
    async fn turn(&mut self) -> Result<(), Error> {
        match Arc::clone(&self.permits).try_acquire_many_owned(self.width) {
            Ok(turn) => self.turn = Some(turn),
            Err(_) => self.acquire(1).await?,
        }
        Ok(())
    }

    fn is_alone(&self) -> bool {
        let width = usize::try_from(self.width).unwrap_or(usize::MAX);
        self.turn.as_ref().is_some_and(|turn| turn.num_permits() == width)
    }

    async fn acquire(&mut self, permits: u32) -> Result<(), Error> {
        let _counted = Counted::new(&self.gate.waiting);
        let waiting = Arc::clone(&self.permits).acquire_many_owned(permits);
        let turn = timeout_at(self.until, waiting).await.map_err(|_| Error::Overloaded)?;
        self.turn = Some(turn.map_err(|_| Error::Internal("a line is gone".to_owned()))?);
        Ok(())
    }
}

/// One more, as long as it lives.
struct Counted<'a>(&'a AtomicUsize);

impl<'a> Counted<'a> {
    fn new(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Drop for Spot {
    fn drop(&mut self) {
        let mut lines = self.gate.lock();
        lines.all = lines.all.saturating_sub(1);
        if let Some(waiting) = lines.by_key.get_mut(&self.key) {
            waiting.present = waiting.present.saturating_sub(1);
            if waiting.present == 0 {
                lines.by_key.remove(&self.key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::future::join_all;

    use super::*;

    fn gate() -> Arc<Gate> {
        Arc::new(Gate { wait: Duration::from_millis(200), ..Gate::default() })
    }

    fn join(gate: &Arc<Gate>, keys: &[&str], width: u32) -> Result<Ticket, Error> {
        gate.join(keys.iter().map(|key| Line { key: (*key).to_owned(), width }).collect())
    }

    #[tokio::test]
    async fn a_line_is_bounded_in_number_and_in_time_and_another_is_not_affected() {
        let gate = gate();
        let mut first = join(&gate, &["ada"], 1).unwrap();
        first.turn().await.unwrap();
        let mut waiting: Vec<Ticket> = (1..LINE).map(|_| join(&gate, &["ada"], 1).unwrap()).collect();
        assert!(matches!(join(&gate, &["ada"], 1), Err(Error::Overloaded)));
        join(&gate, &["eve"], 1).unwrap().turn().await.unwrap();
        let begun = Instant::now();
        let ended = join_all(waiting.iter_mut().map(Ticket::turn)).await;
        assert!(ended.iter().all(|end| matches!(end, Err(Error::Overloaded))));
        assert!(begun.elapsed() >= Duration::from_millis(200));
        drop((first, waiting));
        assert!(gate.lock().by_key.is_empty() && gate.lock().all == 0, "nothing is left");
    }

    #[tokio::test]
    async fn all_lines_together_are_bounded_and_who_comes_first_to_one_is_let_in() {
        let gate = gate();
        let tickets: Vec<Ticket> =
            (0..ALL).map(|number| join(&gate, &[&(number / 2).to_string()], 1).unwrap()).collect();
        assert!(matches!(join(&gate, &["0"], 1), Err(Error::Overloaded)));
        assert!(join(&gate, &["another"], 1).is_ok());
        assert!(matches!(join(&gate, &["a third", "0"], 1), Err(Error::Overloaded)), "both or none");
        assert_eq!(gate.lock().all, ALL);
        drop(tickets);
        assert!(join(&gate, &["0"], 1).is_ok());
    }

    #[tokio::test]
    async fn who_gives_up_waiting_leaves_the_turn_to_the_next() {
        let gate = gate();
        let next = || join(&gate, &["ada"], 2).unwrap();
        let (mut first, mut second, mut third, mut fourth) = (next(), next(), next(), next());
        first.turn().await.unwrap();
        assert!(first.is_alone("ada"));
        first.share();
        second.turn().await.unwrap();
        assert!(!second.is_alone("ada") && !first.is_alone("ada"));
        let soon = tokio::time::timeout(Duration::from_millis(20), third.alone("ada"));
        let (soon, waiting) = tokio::join!(soon, async { gate.waiting() });
        assert!(soon.is_err(), "it hangs up");
        assert_eq!((waiting, gate.waiting()), (1, 0));
        drop((third, second));
        fourth.turn().await.unwrap();
        assert!(!fourth.is_alone("ada"));
        drop(first);
        fourth.alone("ada").await.unwrap();
        assert!(fourth.is_alone("ada"));
    }

    #[tokio::test]
    async fn who_wants_to_be_alone_in_one_line_waits_for_nobody_of_another() {
        let gate = gate();
        let mut ada = join(&gate, &["here", "ada"], 2).unwrap();
        ada.turn().await.unwrap();
        ada.share();
        let mut eve = join(&gate, &["here", "eve"], 2).unwrap();
        eve.turn().await.unwrap();
        assert!(eve.is_alone("eve") && !eve.is_alone("here"));
        eve.alone("eve").await.unwrap();
        assert!(matches!(eve.alone("here").await, Err(Error::Overloaded)), "ada is under way");
        drop(ada);
        join(&gate, &["here", "bob"], 2).unwrap().alone("here").await.unwrap();
    }
}
