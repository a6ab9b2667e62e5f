use std::time::Duration;

use super::settings::Reader;

/// Section `audit`.
#[derive(Clone, Debug)]
pub struct AuditConfig {
    /// `audit.retention`: how long the audit trail keeps an event.
    pub retention: Duration,
}

impl AuditConfig {
    pub(super) fn read(r: &mut Reader<'_>) -> Self {
        const KEY: &str = "audit.retention";
        const HOUR: Duration = Duration::from_secs(3_600);
        const TEN_YEARS: Duration = Duration::from_secs(3_653 * 86_400);
        let retention = r.get(KEY, "90d");
        if !(HOUR..=TEN_YEARS).contains(&retention) {
            r.problem(KEY, "expected 1h to 3653d: shorter is no trail, and addresses are not kept for ever");
        }
        Self { retention }
    }
}
