//! Where the findings of images go: to standard output in one form or another, and to a page.

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use crate::csv;
use crate::failure::Outcome;
use crate::file::Named;
use crate::page;
use crate::report::Report;
use crate::summary::{Costs, Summary};
use crate::ui::Ui;

/// Other forms of results than text and JSON.
#[derive(Debug, Args)]
pub(crate) struct FormArgs {
    /// Print results as CSV, a line for each output of each image.
    #[arg(long, conflicts_with = "json")]
    pub(crate) csv: bool,
    /// Also write the results to this file, as a page for a browser or a printer.
    #[arg(long, value_name = "FILE.html")]
    pub(crate) report: Option<PathBuf>,
}

/// The last line of JSON, told by its key from those of images.
#[derive(Serialize)]
struct Summed {
    summary: Summary,
}

/// What was found so far.
pub(crate) struct Results {
    csv: bool,
    place: Option<page::Place>,
    /// For the page.
    reports: Vec<Report>,
    costs: Costs,
    begun: bool,
    ui: Ui,
}

impl Results {
    /// Nothing yet; fails where the page could not be written, or would overwrite an input.
    pub(crate) fn begin(form: &FormArgs, inputs: &[PathBuf], ui: Ui) -> Outcome<Self> {
        let inputs: Vec<Named<'_>> = inputs.iter().map(|path| ("--input", &**path)).collect();
        Ok(Self {
            csv: form.csv,
            place: page::Place::find(form.report.as_deref(), &inputs)?,
            reports: Vec::new(),
            costs: Costs::default(),
            begun: false,
            ui,
        })
    }

    /// Prints what was found in an image.
    pub(crate) fn add(&mut self, report: Report) -> Outcome<()> {
        if self.csv {
            if !std::mem::replace(&mut self.begun, true) {
                self.ui.csv(&csv::FINDINGS)?;
            }
            for row in csv::findings(&report) {
                self.ui.csv(&row)?;
            }
        } else {
            self.ui.result(&report)?;
        }
        self.costs.add(&report);
        if self.place.is_some() {
            self.reports.push(report);
        }
        Ok(())
    }

    /// Prints what several images took; a table has no place for it.
    fn sum_up(&self) -> Outcome<()> {
        match self.costs.summary() {
            Some(summary) if self.ui.is_json() => self.ui.json_line(&Summed { summary }),
            Some(summary) if !self.csv => self.ui.text(&format!("{}\n", summary.text())),
            _ => Ok(()),
        }
    }

    /// Runs what finds, sums up what it took, and then writes the page: where it fails after some images, of those.
    pub(crate) fn of(mut self, find: impl FnOnce(&mut Self) -> Outcome<()>) -> Outcome<()> {
        let outcome = find(&mut self).and_then(|()| self.sum_up());
        match &self.place {
            Some(place) if !self.reports.is_empty() => {
                let page =
                    page::of_reports(&self.reports, self.costs.summary(), outcome.as_ref().err());
                // The first failure is the one to tell.
                let written = place.write(&page, self.ui);
                outcome.and(written)
            }
            _ => outcome,
        }
    }
}
