//! `blindray doctor`: what could be wrong, before it is.

mod here;
mod there;

use serde::Serialize;

use crate::args::DoctorArgs;
use crate::failure::{Failure, Outcome};
use crate::plain;
use crate::text::counted;
use crate::ui::{Colour, Ui};
use there::Way;

/// How good it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
enum Status {
    Ok,
    Warning,
    Fault,
}

/// One thing that was looked at.
#[derive(Clone, Debug, Serialize)]
struct Check {
    name: &'static str,
    status: Status,
    found: String,
    /// What to do about it.
    #[serde(rename = "do", skip_serializing_if = "Option::is_none")]
    advice: Option<String>,
}

impl Check {
    fn ok(name: &'static str, found: impl Into<String>) -> Self {
        let (status, found) = (Status::Ok, plain::for_people(&found.into()));
        Self {
            name,
            status,
            found,
            advice: None,
        }
    }

    fn warning(name: &'static str, found: impl Into<String>, advice: impl Into<String>) -> Self {
        let (status, advice) = (Status::Warning, Some(advice.into()));
        Self {
            status,
            advice,
            ..Self::ok(name, found)
        }
    }

    fn fault(name: &'static str, found: impl Into<String>, advice: impl Into<String>) -> Self {
        let status = Status::Fault;
        Self {
            status,
            ..Self::warning(name, found, advice)
        }
    }
}

/// What the command prints.
#[derive(Serialize)]
struct Findings {
    checks: Vec<Check>,
    #[serde(skip_serializing_if = "Option::is_none")]
    way: Option<Way>,
}

/// Looks at this machine, and with `--connect` at the way to a server.
pub(crate) fn doctor(args: &DoctorArgs, ui: Ui) -> Outcome<()> {
    let mut checks = here::checks(args);
    checks.iter().try_for_each(|check| show(check, ui))?;
    let mut way = None;
    if let Some(server) = &args.connect {
        let mut said = Vec::new();
        way = there::look(server, args, &mut said, ui)?;
        said.iter().try_for_each(|check| show(check, ui))?;
        checks.extend(said);
    }
    let of = |status| checks.iter().filter(|check| check.status == status).count();
    let (faults, warnings) = (of(Status::Fault), of(Status::Warning));
    if let Some(way) = &way {
        ui.text(&way.next_steps())?;
    }
    if ui.is_json() {
        ui.json_line(&Findings { checks, way })?;
    }
    match faults {
        0 => {
            if warnings == 0 {
                ui.note("all is well");
            }
            Ok(())
        }
        _ => Err(Failure::run(format!(
            "{} and {} found",
            counted(faults, "fault"),
            counted(warnings, "warning")
        ))),
    }
}

/// A line, and where there is something to do, another one.
fn show(check: &Check, ui: Ui) -> Outcome<()> {
    let (word, colour) = match check.status {
        Status::Ok => ("ok", Colour::Good),
        Status::Warning => ("warning", Colour::Odd),
        Status::Fault => ("FAULT", Colour::Bad),
    };
    ui.marked(
        &format!("{word:<8}"),
        colour,
        &format!("{:<13}{}", check.name, check.found),
    )?;
    match &check.advice {
        Some(advice) => ui.text(&format!("{:21}{advice}\n", "")),
        None => Ok(()),
    }
}
