//! Finding the model a user names.

use std::path::Path;

use nets::Model;

use crate::failure::{Failure, Outcome};

/// The embedded chest X-ray network: what it is and where it is from stands in `assets/NOTICE.md`.
pub(crate) const EMBEDDED: &str = "chestnet";
const CHESTNET: &[u8] = include_bytes!("../assets/chestnet.bray");

/// Embedded test X-rays with their published labels.
pub(crate) const XRAYS: [(&str, &[u8]); 3] = [
    (
        "NORMAL2-IM-0322-0001.jpeg",
        include_bytes!("../assets/xrays/NORMAL2-IM-0322-0001.jpeg"),
    ),
    (
        "person99_bacteria_473.jpeg",
        include_bytes!("../assets/xrays/person99_bacteria_473.jpeg"),
    ),
    (
        "person8_virus_27.jpeg",
        include_bytes!("../assets/xrays/person8_virus_27.jpeg"),
    ),
];

/// Loads the model named on the command line: `chestnet`, or the path of a .bray file.
pub(crate) fn load(name: &str) -> Outcome<Model> {
    if name == EMBEDDED {
        return Model::from_bytes(CHESTNET).map_err(Failure::run);
    }
    Model::load(Path::new(name)).map_err(Failure::input)
}
