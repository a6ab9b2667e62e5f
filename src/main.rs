//! The `tacit` binary: parses the command line, runs it, and turns what went wrong into words and an exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    match tacit::cli::run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("{failure}");
            failure.exit_code()
        }
    }
}
