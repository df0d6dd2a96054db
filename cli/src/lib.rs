#![doc = include_str!("../README.md")]

mod args;
mod audit;
mod client;
mod commands;
mod config;
mod cost;
mod csv;
mod entropy;
mod failure;
mod file;
mod host;
mod identity;
mod inputs;
mod interrupt;
mod link;
mod model;
mod near;
mod page;
mod plain;
mod report;
mod results;
mod sealing;
mod settings;
mod shelf;
mod summary;
mod text;
mod ui;

use std::process::ExitCode;

use args::Command;

/// Runs the program with the arguments of this process.
#[must_use]
pub fn run() -> ExitCode {
    interrupt::outlive_file_limits();
    let cli = match config::parse() {
        Ok(cli) => cli,
        Err(failure) => {
            ui::Ui::new(false, false).error(&failure);
            return ExitCode::from(failure.exit_code());
        }
    };
    let ui = ui::Ui::new(cli.json, cli.quiet);
    let outcome = match &cli.command {
        Command::Demo(args) => commands::demo(args, ui),
        Command::Serve(args) => commands::serve(args, ui),
        Command::Infer(args) => commands::infer(args, ui),
        Command::Prepare(args) => commands::prepare(args, ui),
        Command::Identity(command) => commands::identity(command, ui),
        Command::Audit(command) => commands::audit(command, ui),
        Command::Clear(args) => commands::clear(args, ui),
        Command::Import(args) => commands::import(args, ui),
        Command::Seal(command) => commands::seal(command, ui),
        Command::Plan(args) => commands::plan(args, ui),
        Command::Bench(args) => commands::bench(args, ui),
        Command::Doctor(args) => commands::doctor(args, ui),
        Command::Ps(args) => commands::ps(args, ui),
        Command::Completions(args) => commands::completions(args, ui),
        Command::Man(args) => commands::man(args, ui),
    };
    interrupt::wait_for_end();
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            ui.error(&failure);
            ExitCode::from(failure.exit_code())
        }
    }
}
