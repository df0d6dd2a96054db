//! The commands, one file each.

pub(crate) mod clear;
mod demo;
mod import;
mod infer;
mod plan;
mod serve;

pub(crate) use clear::clear;
pub(crate) use demo::demo;
pub(crate) use import::import;
pub(crate) use infer::infer;
pub(crate) use plan::plan;
pub(crate) use serve::serve;
