//! The tables, in column types that SQLite and PostgreSQL share.

diesel::table! {
    users (id) {
        id -> Text,
        username -> Nullable<Text>,
        username_canonical -> Nullable<Text>,
        email -> Nullable<Text>,
        email_canonical -> Nullable<Text>,
        password_hash -> Text,
        role -> Text,
        disabled -> Bool,
        version -> BigInt,
        version_changed_at -> Nullable<Timestamp>,
        created_at -> Timestamp,
        updated_at -> Timestamp,
        last_signed_in_at -> Nullable<Timestamp>,
    }
}

diesel::table! {
    sessions (id) {
        id -> Text,
        user_id -> Nullable<Text>,
        generation -> BigInt,
        previous_branch -> Nullable<Binary>,
        phase -> SmallInt,
        rotated_at -> Nullable<Timestamp>,
        secret_hash -> Binary,
        created_at -> Timestamp,
        authenticated_at -> Timestamp,
        expires_at -> Timestamp,
        idle_timeout -> BigInt,
        revoked_at -> Nullable<Timestamp>,
        revoked_reason -> Nullable<Text>,
        user_agent -> Nullable<Text>,
        ip -> Nullable<Text>,
        label -> Nullable<Text>,
        client_id -> Text,
        scope -> Text,
    }
}

diesel::table! {
    throttles (id) {
        id -> Text,
        kind -> Text,
        failures -> BigInt,
        delay -> BigInt,
        blocked_until -> Timestamp,
        resets_at -> Timestamp,
    }
}

diesel::table! {
    clients (id) {
        id -> Text,
        name -> Text,
        secret_hash -> Binary,
        grants -> Text,
        scopes -> Text,
        audiences -> Text,
        disabled -> Bool,
        created_at -> Timestamp,
        secret_changed_at -> Timestamp,
    }
}

diesel::table! {
    audit_events (id) {
        id -> BigInt,
        at -> Timestamp,
        last_at -> Nullable<Timestamp>,
        times -> BigInt,
        merge_key -> Nullable<Text>,
        event -> Text,
        outcome -> Text,
        reason -> Nullable<Text>,
        subject -> Nullable<Text>,
        session -> Nullable<Text>,
        client -> Nullable<Text>,
        account -> Nullable<Text>,
        address -> Nullable<Text>,
        actor -> Nullable<Text>,
        request_id -> Nullable<Text>,
        detail -> Nullable<Text>,
    }
}

diesel::joinable!(sessions -> users (user_id));
diesel::allow_tables_to_appear_in_same_query!(sessions, users);

#[diesel::declare_sql_function]
extern "SQL" {
    /// The database's clock: PostgreSQL's own (a function of the first migration), the host's for SQLite.
    fn tacit_now() -> diesel::sql_types::Timestamp;
    /// The same clock, so many milliseconds from now.
    fn tacit_after(millis: diesel::sql_types::BigInt) -> diesel::sql_types::Timestamp;
}
