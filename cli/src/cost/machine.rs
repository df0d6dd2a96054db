//! How fast this machine is: what `bench --calibrate` measures and `plan` reads.

use std::path::{Path, PathBuf};

use secure::CpuModel;
use serde::{Deserialize, Serialize};

use crate::failure::{Failure, Outcome};
use crate::file::{self, Outputs};

/// Version of the file format.
const VERSION: u32 = 4;
/// Largest file that is read; a machine file has a few lines.
const MAX_BYTES: u64 = 1 << 16;

/// CPU seconds that a unit of each kind of work takes, both parties together.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Machine {
    version: u32,
    pub(crate) constants: CpuModel,
}

impl Machine {
    pub(crate) const fn new(constants: CpuModel) -> Self {
        Self {
            version: VERSION,
            constants,
        }
    }

    /// The constants of the file given, else of this machine's own file if there is one, else of the machine of BENCHMARKS.md.
    pub(crate) fn find(given: Option<&Path>) -> Outcome<CpuModel> {
        match given {
            Some(path) => Self::load(path),
            None => match own_file().filter(|path| path.exists()) {
                Some(path) => Self::load(&path),
                None => Ok(CpuModel::default()),
            },
        }
    }

    fn load(path: &Path) -> Outcome<CpuModel> {
        let bad = |cause: String| {
            let name = path.display();
            Failure::input(format!(
                "{name}: {cause}; `blindray bench --calibrate` writes such a file"
            ))
        };
        let text = file::read(path, MAX_BYTES).map_err(|e| bad(e.to_string()))?;
        let machine: Self = serde_json::from_slice(&text).map_err(|e| bad(e.to_string()))?;
        if machine.version != VERSION {
            return Err(bad(format!("version {} is not {VERSION}", machine.version)));
        }
        if !machine.constants.is_sound() {
            return Err(bad("its constants are not all seconds".into()));
        }
        Ok(machine.constants)
    }

    /// Where to write constants: the file given, else this machine's own, whose folder is made where there is none.
    pub(crate) fn place(given: Option<&Path>) -> Outcome<Outputs> {
        let path = match given {
            Some(path) => path.to_owned(),
            None => {
                let own = own_file().ok_or_else(|| {
                    Failure::input("neither XDG_CONFIG_HOME nor HOME is an absolute path: say where with --out FILE")
                })?;
                if let Some(folder) = own.parent() {
                    std::fs::create_dir_all(folder).map_err(|e| {
                        Failure::input(format!("cannot make {}: {e}", folder.display()))
                    })?;
                }
                own
            }
        };
        Outputs::find(&[("--out", &path)], &[])
    }

    pub(crate) fn save(&self, place: &Outputs) -> Outcome<()> {
        let text = serde_json::to_string_pretty(self).map_err(Failure::run)?;
        place.write(&[(text + "\n").as_bytes()])
    }
}

/// `blindray/machine.json` in the user's folder for settings, by the XDG rules.
pub(crate) fn own_file() -> Option<PathBuf> {
    let folder = |name| {
        let path = PathBuf::from(std::env::var_os(name)?);
        path.is_absolute().then_some(path)
    };
    let settings = folder("XDG_CONFIG_HOME");
    let settings = settings.or_else(|| Some(folder("HOME")?.join(".config")))?;
    Some(settings.join("blindray/machine.json"))
}
