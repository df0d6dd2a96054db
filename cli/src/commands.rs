//! The commands, one file each.

mod audit;
pub(crate) mod bench;
pub(crate) mod clear;
mod demo;
mod doctor;
mod identity;
mod import;
mod infer;
mod judged;
mod plan;
mod prepare;
mod ps;
mod seal;
mod serve;
mod shell;

pub(crate) use audit::{AuditCommand, audit};
pub(crate) use bench::bench;
pub(crate) use clear::clear;
pub(crate) use demo::demo;
pub(crate) use doctor::doctor;
pub(crate) use identity::{IdentityCommand, identity};
pub(crate) use import::import;
pub(crate) use infer::infer;
pub(crate) use plan::plan;
pub(crate) use prepare::prepare;
pub(crate) use ps::ps;
pub(crate) use seal::{SealCommand, seal};
pub(crate) use serve::serve;
pub(crate) use shell::{completions, man};
