//! The program as its users meet it: processes, files, exit codes and what is printed.

mod accuracy;
mod ahead;
#[cfg(unix)]
mod audit;
mod bad_input;
#[cfg(unix)]
mod cluster;
mod deploy;
mod dicom;
#[cfg(unix)]
mod doctor;
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
mod pages;
mod plan;
mod prepared;
#[cfg(unix)]
mod sealing;
#[cfg(unix)]
mod serving;
mod shell;
mod support;
mod terminal;
