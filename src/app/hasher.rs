use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::oneshot;

use crate::error::Error;

/// How much the hashing threads yield to those that serve requests: at 10 a busy core gives them about a tenth.
const NICENESS: i32 = 10;

type Job = Box<dyn FnOnce() + Send>;

/// A bounded pool of low-priority threads for bcrypt, so that a flood of sign-ins leaves everything else fast.
pub struct Hasher {
    queue: SyncSender<Job>,
    waiting: Arc<AtomicUsize>,
}

impl Hasher {
    /// Starts `workers` threads; at most `queue` jobs wait for them.
    pub fn start(workers: usize, queue: usize) -> Result<Self, Error> {
        let (sender, receiver) = sync_channel::<Job>(queue);
        let receiver = Arc::new(Mutex::new(receiver));
        for number in 0..workers {
            let receiver = Arc::clone(&receiver);
            std::thread::Builder::new()
                .name(format!("hash-{number}"))
                .spawn(move || work(&receiver))
                .map_err(|error| Error::Internal(format!("no hashing thread: {error}")))?;
        }
        Ok(Self { queue: sender, waiting: Arc::default() })
    }

    /// Queues a job; [`Error::Overloaded`] at once when the queue is full. A job whose caller has gone is not run: its
    /// connection was reset.
    pub fn submit<T: Send + 'static>(
        &self,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> Result<oneshot::Receiver<T>, Error> {
        let (reply, answer) = oneshot::channel();
        let waiting = Arc::clone(&self.waiting);
        waiting.fetch_add(1, Ordering::Relaxed);
        let queued: Job = Box::new(move || {
            waiting.fetch_sub(1, Ordering::Relaxed);
            if !reply.is_closed() {
                // Who asked may have gone meanwhile; then nobody needs the answer.
                drop(reply.send(job()));
            }
        });
        self.queue.try_send(queued).map_err(|error| {
            self.waiting.fetch_sub(1, Ordering::Relaxed);
            match error {
                TrySendError::Full(_) => Error::Overloaded,
                TrySendError::Disconnected(_) => Error::Internal("the hashing threads are gone".to_owned()),
            }
        })?;
        Ok(answer)
    }

    /// Jobs that wait for a thread.
    pub fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }
}

fn work(receiver: &Mutex<Receiver<Job>>) {
    // Linux lowers the calling thread alone. Where that is not allowed hashing still works, only less politely.
    if let Err(error) = rustix::process::nice(NICENESS) {
        log::warn!(event = "hash_priority_unchanged"; "{error}");
    }
    loop {
        let job = receiver.lock().unwrap_or_else(PoisonError::into_inner).recv();
        match job {
            // A job that panics drops its reply, which its caller sees as an internal error; the thread lives on.
            Ok(job) => drop(catch_unwind(AssertUnwindSafe(job))),
            Err(_) => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_queue_refuses_at_once_and_a_panic_costs_no_thread() {
        let hasher = Hasher::start(1, 1).unwrap();
        let panicking = hasher.submit(|| panic!("on purpose")).unwrap();
        assert!(panicking.blocking_recv().is_err());

        let (release, hold) = std::sync::mpsc::channel::<()>();
        let (started, has_started) = std::sync::mpsc::channel();
        let first = hasher
            .submit(move || {
                started.send(()).unwrap();
                hold.recv().unwrap();
                1
            })
            .unwrap();
        has_started.recv().unwrap();
        let second = hasher.submit(|| 2).unwrap();
        assert!(matches!(hasher.submit(|| 3), Err(Error::Overloaded)));
        assert_eq!(hasher.waiting(), 1);
        release.send(()).unwrap();
        assert_eq!(first.blocking_recv().unwrap() + second.blocking_recv().unwrap(), 3);
    }
}
