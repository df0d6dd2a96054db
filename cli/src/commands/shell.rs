//! `blindray completions` and `blindray man`: made of the same description of the command line as its help.

use std::path::Path;

use clap::{Command, CommandFactory as _};
use clap_mangen::Man;

use crate::args::{Cli, CompletionsArgs, ManArgs};
use crate::failure::{Failure, Outcome};
use crate::file::Outputs;
use crate::near;
use crate::ui::Ui;

/// Prints a script for a shell.
pub(crate) fn completions(args: &CompletionsArgs, ui: Ui) -> Outcome<()> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "blindray", &mut script);
    ui.own(&String::from_utf8(script).map_err(Failure::run)?)
}

/// Prints one manual page, or writes them all.
pub(crate) fn man(args: &ManArgs, ui: Ui) -> Outcome<()> {
    let mut program = Cli::command().disable_help_subcommand(true);
    program.build();
    if let Some(folder) = &args.out {
        return write_all(&program, folder, ui);
    }
    let mut command = &program;
    for word in &args.command {
        let names = || command.get_subcommands().map(Command::get_name);
        command = command.find_subcommand(word).ok_or_else(|| {
            Failure::input(format!(
                "{} has no command {word}{}",
                command.get_name(),
                near::asked(word, names())
            ))
        })?;
    }
    ui.own(&page(command)?)
}

fn write_all(program: &Command, folder: &Path, ui: Ui) -> Outcome<()> {
    let mut pages = Vec::new();
    // Commands of commands come after their own.
    let mut left = vec![program];
    while let Some(command) = left.pop() {
        let name = command
            .get_display_name()
            .unwrap_or_else(|| command.get_name());
        pages.push((folder.join(format!("{name}.1")), page(command)?));
        left.extend(command.get_subcommands());
    }
    pages.sort();
    std::fs::create_dir_all(folder)
        .map_err(|cause| Failure::input(format!("cannot make {}: {cause}", folder.display())))?;
    for (path, page) in &pages {
        Outputs::find(&[("--out", path)], &[])?.write(&[page.as_bytes()])?;
    }
    ui.note(&format!(
        "wrote {} pages to {}",
        pages.len(),
        folder.display()
    ));
    Ok(())
}

fn page(command: &Command) -> Outcome<String> {
    let mut page = Vec::new();
    let man = Man::new(command.clone());
    man.render(&mut page).map_err(Failure::run)?;
    String::from_utf8(page).map_err(Failure::run)
}
