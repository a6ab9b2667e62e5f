use super::{Failure, load_configuration, print_line};
use crate::config::Overrides;
use crate::routers::openapi;

pub(super) fn run(overrides: &Overrides) -> Result<(), Failure> {
    let config = load_configuration(overrides)?.config;
    let document = openapi(&config).to_pretty_json().map_err(|error| Failure::Failed(error.to_string()))?;
    print_line(document)
}
