//! `blindray clear`.

use std::time::Instant;

use nets::Model;

use crate::args::{Arithmetic, ClearArgs};
use crate::failure::{Failure, Outcome};
use crate::images::{self, Picture};
use crate::model;
use crate::report::{Report, Times, findings, seconds, widths};
use crate::ui::Ui;

/// Runs the network without secrecy on every input.
pub(crate) fn clear(args: &ClearArgs, ui: Ui) -> Outcome<()> {
    let model = model::load(&args.model)?;
    for picture in &images::open_all(&args.input)? {
        ui.result(&run(&model, picture, args.arithmetic)?)?;
    }
    Ok(())
}

/// The clear result for one image.
pub(crate) fn run(model: &Model, picture: &Picture, arithmetic: Arithmetic) -> Outcome<Report> {
    let begin = Instant::now();
    let public = &model.public;
    let prepared = public.prepare(picture.pixels());
    let preprocess_s = seconds(begin.elapsed());
    let online = Instant::now();
    let (outputs, bits) = match arithmetic {
        Arithmetic::Float => {
            let logits = model.run_float(prepared.values()).map_err(Failure::run)?;
            let logits: Vec<f64> = logits.into_iter().map(f64::from).collect();
            (findings(public, &logits, None), None)
        }
        Arithmetic::Fixed => {
            let raw = model.run_integer(prepared.fixed()).map_err(Failure::run)?;
            (
                findings(public, &public.logits(&raw), Some(&raw)),
                Some(widths(&public.graph)),
            )
        }
    };
    let name = match arithmetic {
        Arithmetic::Float => "float",
        Arithmetic::Fixed => "fixed",
    };
    Ok(Report {
        model: public.name.clone(),
        arithmetic: Some(name.into()),
        mode: None,
        bits,
        input: picture.name.clone(),
        input_sha256: picture.sha256.clone(),
        outputs,
        exact: None,
        deviation: None,
        comm: None,
        time: Times {
            setup_s: 0.0,
            preprocess_s,
            online_s: seconds(online.elapsed()),
            total_s: seconds(begin.elapsed()),
        },
        layers: Vec::new(),
    })
}
