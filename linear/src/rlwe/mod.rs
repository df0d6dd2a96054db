//! Linear layers by ring-LWE.

mod axis;
mod layout;
#[cfg(test)]
mod layout_tests;
mod plan;
#[cfg(test)]
mod plan_tests;
mod price;
