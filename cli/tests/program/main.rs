//! The program as its users meet it: processes, files, exit codes and what is printed.

mod accuracy;
mod ahead;
mod bad_input;
mod dicom;
mod end_to_end;
#[cfg(unix)]
mod faults;
#[cfg(unix)]
mod files;
mod first;
mod hostile_peer;
#[cfg(unix)]
mod identities;
#[cfg(unix)]
mod interrupts;
mod judged;
#[cfg(unix)]
mod limits;
mod many_images;
mod middle_boxes;
mod models;
mod plan;
mod support;
mod terminal;
