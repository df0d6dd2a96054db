//! `blindray clear`.

use std::time::Instant;

use images::Image;
use nets::{Model, run_integer_counting};
use service::{Finding, Times};

use crate::args::{Arithmetic, ClearArgs};
use crate::failure::{Failure, Outcome};
use crate::inputs::Inputs;
use crate::model;
use crate::report::{Report, accepted, seconds, unlike, widths};
use crate::results::Results;
use crate::text::hex;
use crate::ui::Ui;

/// Runs the network without secrecy on every input.
pub(crate) fn clear(args: &ClearArgs, ui: Ui) -> Outcome<()> {
    Results::begin(&args.form, &args.input, ui)?.of(|results| find(args, results, ui))
}

fn find(args: &ClearArgs, results: &mut Results, ui: Ui) -> Outcome<()> {
    let inputs = Inputs::find(&args.input, args.frame, ui)?;
    let model = model::load(&args.model, ui)?;
    for image in inputs {
        let image = image?;
        let report = run(&model, &image, args.arithmetic);
        results.add(report.map_err(|failure| failure.with(&image.name))?)?;
    }
    Ok(())
}

/// The clear result for one image.
pub(crate) fn run(model: &Model, image: &Image, arithmetic: Arithmetic) -> Outcome<Report> {
    let begin = Instant::now();
    let public = &model.public;
    let views: Vec<_> = (0..public.preprocessing.views())
        .map(|view| public.prepare(&image.picture, view))
        .collect();
    let preprocess_s = seconds(begin.elapsed());
    let online = Instant::now();
    let mut counts = None;
    let (outputs, bits) = match arithmetic {
        Arithmetic::Float => {
            let logits = views.iter().map(|view| model.run_float(view.values()));
            let logits: Vec<_> = logits.collect::<Result<_, _>>().map_err(Failure::run)?;
            (Finding::of_floats(public, &logits), None)
        }
        Arithmetic::Fixed => {
            let mut raw = Vec::with_capacity(views.len());
            let (mut wrapped, mut clipped) = (0, 0);
            for view in &views {
                let counted = run_integer_counting(&public.graph, &model.weights, view.fixed());
                let (integers, counts) = counted.map_err(Failure::run)?;
                raw.push(integers);
                wrapped += counts.wrapped;
                clipped += counts.clipped;
            }
            counts = Some((wrapped, clipped));
            (
                Finding::of_integers(public, &raw),
                Some(widths(&public.graph)),
            )
        }
    };
    let name = match arithmetic {
        Arithmetic::Float => "float",
        Arithmetic::Fixed => "fixed",
    };
    Ok(Report {
        extension: None,
        model: public.name.clone(),
        model_digest: hex(&public.digest()),
        server: None,
        arithmetic: Some(name.into()),
        mode: None,
        ahead: None,
        bits,
        input: image.name.clone(),
        input_sha256: image.sha256.clone(),
        outputs,
        notes: image.notes.clone(),
        unlike: unlike(public, image),
        accepted: accepted(public),
        wrapped: counts.map(|(wrapped, _)| wrapped),
        clipped: counts.map(|(_, clipped)| clipped),
        exact: None,
        deviation: None,
        preparation: None,
        prepared_left: None,
        comm: None,
        time: Times {
            setup_s: 0.0,
            ahead_s: 0.0,
            preprocess_s,
            online_s: seconds(online.elapsed()),
            total_s: seconds(begin.elapsed()),
        },
        layers: Vec::new(),
    })
}
