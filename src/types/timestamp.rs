use std::time::Duration;

use chrono::{DateTime, NaiveDate, NaiveDateTime, SecondsFormat, TimeDelta, Utc};
use diesel::backend::Backend;
use diesel::deserialize::{self, FromSql, FromSqlRow};
use diesel::expression::AsExpression;
use diesel::sql_types;

/// A moment in UTC, in microseconds (what PostgreSQL keeps).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, FromSqlRow)]
pub struct Timestamp(NaiveDateTime);

impl Timestamp {
    /// Microseconds since 1970-01-01T00:00:00Z; out of range counts as 1970.
    pub fn from_unix_micros(micros: i64) -> Self {
        Self(DateTime::from_timestamp_micros(micros).unwrap_or_default().naive_utc())
    }

    /// Whole seconds since 1970-01-01T00:00:00Z; out of range counts as 1970.
    pub fn from_unix_seconds(seconds: i64) -> Self {
        Self(DateTime::from_timestamp(seconds, 0).unwrap_or_default().naive_utc())
    }

    /// Whole seconds since 1970-01-01T00:00:00Z, rounded down.
    pub fn unix_seconds(self) -> i64 {
        self.0.and_utc().timestamp()
    }

    /// The signed time from `earlier` to this moment, in microseconds.
    pub fn micros_since(self, earlier: Self) -> i64 {
        (self.0 - earlier.0).num_microseconds().unwrap_or(i64::MAX)
    }

    /// This moment and `span` more; stays where it is if that is out of range.
    pub fn plus(self, span: Duration) -> Self {
        TimeDelta::from_std(span).ok().and_then(|delta| self.0.checked_add_signed(delta)).map_or(self, Self)
    }

    /// This moment less `span`; stays where it is if that is out of range.
    pub fn minus(self, span: Duration) -> Self {
        TimeDelta::from_std(span).ok().and_then(|delta| self.0.checked_sub_signed(delta)).map_or(self, Self)
    }

    /// The time left until this moment; zero when it has passed.
    pub fn left_at(self, now: Self) -> Duration {
        Duration::from_micros(u64::try_from(self.micros_since(now)).unwrap_or(0))
    }

    /// The same, rounded down to the whole minute.
    #[must_use]
    pub fn floor_to_minute(self) -> Self {
        Self::from_unix_seconds(self.unix_seconds().div_euclid(60).saturating_mul(60))
    }

    /// ISO 8601 in UTC with `+00:00`, as Python's `datetime.fromisoformat` reads it.
    pub fn to_iso8601(self) -> String {
        self.as_utc().to_rfc3339_opts(SecondsFormat::Micros, false)
    }

    /// Reads ISO 8601: with an offset, or in UTC without one; also a date alone.
    pub fn parse_iso8601(text: &str) -> Option<Self> {
        if let Ok(moment) = DateTime::parse_from_rfc3339(text) {
            return Some(Self(moment.naive_utc()));
        }
        let text = text.replace(' ', "T");
        NaiveDateTime::parse_from_str(&text, "%Y-%m-%dT%H:%M:%S%.f")
            .or_else(|_| NaiveDateTime::parse_from_str(&text, "%Y-%m-%dT%H:%M"))
            .ok()
            .or_else(|| NaiveDate::parse_from_str(&text, "%Y-%m-%d").ok()?.and_hms_opt(0, 0, 0))
            .map(Self)
    }

    /// As chrono's own type.
    pub fn as_utc(self) -> DateTime<Utc> {
        self.0.and_utc()
    }

    /// As the database binds it.
    pub fn as_naive(self) -> NaiveDateTime {
        self.0
    }
}

impl AsExpression<sql_types::Timestamp> for Timestamp {
    type Expression = <NaiveDateTime as AsExpression<sql_types::Timestamp>>::Expression;

    fn as_expression(self) -> Self::Expression {
        AsExpression::<sql_types::Timestamp>::as_expression(self.0)
    }
}

impl AsExpression<sql_types::Nullable<sql_types::Timestamp>> for Timestamp {
    type Expression = <NaiveDateTime as AsExpression<sql_types::Nullable<sql_types::Timestamp>>>::Expression;

    fn as_expression(self) -> Self::Expression {
        AsExpression::<sql_types::Nullable<sql_types::Timestamp>>::as_expression(self.0)
    }
}

impl<DB: Backend> FromSql<sql_types::Timestamp, DB> for Timestamp
where
    NaiveDateTime: FromSql<sql_types::Timestamp, DB>,
{
    fn from_sql(bytes: DB::RawValue<'_>) -> deserialize::Result<Self> {
        NaiveDateTime::from_sql(bytes).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_written_as_python_reads_it() {
        let moment = Timestamp::from_unix_micros(1_700_000_000_000_001);
        assert_eq!(moment.to_iso8601(), "2023-11-14T22:13:20.000001+00:00");
        assert_eq!(Timestamp::parse_iso8601(&moment.to_iso8601()), Some(moment));
    }

    #[test]
    fn moments_are_read_with_an_offset_or_in_utc() {
        let moment = Timestamp::from_unix_seconds(1_700_000_000);
        for text in ["2023-11-14T22:13:20+00:00", "2023-11-14T22:13:20Z", "2023-11-15T07:13:20.0+09:00"] {
            assert_eq!(Timestamp::parse_iso8601(text), Some(moment), "{text}");
        }
        assert_eq!(Timestamp::parse_iso8601("2023-11-14 22:13:20"), Some(moment));
        assert_eq!(Timestamp::parse_iso8601("2023-11-14").map(Timestamp::unix_seconds), Some(1_699_920_000));
        for text in ["", "yesterday", "2023-11-31", "2023-11-14T25:00"] {
            assert_eq!(Timestamp::parse_iso8601(text), None, "{text}");
        }
    }

    #[test]
    fn a_minute_is_rounded_down() {
        let moment = Timestamp::from_unix_seconds(119);
        assert_eq!(moment.floor_to_minute().unix_seconds(), 60);
    }
}
