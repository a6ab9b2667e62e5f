//! Races that cannot be lost by chance: a trigger stands for the other writer, who comes between a read and its write.

use crate::app::Home;
use crate::database::TestDatabase;

/// Every update of a session for which `when` holds changes no row, and `instead` happens first.
fn outrun(home: &Home, when: &str, instead: &str) {
    before_update(home, when, &format!("{instead} SELECT RAISE(IGNORE);"), &format!("{instead} RETURN NULL;"));
}

/// Every update of a session for which `when` holds fails, as if the database went away.
pub fn fail(home: &Home, when: &str) {
    before_update(home, when, "SELECT RAISE(ABORT, 'gone');", "RAISE EXCEPTION 'gone';");
}

fn before_update(home: &Home, when: &str, on_sqlite: &str, on_postgres: &str) {
    match &home.database {
        TestDatabase::Sqlite(_) => {
            home.database
                .execute(&format!("CREATE TRIGGER race BEFORE UPDATE ON sessions WHEN {when} BEGIN {on_sqlite} END"));
        }
        TestDatabase::Postgres { .. } => {
            home.database.execute(&format!(
                "CREATE FUNCTION race() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {on_postgres} END $$"
            ));
            home.database.execute(&format!(
                "CREATE TRIGGER race BEFORE UPDATE ON sessions FOR EACH ROW WHEN ({when}) EXECUTE FUNCTION race()"
            ));
        }
    }
}

/// A logout commits just before every such update.
pub fn outrun_by_a_logout(home: &Home, when: &str) {
    let log_out = "UPDATE sessions SET revoked_at = created_at, revoked_reason = 'logout' WHERE id = OLD.id AND revoked_at IS NULL;";
    outrun(home, when, log_out);
}

/// Somebody else is always faster.
pub fn outrun_always(home: &Home) {
    outrun(home, "1 = 1", "");
}

/// The race is over.
pub fn end(home: &Home) {
    home.database.execute(match &home.database {
        TestDatabase::Sqlite(_) => "DROP TRIGGER race",
        TestDatabase::Postgres { .. } => "DROP FUNCTION race CASCADE",
    });
}
