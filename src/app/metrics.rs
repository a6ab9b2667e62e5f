use prometheus::{
    Encoder, Gauge, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
    TextEncoder,
};

use crate::types::SigningAlgorithm;

/// Prometheus metrics; every name and label is listed in docs/operations.md, which a test compares.
pub struct Metrics {
    registry: Registry,
    /// Successful sign-ins, by route.
    pub sign_ins: IntCounterVec,
    /// Refused sign-ins, by reason.
    pub sign_in_failures: IntCounterVec,
    /// Password checks that were refused unseen, by the counter that refused.
    pub throttled: IntCounterVec,
    /// Users registered.
    pub registrations: IntCounter,
    /// What the refresh engine answered, by verdict.
    pub refreshes: IntCounterVec,
    /// Rotations whose cookies were held back because the response was late or the session ended meanwhile.
    pub cookies_withheld: IntCounterVec,
    /// Rotations whose refresh cookie the client never showed: its predecessor came back instead.
    pub cookies_lost: IntCounter,
    /// Time from a request's arrival to its answer's headers.
    pub request_seconds: HistogramVec,
    sign_ins_waiting: IntGauge,
    hash_queue_waiting: IntGauge,
    /// Rounds of bcrypt that were worked, 2^cost for each hash.
    pub hash_rounds: IntCounter,
    pool_connections: IntGauge,
    pool_idle: IntGauge,
    revoked_sessions: IntGauge,
    revocation_poll_age: Gauge,
    /// Rows deleted by the purge.
    pub purged: IntCounter,
    /// Events that the audit trail counts without naming them.
    pub audit_dropped: IntCounter,
    /// Panics that were answered with 500.
    pub panics: IntCounter,
    /// Readings of `tokens.keys_dir` that failed.
    pub signing_keys_failures: IntCounter,
    access_keys: IntGaugeVec,
}

/// Seconds; -1 until the first poll succeeded.
const NEVER: f64 = -1.0;

/// A moment's readings of what is counted elsewhere.
pub struct Readings {
    /// Sign-ins that wait for others of their account or address.
    pub sign_ins_waiting: usize,
    /// Jobs that wait for a hashing thread.
    pub hash_queue_waiting: usize,
    /// Open database connections.
    pub pool_connections: u32,
    /// Those of them that are idle.
    pub pool_idle: u32,
    /// Revoked sessions remembered.
    pub revoked_sessions: usize,
    /// Since the last successful poll.
    pub revocation_poll_age: Option<std::time::Duration>,
    /// How many keys of access tokens there are, by algorithm.
    pub access_keys: Vec<(SigningAlgorithm, usize)>,
    /// The algorithm of the one that signs.
    pub signing_algorithm: SigningAlgorithm,
}

impl Metrics {
    #[expect(clippy::expect_used, reason = "names and labels are constants; a wrong one fails every test at start")]
    pub(super) fn new() -> Self {
        let registry = Registry::new();
        let vector = |name: &str, help: &str, label: &str| {
            let vector = IntCounterVec::new(Opts::new(name, help), &[label]).expect("a valid metric");
            registry.register(Box::new(vector.clone())).expect("a new metric");
            vector
        };
        let counter = |name: &str, help: &str| {
            let counter = IntCounter::new(name, help).expect("a valid metric");
            registry.register(Box::new(counter.clone())).expect("a new metric");
            counter
        };
        let gauge = |name: &str, help: &str| {
            let gauge = IntGauge::new(name, help).expect("a valid metric");
            registry.register(Box::new(gauge.clone())).expect("a new metric");
            gauge
        };
        let request_seconds = HistogramVec::new(
            HistogramOpts::new("tacit_http_request_seconds", "Time from a request's arrival to its answer's headers.")
                .buckets(vec![0.000_25, 0.001, 0.002_5, 0.01, 0.025, 0.1, 0.25, 1.0, 2.5, 10.0]),
            &["route", "status"],
        )
        .expect("a valid metric");
        registry.register(Box::new(request_seconds.clone())).expect("a new metric");
        let revocation_poll_age = Gauge::new(
            "tacit_revocation_poll_age_seconds",
            "Time since the last successful revocation poll; -1: none yet.",
        )
        .expect("a valid metric");
        registry.register(Box::new(revocation_poll_age.clone())).expect("a new metric");
        let access_keys = IntGaugeVec::new(
            Opts::new("tacit_access_keys", "Keys of access tokens, by algorithm and by what they do."),
            &["alg", "does"],
        )
        .expect("a valid metric");
        registry.register(Box::new(access_keys.clone())).expect("a new metric");
        Self {
            sign_ins: vector("tacit_sign_ins_total", "Successful sign-ins.", "route"),
            sign_in_failures: vector("tacit_sign_in_failures_total", "Refused sign-ins.", "reason"),
            throttled: vector("tacit_throttled_total", "Password checks that the throttle refused.", "key"),
            registrations: counter("tacit_registrations_total", "Users registered."),
            refreshes: vector("tacit_refreshes_total", "Answers of the refresh engine.", "verdict"),
            cookies_withheld: vector(
                "tacit_cookies_withheld_total",
                "Refreshes whose cookies were held back before the answer went out.",
                "reason",
            ),
            cookies_lost: counter(
                "tacit_cookie_never_came_back_total",
                "Rotations whose refresh cookie never came back: its predecessor was presented after the window.",
            ),
            sign_ins_waiting: gauge(
                "tacit_sign_ins_waiting",
                "Sign-ins that wait for others of their account or address.",
            ),
            hash_queue_waiting: gauge("tacit_hash_queue_waiting", "Sign-ins that wait for a hashing thread."),
            hash_rounds: counter("tacit_hash_rounds_total", "Rounds of bcrypt worked: 2^cost for each hash."),
            pool_connections: gauge("tacit_database_connections", "Open database connections."),
            pool_idle: gauge("tacit_database_connections_idle", "Open database connections that nobody uses."),
            revoked_sessions: gauge("tacit_revoked_sessions_known", "Revoked sessions in this replica's memory."),
            purged: counter("tacit_purged_sessions_total", "Session rows deleted by the purge."),
            audit_dropped: counter(
                "tacit_audit_dropped_total",
                "Events without a row of their own in the audit trail, which only counts them.",
            ),
            panics: counter("tacit_panics_total", "Panics that were answered with 500."),
            signing_keys_failures: counter(
                "tacit_signing_keys_failures_total",
                "Readings of tokens.keys_dir that failed; the keys stay as they were.",
            ),
            access_keys,
            request_seconds,
            revocation_poll_age,
            registry,
        }
    }

    /// All metrics in Prometheus' text format, with the readings of this moment.
    pub fn render(&self, readings: &Readings) -> String {
        let signed = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
        self.sign_ins_waiting.set(signed(readings.sign_ins_waiting));
        self.hash_queue_waiting.set(signed(readings.hash_queue_waiting));
        self.pool_connections.set(i64::from(readings.pool_connections));
        self.pool_idle.set(i64::from(readings.pool_idle));
        self.revoked_sessions.set(signed(readings.revoked_sessions));
        self.revocation_poll_age.set(readings.revocation_poll_age.map_or(NEVER, |age| age.as_secs_f64()));
        for (algorithm, count) in &readings.access_keys {
            let signs = i64::from(*algorithm == readings.signing_algorithm);
            self.access_keys.with_label_values(&[algorithm.as_str(), "verifies"]).set(signed(*count));
            self.access_keys.with_label_values(&[algorithm.as_str(), "signs"]).set(signs);
        }
        let mut text = Vec::new();
        match TextEncoder::new().encode(&self.registry.gather(), &mut text) {
            Ok(()) => String::from_utf8_lossy(&text).into_owned(),
            Err(error) => {
                log::error!(event = "metrics_failed"; "{error}");
                String::new()
            }
        }
    }
}
