//! What an import is worth, and what other ranges would cost.

use std::fmt::Display;

use import::{ImportOptions, ImportReport, Ranges, Unrounded};
use nets::{Model, PublicModel};
use sealed::Key;
use secure::{Algorithms, Mode};
use serde::Serialize;

use crate::cost::estimate::{self, Speed};
use crate::failure::{Failure, Outcome};
use crate::file::Drafts;
use crate::model::{self, Chosen, Stored, problem};
use crate::text::{bytes, put};

/// Fails where the import found a fault, unless that is accepted: then the model says so.
pub(crate) fn judge(
    report: &ImportReport,
    public: &mut PublicModel,
    accepted: bool,
) -> Outcome<()> {
    if report.faults.is_empty() {
        return Ok(());
    }
    let faults: Vec<String> = report.faults.iter().map(ToString::to_string).collect();
    if !accepted {
        return Err(Failure::run(format!(
            "{}; no model was written: allow more with --accuracy or --activation-bits, calibrate on more images, or take it as it is with --accept-accuracy-loss",
            faults.join("; ")
        )));
    }
    if let Some(calibration) = &mut public.calibration {
        calibration.accept(&faults.join("; "));
    }
    Ok(())
}

/// Fails where the files of a model, which are not in their places yet, cannot be read again.
pub(crate) fn readable(drafts: &Drafts<'_>, key: Option<Key>) -> Outcome<()> {
    if let Some(draft) = drafts.path("--out") {
        let stored = Stored::find(draft);
        let model = stored.and_then(|stored| stored.open(key));
        model.map_err(unreadable)?;
    }
    if let Some(draft) = drafts.path("--public") {
        model::public(draft).map_err(unreadable)?;
    }
    Ok(())
}

/// The same of a model that goes to a device, from which nothing is read.
pub(crate) fn legible(model: &Model) -> Outcome<()> {
    let problem = |error: nets::Error| unreadable(problem(&error));
    Model::from_bytes(&model.to_bytes()).map_err(problem)?;
    PublicModel::from_json(&model.public.to_json()).map_err(problem)?;
    Ok(())
}

fn unreadable(problem: impl Display) -> Failure {
    Failure::run(format!(
        "the model could not be read again, and was not written: {problem}"
    ))
}

/// What a choice of ranges costs.
#[derive(Debug, Serialize)]
pub(crate) struct Price {
    ranges: Ranges,
    chosen: bool,
    /// Bytes of one image, with refill; none where these ranges do not fit.
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes: Option<u64>,
    /// Why they do not fit.
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
}

/// How a model is planned.
pub(crate) struct Plan<'a> {
    pub(crate) algorithms: &'a Algorithms,
    pub(crate) speed: &'a Speed,
}

impl Plan<'_> {
    /// The model with its algorithms.
    pub(crate) fn choose(&self, model: &Model) -> Outcome<Chosen> {
        let Speed {
            extension,
            constants,
            ..
        } = self.speed;
        model::choose(
            model,
            self.algorithms,
            Mode::Faithful,
            *extension,
            constants,
        )
    }

    /// Bytes of one image.
    pub(crate) fn bytes(&self, chosen: &Chosen) -> Outcome<u64> {
        let estimate = estimate::of_choice(chosen, Mode::Faithful, "auto", 0, self.speed)?;
        Ok(estimate.comm.total_bytes())
    }

    /// What each choice of ranges costs at the precision of an import; those that were chosen take `own` bytes.
    pub(crate) fn prices(
        &self,
        unrounded: &Unrounded,
        options: &ImportOptions,
        own: u64,
    ) -> Outcome<Vec<Price>> {
        let mut prices = Vec::new();
        for ranges in [Ranges::Calibrated, Ranges::Robust, Ranges::Proved] {
            let mut price = Price {
                ranges,
                chosen: ranges == options.ranges,
                bytes: None,
                problem: None,
            };
            if price.chosen {
                price.bytes = Some(own);
            } else {
                match unrounded.with_ranges(options, ranges) {
                    Ok(model) => price.bytes = Some(self.bytes(&self.choose(&model)?)?),
                    Err(error) => price.problem = Some(error.to_string()),
                }
            }
            prices.push(price);
        }
        Ok(prices)
    }
}

/// A line for each choice of ranges.
pub(crate) fn lines(prices: &[Price]) -> String {
    let mut text = String::new();
    for price in prices {
        let name = match price.ranges {
            Ranges::Calibrated => "calibrated",
            Ranges::Robust => "robust",
            Ranges::Proved => "proved",
        };
        let mark = if price.chosen { " (chosen)" } else { "" };
        match (&price.bytes, &price.problem) {
            (Some(count), _) => put(
                &mut text,
                format_args!("--ranges {name}{mark}: {} an image", bytes(*count)),
            ),
            (None, problem) => put(
                &mut text,
                format_args!(
                    "--ranges {name}: not possible: {}",
                    problem.as_deref().unwrap_or("it does not fit")
                ),
            ),
        }
    }
    text
}
