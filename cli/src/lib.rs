//! The `blindray` program: composes the crates below into end-to-end secure inference.
//!
//! Results go to standard output, everything else to standard error. Exit code 0: done; 1: it ran and
//! failed; 2: bad usage or bad input. The library is the program: [`run`] is all of it.

mod args;
mod commands;
mod cost;
mod entropy;
mod failure;
mod greeting;
mod hospital;
mod link;
mod model;
mod provider;
mod report;
mod settings;
mod text;
mod ui;

use std::process::ExitCode;

use clap::Parser;

use args::{Cli, Command};

/// Runs the program with the arguments of this process.
#[must_use]
pub fn run() -> ExitCode {
    // clap prints usage errors itself and leaves with code 2.
    let cli = Cli::parse();
    let ui = ui::Ui::new(cli.json, cli.quiet);
    let outcome = match &cli.command {
        Command::Demo(args) => commands::demo(args, ui),
        Command::Serve(args) => commands::serve(args, ui),
        Command::Infer(args) => commands::infer(args, ui),
        Command::Clear(args) => commands::clear(args, ui),
        Command::Import(args) => commands::import(args, ui),
        Command::Plan(args) => commands::plan(args, ui),
        Command::Bench(args) => commands::bench(args, ui),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            ui.error(&failure);
            ExitCode::from(failure.exit_code())
        }
    }
}
