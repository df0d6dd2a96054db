//! `blindray plan`.

use std::path::Path;

use nets::Model;
use secure::Algorithms;

use crate::args::{PlanArgs, PlanPreset, Preset};
use crate::cost::ablation::{Ablation, Settings};
use crate::cost::estimate::{self, Estimate, Speed};
use crate::cost::{options, savings};
use crate::csv;
use crate::failure::{Failure, Outcome};
use crate::file::{Named, Outputs};
use crate::model::{self, CLASSES, SIZE};
use crate::page;
use crate::settings::System;
use crate::ui::Ui;

/// Prints what one image would cost, before anything runs.
pub(crate) fn plan(args: &PlanArgs, ui: Ui) -> Outcome<()> {
    let speed = args.speed.speed()?;
    if args.ablation {
        return ablation(args, &speed, ui);
    }
    let place = page::Place::find(args.report.as_deref(), &inputs(args))?;
    let estimate = estimate(args, &speed, ui)?;
    if let Some(place) = place {
        place.write(&page::of_estimate(&estimate), ui)?;
    }
    if args.csv {
        ui.csv(&csv::LAYERS)?;
        return (estimate.layers.iter()).try_for_each(|layer| ui.csv(&csv::layer(layer)));
    }
    if ui.is_json() {
        return ui.json_line(&estimate);
    }
    ui.text(&estimate.table())
}

/// What it reads, and must not overwrite.
fn inputs(args: &PlanArgs) -> Vec<Named<'_>> {
    let constants = args.speed.constants.as_deref();
    let constants = constants.map(|file| ("--constants", file));
    let model = args
        .model
        .as_deref()
        .map(|file| ("--model", Path::new(file)));
    constants.into_iter().chain(model).collect()
}

/// Prints the table of levers, and draws it where asked.
fn ablation(args: &PlanArgs, speed: &Speed, ui: Ui) -> Outcome<()> {
    let place = match &args.svg {
        Some(svg) => Some(Outputs::find(&[("--svg", svg)], &inputs(args))?),
        None => None,
    };
    let settings = Settings {
        size: args.backbone.size.unwrap_or(Settings::SIZE),
        classes: args.backbone.classes.unwrap_or(CLASSES),
        widths: args.widths(),
    };
    let table = Ablation::new(settings, speed.constants.clone(), ui)?;
    if let Some(place) = &place {
        table.draw(place)?;
    }
    if ui.is_json() {
        return ui.json_line(&table);
    }
    ui.text(&table.text())
}

fn estimate(args: &PlanArgs, speed: &Speed, ui: Ui) -> Outcome<Estimate> {
    if let (true, System::Earlier(preset, _)) = (args.ahead, args.system()) {
        return Err(Failure::input(format!(
            "--preset {preset} has no phase ahead: leave out --ahead"
        )));
    }
    // The parser asks for one unless --ablation is there.
    let name = args.model.as_deref().unwrap_or_default();
    if model::is_backbone(name) {
        of_backbone(name, args, speed, ui)
    } else {
        of_file(name, args, speed)
    }
}

fn of_file(name: &str, args: &PlanArgs, speed: &Speed) -> Outcome<Estimate> {
    let model = model::from_file(name, &args.seal)?;
    let given = [
        ("--size", args.backbone.size.is_some()),
        ("--classes", args.backbone.classes.is_some()),
        ("--xop-pointwise", args.xop_pointwise.is_some()),
        ("--weight-bits", args.weight_bits.is_some()),
        ("--activation-bits", args.activation_bits.is_some()),
    ];
    model::refuse_backbone_options(name, &given)?;
    match args.system() {
        System::Earlier(preset, settings) => {
            let (name, views) = (
                model.public.name.clone(),
                model.public.preprocessing.views(),
            );
            estimate::of_history(name, &model.float, views, preset, settings, speed)
        }
        System::Ours(preset, algorithms) => {
            let parameters = model.float.parameters();
            ours(&model, parameters, (preset, &algorithms), args, speed)
        }
    }
}

fn of_backbone(name: &str, args: &PlanArgs, speed: &Speed, ui: Ui) -> Outcome<Estimate> {
    model::refuse_key(name, &args.seal)?;
    let (size, classes) = (
        args.backbone.size.unwrap_or(SIZE),
        args.backbone.classes.unwrap_or(CLASSES),
    );
    let groups = args.xop_pointwise.map(|groups| groups as usize);
    if groups.is_some() && !name.ends_with("-x") {
        return Err(Failure::input(format!(
            "--xop-pointwise needs a backbone with X-operators: {name}-x"
        )));
    }
    let source = model::seeded(name, size as usize, classes as usize, groups);
    let source = source.map_err(|error| model::not_built(name, error))?;
    let (preset, algorithms) = match args.system() {
        System::Ours(preset, algorithms) => (preset, algorithms),
        System::Earlier(preset, settings) => {
            let (name, views) = (name.to_owned(), source.preprocessing.views());
            return estimate::of_history(name, &source.float, views, preset, settings, speed);
        }
    };
    ui.note(&format!(
        "{name} gets random weights, and widths from noise"
    ));
    let parameters = source.float.parameters();
    let model = model::quantised(source, args.widths())?;
    ours(&model, parameters, (preset, &algorithms), args, speed)
}

/// With the algorithms as `serve` chooses them.
fn ours(
    model: &Model,
    parameters: u64,
    (preset, algorithms): (&'static str, &Algorithms),
    args: &PlanArgs,
    speed: &Speed,
) -> Outcome<Estimate> {
    let mode = args.mode.into();
    let chosen = model::choose(model, algorithms, mode, speed.extension, &speed.constants)?;
    let estimate = match args.ahead {
        false => estimate::of_choice(&chosen, mode, preset, parameters, speed)?,
        true => estimate::of_phases(&chosen, mode, preset, parameters, speed)?,
    };
    let savings = savings::of_choice(&chosen, algorithms, mode, speed)?;
    let planned = options::Planned {
        model,
        chosen: &chosen,
        algorithms,
        // Plans of earlier systems do not come here.
        preset: match args.preset {
            PlanPreset::Ot => Preset::Ot,
            PlanPreset::Auto | PlanPreset::Cryptflow2 | PlanPreset::Cryptflow22022 => Preset::Auto,
        },
        objective: args.objective,
        mode,
        speed,
    };
    let options = planned.alternatives(estimate.run_bytes)?;
    Ok(Estimate {
        options: Some(options),
        savings: Some(savings),
        ..estimate
    })
}
