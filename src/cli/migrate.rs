use super::{Failure, load_configuration, print_line};
use crate::config::Overrides;
use crate::models::Database;
use crate::types::Clock;

pub(super) fn run(overrides: &Overrides) -> Result<(), Failure> {
    let config = load_configuration(overrides)?.config;
    let database = Database::open(&config.database, &Clock::default())?;
    let applied = database.migrate()?;
    print_line(match applied {
        0 => "The schema is up to date.".to_owned(),
        count => format!("The schema was brought up to date: {count} migrations."),
    })
}
