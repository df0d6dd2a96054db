//! `blindray plan`.

use nets::Model;
use secure::{Algorithms, choose_algorithms};
use sharing::default_extension;

use crate::args::PlanArgs;
use crate::cost::ablation::{Ablation, Settings};
use crate::cost::estimate::{self, Estimate, Speed};
use crate::failure::{Failure, Outcome};
use crate::model;
use crate::ui::Ui;

/// Rows and columns of a backbone's input, unless said otherwise.
const SIZE: u32 = 224;

/// Prints what one image would cost, before anything runs.
pub(crate) fn plan(args: &PlanArgs, ui: Ui) -> Outcome<()> {
    let speed = args.speed.speed()?;
    if args.ablation {
        return ablation(args, &speed, ui);
    }
    let estimate = estimate(args, &speed, ui)?;
    if ui.is_json() {
        return ui.json_line(&estimate);
    }
    ui.text(&estimate.table())
}

/// Prints the table of levers, and draws it where asked.
fn ablation(args: &PlanArgs, speed: &Speed, ui: Ui) -> Outcome<()> {
    let settings = Settings {
        size: args.size.unwrap_or(Settings::SIZE),
        classes: args.classes,
        widths: args.widths(),
    };
    let table = Ablation::new(settings, speed.constants.clone(), ui)?;
    if let Some(path) = &args.svg {
        table.draw(path)?;
    }
    if ui.is_json() {
        return ui.json_line(&table);
    }
    ui.text(&table.text())
}

fn estimate(args: &PlanArgs, speed: &Speed, ui: Ui) -> Outcome<Estimate> {
    // The parser asks for one unless --ablation is there.
    let name = args.model.as_deref().unwrap_or_default();
    if model::is_backbone(name) {
        of_backbone(name, args, speed, ui)
    } else {
        of_file(name, args, speed)
    }
}

fn of_file(name: &str, args: &PlanArgs, speed: &Speed) -> Outcome<Estimate> {
    refuse_backbone_options(args, name)?;
    let model = model::from_file(name)?;
    match args.preset.system() {
        (preset, Some(settings)) => {
            let (name, views) = (
                model.public.name.clone(),
                model.public.preprocessing.views(),
            );
            estimate::of_history(name, &model.float, views, preset, settings, speed)
        }
        (_, None) => ours(&model, model.float.parameters(), args, speed),
    }
}

fn of_backbone(name: &str, args: &PlanArgs, speed: &Speed, ui: Ui) -> Outcome<Estimate> {
    let (size, classes) = (args.size.unwrap_or(SIZE), args.classes);
    let groups = args.xop_pointwise.map(|groups| groups as usize);
    if groups.is_some() && !name.ends_with("-x") {
        return Err(Failure::input(format!(
            "--xop-pointwise needs a backbone with X-operators: {name}-x"
        )));
    }
    let source =
        model::seeded(name, size as usize, classes as usize, groups).map_err(|e| match e {
            backbones::Error::Nets(nets::Error::Shape { .. }) => {
                Failure::input(format!("{e}: take a larger --size"))
            }
            e => Failure::input(e),
        })?;
    if let (preset, Some(settings)) = args.preset.system() {
        let (name, views) = (name.to_owned(), source.preprocessing.views());
        return estimate::of_history(name, &source.float, views, preset, settings, speed);
    }
    ui.note(&format!(
        "{name} gets random weights, and widths from noise"
    ));
    let parameters = source.float.parameters();
    let model = model::quantised(source, args.widths())?;
    ours(&model, parameters, args, speed)
}

fn refuse_backbone_options(args: &PlanArgs, name: &str) -> Outcome<()> {
    let given = [
        ("--size", args.size.is_some()),
        ("--xop-pointwise", args.xop_pointwise.is_some()),
        ("--weight-bits", args.weight_bits.is_some()),
        ("--activation-bits", args.activation_bits.is_some()),
    ];
    match given.iter().find(|(_, given)| *given) {
        Some((option, _)) => Err(Failure::input(format!(
            "{option} is for backbones with random weights; {name} has its own: leave it out, or import the network anew"
        ))),
        None => Ok(()),
    }
}

/// The algorithms as the model has them, or chosen anew.
fn ours(model: &Model, parameters: u64, args: &PlanArgs, speed: &Speed) -> Outcome<Estimate> {
    let Some(objective) = args.objective else {
        return estimate::of_model(model, args.mode.into(), parameters, speed);
    };
    let price = default_extension().price();
    let algorithms = Algorithms::Auto(objective.on(speed.wire.network));
    let (model, choices) =
        choose_algorithms(model, &algorithms, price, &speed.constants).map_err(Failure::input)?;
    let why = choices.into_iter().map(|c| (c.node, c.why)).collect();
    estimate::with_reasons(&model, args.mode.into(), parameters, &why, speed)
}
