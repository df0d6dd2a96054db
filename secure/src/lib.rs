#![doc = include_str!("../README.md")]

mod ahead;
mod algorithms;
mod choose;
mod compute;
mod cryptflow2;
mod cut;
mod draft;
mod error;
mod executor;
mod extension;
mod limits;
mod local;
mod noise;
#[cfg(test)]
mod noisy_tests;
mod parties;
mod price;
mod quotients;
mod report;
mod run;
mod savings;
mod spread;
mod step;
mod stock;
mod timetable;
mod weights;
mod windows;

#[doc = include_str!("../docs/prices.md")]
pub mod prices {}

pub use ahead::{Ahead, AheadReport};
pub use algorithms::algorithms;
pub use choose::{Algorithms, Candidate, LayerChoice, choose_algorithms};
pub use cryptflow2::CrypTFlow2;
pub use error::Error;
pub use executor::SecureNetwork;
pub use extension::{ExtensionChoice, fastest_extension};
pub use limits::Limits;
pub use price::{CpuModel, NetworkSpeed, Objective};
pub use report::{LayerPlan, LayerReport, Mode, Progress, RunReport};
pub use savings::{Saving, savings};
pub use step::{AGREEMENT, CHUNK};
pub use stock::{MOST_STOCK, STOCK_ROOM, Stock};
pub use weights::ServerWeights;
