//! The command line: the only module that prints, prompts, reads the environment or exits.

use std::process::ExitCode;

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    ExitCode::SUCCESS
}
