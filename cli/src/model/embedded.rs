//! The network and the X-rays that are part of the program; `assets/NOTICE.md` says what they are and where they are from.

use nets::Model;

use crate::failure::{Failure, Outcome};

/// The name of the embedded chest X-ray network.
pub(crate) const EMBEDDED: &str = "chestnet";

const CHESTNET: &[u8] = include_bytes!("../../assets/chestnet.bray");

/// Embedded test X-rays with their published labels.
pub(crate) const XRAYS: [(&str, &[u8]); 3] = [
    (
        "NORMAL2-IM-0361-0001.jpeg",
        include_bytes!("../../assets/xrays/NORMAL2-IM-0361-0001.jpeg"),
    ),
    (
        "person142_bacteria_684.jpeg",
        include_bytes!("../../assets/xrays/person142_bacteria_684.jpeg"),
    ),
    (
        "person28_virus_63.jpeg",
        include_bytes!("../../assets/xrays/person28_virus_63.jpeg"),
    ),
];

/// The embedded network.
pub(crate) fn embedded() -> Outcome<Model> {
    Model::from_bytes(CHESTNET).map_err(Failure::run)
}
