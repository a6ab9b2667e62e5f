//! What every handler shares: the application, and the one bridge from asynchronous to synchronous code.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use actix_web::HttpRequest;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::request;
use crate::app::App;
use crate::error::Error;
use crate::logging;
use crate::models::AnyConnection;
use crate::services::{audit, tokens};
use crate::types::{Event, Instant};

/// A request's statements together may take this many times `database.acquire_timeout`.
const WORK_TIMEOUT_FACTOR: u32 = 3;

/// Anybody can send X-Forwarded-For: a flood of it must not flood the log.
const PROXY_WARNING_EVERY: Duration = Duration::from_secs(60);

/// The application, and permits for its database connections.
pub struct Shared {
    /// The service's parts.
    pub app: Arc<App>,
    database_permits: Mutex<Permits>,
    warned_of_proxy: Mutex<Option<Instant>>,
}

/// As many as there are connections in one pool: a request waits here, without a thread, rather than in the pool.
#[derive(Clone)]
struct Permits {
    pool_number: u64,
    semaphore: Arc<Semaphore>,
}

impl Permits {
    fn new(app: &App, pool_number: u64) -> Self {
        let size = usize::try_from(app.config.database.pool_size).unwrap_or(1);
        Self { pool_number, semaphore: Arc::new(Semaphore::new(size)) }
    }
}

impl Shared {
    /// Wraps an application for all workers.
    pub fn new(app: Arc<App>) -> Self {
        let permits = Permits::new(&app, app.database.pool_number());
        Self { app, database_permits: Mutex::new(permits), warned_of_proxy: Mutex::new(None) }
    }

    /// Whether a warning of a proxy that nobody configured is due: at once, and then once a minute at most.
    pub fn proxy_warning_is_due(&self) -> bool {
        let now = self.app.clock.instant();
        let mut last = self.warned_of_proxy.lock().unwrap_or_else(PoisonError::into_inner);
        let due = last.is_none_or(|last| now.saturating_duration_since(last) >= PROXY_WARNING_EVERY);
        if due {
            *last = Some(now);
        }
        due
    }

    /// The permits of the pool that is in use. Those of a pool that was replaced may be held for ever.
    fn permits(&self) -> Permits {
        let pool_number = self.app.database.pool_number();
        let mut permits = self.database_permits.lock().unwrap_or_else(PoisonError::into_inner);
        if permits.pool_number < pool_number {
            *permits = Permits::new(&self.app, pool_number);
        }
        permits.clone()
    }

    /// Runs synchronous work that needs the database, on a thread of the blocking pool: the one bridge.
    ///
    /// The work goes on to its end also when the client hangs up, so that nothing is left half done. Waiting for a
    /// connection and the work itself are bounded; past the bound the answer is [`Error::Database`], and the next request
    /// gets another pool of connections.
    #[expect(clippy::disallowed_methods, reason = "the one bridge to synchronous code")]
    pub async fn blocking<T: Send + 'static>(
        &self,
        request: &HttpRequest,
        work: impl FnOnce(&App, &mut AnyConnection) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let limit = self.app.config.database.acquire_timeout;
        let Permits { pool_number, semaphore } = self.permits();
        let permit = timeout(limit, semaphore.acquire_owned())
            .await
            .map_err(|_| Error::Database("no connection became free in time".to_owned()))?
            .map_err(|_| Error::Internal("the connection permits are gone".to_owned()))?;
        let app = Arc::clone(&self.app);
        let context = request::log_context(request);
        let working = actix_web::web::block(move || {
            let _permit = permit;
            logging::within(context, || {
                let mut connection = app.database.connection()?;
                work(&app, &mut connection)
            })
        });
        let Ok(done) = timeout(limit.saturating_mul(WORK_TIMEOUT_FACTOR), working).await else {
            self.app.database.replace_pool(pool_number);
            return Err(Error::Database("the database did not answer in time".to_owned()));
        };
        done.map_err(|_| Error::Internal("synchronous work panicked".to_owned()))?
    }

    /// Whether one of these tokens names a key pair that was not read yet. Then the directory is read again by the
    /// thread that does so, at most once a second; this waits for it, in bounds, and whoever asks checks them anew.
    pub async fn read_keys_for<'a>(&self, mut tokens: impl Iterator<Item = &'a str>) -> bool {
        let names_one = tokens.any(|token| tokens::names_unread_key(&self.app, token));
        if names_one {
            self.app.access_keys.look_again().await;
        }
        names_one
    }

    /// Logs an event of a request that changes nothing, and counts it for the audit trail.
    pub fn note(&self, request: &HttpRequest, event: &Event) {
        logging::within(request::log_context(request), || audit::note(&self.app, event));
    }

    /// Runs work on the hashing pool; [`Error::Overloaded`] at once when its queue is full.
    pub async fn hashing<T: Send + 'static>(
        &self,
        work: impl FnOnce(&App) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let app = Arc::clone(&self.app);
        let answer = self.app.hasher.submit(move || work(&app))?;
        answer.await.map_err(|_| Error::Internal("a hashing job panicked".to_owned()))?
    }
}
