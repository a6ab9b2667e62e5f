//! One process, or several on one database behind a balancer that takes them in turn.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::app::{Home, Setup, Tacit};

/// How many processes a case runs on: one, and two of which neither answers two requests in a row.
pub const PROCESSES: [usize; 2] = [1, 2];

/// What answers requests.
pub trait Service {
    /// Every process of it.
    fn all(&self) -> &[Tacit];

    /// The one that the next request goes to.
    fn next(&self) -> &Tacit;
}

impl Service for Tacit {
    fn all(&self) -> &[Tacit] {
        std::slice::from_ref(self)
    }

    fn next(&self) -> &Tacit {
        self
    }
}

/// Processes that share a database.
pub struct Replicas {
    pub home: Arc<Home>,
    processes: Vec<Tacit>,
    asked: AtomicUsize,
}

impl Replicas {
    pub async fn start(processes: usize, setup: impl Fn() -> Setup) -> Self {
        let home = Home::new();
        let mut started = Vec::new();
        for _ in 0..processes {
            started.push(setup().start_in(home.clone()).await);
        }
        Self { home, processes: started, asked: AtomicUsize::new(0) }
    }
}

impl Service for Replicas {
    fn all(&self) -> &[Tacit] {
        &self.processes
    }

    fn next(&self) -> &Tacit {
        &self.processes[self.asked.fetch_add(1, Ordering::Relaxed) % self.processes.len()]
    }
}
