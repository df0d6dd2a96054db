//! The commands, one file each.

mod bench;
pub(crate) mod clear;
mod demo;
mod identity;
mod import;
mod infer;
mod judged;
mod plan;
mod serve;

pub(crate) use bench::bench;
pub(crate) use clear::clear;
pub(crate) use demo::demo;
pub(crate) use identity::{IdentityCommand, identity};
pub(crate) use import::import;
pub(crate) use infer::infer;
pub(crate) use plan::plan;
pub(crate) use serve::serve;
