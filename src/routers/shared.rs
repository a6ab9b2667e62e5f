//! What every handler shares: the application, and the one bridge from asynchronous to synchronous code.

use std::sync::Arc;
use std::time::Duration;

use actix_web::HttpRequest;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::request;
use crate::app::App;
use crate::error::Error;
use crate::logging;
use crate::models::AnyConnection;

/// A request's statements together may take this many times `database.acquire_timeout`.
const WORK_TIMEOUT_FACTOR: u32 = 5;

/// The application, and permits for its database connections.
pub struct Shared {
    /// The service's parts.
    pub app: Arc<App>,
    /// As many as there are connections: a request waits here, without a thread, rather than in the pool.
    database_permits: Arc<Semaphore>,
}

impl Shared {
    /// Wraps an application for all workers.
    pub fn new(app: Arc<App>) -> Self {
        let permits = usize::try_from(app.config.database.pool_size).unwrap_or(1);
        Self { app, database_permits: Arc::new(Semaphore::new(permits)) }
    }

    /// Runs synchronous work that needs the database, on a thread of the blocking pool: the one bridge.
    ///
    /// The work goes on to its end also when the client hangs up, so that nothing is left half done. Waiting for a
    /// connection and the work itself are bounded; past the bound the answer is [`Error::Database`].
    #[expect(clippy::disallowed_methods, reason = "the one bridge to synchronous code")]
    pub async fn blocking<T: Send + 'static>(
        &self,
        request: &HttpRequest,
        work: impl FnOnce(&App, &mut AnyConnection) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let limit = self.app.config.database.acquire_timeout;
        let permit = timeout(limit, Arc::clone(&self.database_permits).acquire_owned())
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
        within(limit.saturating_mul(WORK_TIMEOUT_FACTOR), working).await?
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

async fn within<T>(
    limit: Duration,
    working: impl Future<Output = Result<T, actix_web::error::BlockingError>>,
) -> Result<T, Error> {
    timeout(limit, working)
        .await
        .map_err(|_| Error::Database("the database did not answer in time".to_owned()))?
        .map_err(|_| Error::Internal("synchronous work panicked".to_owned()))
}
