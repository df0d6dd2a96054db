//! What there is to check of this machine.

use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use identity::{Error, Identity, KnownPeers};

use super::Check;
use crate::args::DoctorArgs;
use crate::cost::machine::{self, Machine};
use crate::entropy;
use crate::host::{self, Host, Load};
use crate::identity::{known_file, own_file};
use crate::page::Origin;
use crate::text::{bytes, counted, utc};

/// Less memory than this is little: large networks keep some hundred MB.
const LITTLE_MEMORY: u64 = 1 << 30;
/// A certificate that ends within this time is worth a word.
const SOON: Duration = Duration::from_secs(30 * 86_400);

/// All of it, the cheapest first.
pub(super) fn checks(args: &DoctorArgs) -> Vec<Check> {
    let mut checks = vec![program(), processor(), memory(), randomness(), clock()];
    checks.extend(folder());
    checks.extend(key(args));
    checks.push(known());
    checks.push(calibration());
    checks.push(load());
    checks
}

fn program() -> Check {
    let origin = Origin::here();
    let constants = &origin.constants[..16];
    Check::ok(
        "program",
        format!(
            "blindray {}, wire version {}, protocol constants {constants}…",
            origin.version, origin.wire_version
        ),
    )
}

/// Instructions that the code has versions for, and whether they are here.
fn instructions() -> Vec<(&'static str, bool)> {
    #[cfg(target_arch = "x86_64")]
    return vec![
        ("AES", is_x86_feature_detected!("aes")),
        ("AVX2", is_x86_feature_detected!("avx2")),
        (
            "AVX-512",
            is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512dq"),
        ),
    ];
    #[cfg(target_arch = "aarch64")]
    return vec![("AES", std::arch::is_aarch64_feature_detected!("aes"))];
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    Vec::new()
}

fn processor() -> Check {
    let host = Host::here();
    let all = instructions();
    let names = |there: bool| {
        let names = all
            .iter()
            .filter(|(_, here)| *here == there)
            .map(|(name, _)| *name);
        names.collect::<Vec<_>>().join(", ")
    };
    let cpu = host.cpu.as_deref().unwrap_or("unknown");
    let found = format!(
        "{cpu}, {}, with {}",
        counted(host.cores, "core"),
        names(true)
    );
    // AVX-512 is a little more, and many have none.
    match all.iter().any(|(name, here)| !here && *name != "AVX-512") {
        false => Check::ok("processor", found),
        true => Check::warning(
            "processor",
            format!("{found}; without {}", names(false)),
            "everything works, several times slower; in a virtual machine, have it show the processor of its host",
        ),
    }
}

fn memory() -> Check {
    let limit = std::fs::read_to_string("/sys/fs/cgroup/memory.max").ok();
    let limit = limit.and_then(|text| text.trim().parse::<u64>().ok());
    let (all, free) = (host::memory("MemTotal"), host::memory("MemAvailable"));
    let Some(all) = all.map(|all| limit.map_or(all, |limit| limit.min(all))) else {
        return Check::ok("memory", "the system does not tell how much there is");
    };
    let free = free.unwrap_or(all).min(all);
    let found = format!("{} of {} available", bytes(free), bytes(all));
    match free < LITTLE_MEMORY {
        false => Check::ok("memory", found),
        true => Check::warning(
            "memory",
            found,
            "large networks may fail: end other programs, or raise the limit of the container",
        ),
    }
}

fn randomness() -> Check {
    match entropy::bytes::<32>() {
        Ok(_) => Check::ok("randomness", "the operating system gives some"),
        Err(failure) => Check::fault(
            "randomness",
            failure.to_string(),
            "nothing can be secret without it: see to /dev/urandom and getrandom",
        ),
    }
}

/// A clock that shows a time before this program was made is wrong.
fn clock() -> Check {
    let now = SystemTime::now();
    let made = std::env::current_exe().and_then(|file| file.metadata()?.modified());
    let found = utc(now);
    match made {
        Ok(made) if made > now + Duration::from_secs(86_400) => Check::fault(
            "clock",
            format!(
                "{found}, which is before this program was made ({})",
                utc(made)
            ),
            "set the clock: certificates and expiries go by it",
        ),
        _ => Check::ok("clock", found),
    }
}

/// The folder for settings: whoever can write there can put a server in place of another.
fn folder() -> Option<Check> {
    let file = machine::own_file();
    let Some(folder) = file.as_deref().and_then(Path::parent) else {
        return Some(Check::warning(
            "folder",
            "there is no folder for settings: neither XDG_CONFIG_HOME nor HOME is set",
            "give --identity FILE to every command",
        ));
    };
    let shown = folder.display();
    if !folder.exists() {
        return Some(Check::ok("folder", format!("{shown} is made at first use")));
    }
    match writable_by_others(folder) {
        Some(mode) => Some(Check::fault(
            "folder",
            format!("{shown} can be changed by others (mode {mode:04o})"),
            format!("chmod go-w {shown}"),
        )),
        None => Some(Check::ok("folder", shown.to_string())),
    }
}

#[cfg(unix)]
fn writable_by_others(path: &Path) -> Option<u32> {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = path.metadata().ok()?.permissions().mode() & 0o7777;
    (mode & 0o022 != 0).then_some(mode)
}

#[cfg(not(unix))]
fn writable_by_others(_: &Path) -> Option<u32> {
    None
}

fn key(args: &DoctorArgs) -> Vec<Check> {
    let path = match (&args.key.identity, own_file()) {
        (Some(path), _) => path.clone(),
        (None, Ok(path)) => path,
        (None, Err(_)) => return Vec::new(),
    };
    let shown = path.display();
    let own = match Identity::open(&path) {
        Ok(own) => own,
        Err(Error::File { cause, .. })
            if cause.kind() == std::io::ErrorKind::NotFound && args.key.identity.is_none() =>
        {
            return vec![Check::ok(
                "key",
                "none yet: it is made at first use, or by `blindray identity new`",
            )];
        }
        Err(error @ Error::Exposed { .. }) => {
            let advice = format!(
                "chmod 600 {shown}; if others may have read it, make a new key: move it away, and `blindray identity new`"
            );
            return vec![Check::fault("key", error.to_string(), advice)];
        }
        Err(error) => {
            let advice = "`blindray identity new --out FILE` makes another one, whose fingerprint peers must be told";
            return vec![Check::fault("key", error.to_string(), advice)];
        }
    };
    vec![
        Check::ok("key", format!("{} in {shown}", own.fingerprint())),
        certificate(&own),
    ]
}

fn certificate(own: &Identity) -> Check {
    let now = SystemTime::now();
    let anew = "`blindray identity new --out FILE` makes another one, whose fingerprint peers must be told; one from an authority is renewed there";
    match (own.valid_at(now), own.valid_at(now + SOON)) {
        (Err(Error::Expired { since }), _) => {
            let since = since.map_or_else(String::new, |since| format!(" at {since}"));
            let what = format!("it has expired{since}, by this clock");
            Check::fault("certificate", what, anew)
        }
        (Err(Error::NotYetValid { .. }), _) => Check::fault(
            "certificate",
            "it is not valid yet, by this clock",
            "set the clock, or wait",
        ),
        _ if now < UNIX_EPOCH => Check::fault(
            "certificate",
            "whether it is valid cannot be said, by this clock",
            "set the clock",
        ),
        (Err(error), _) => Check::fault("certificate", error.to_string(), anew),
        (Ok(()), Err(_)) => Check::warning("certificate", "it ends within 30 days", anew),
        (Ok(()), Ok(())) => Check::ok("certificate", "valid, and for the next 30 days"),
    }
}

fn known() -> Check {
    let Ok(path) = known_file() else {
        return Check::ok("servers", "none is known");
    };
    match KnownPeers::open(&path) {
        Ok(_) if !path.exists() => Check::ok("servers", "none is known yet"),
        Ok(_) => match writable_by_others(&path) {
            None => Check::ok("servers", format!("those in {} are known", path.display())),
            Some(mode) => Check::fault(
                "servers",
                format!(
                    "{} can be changed by others (mode {mode:04o})",
                    path.display()
                ),
                format!(
                    "look whether its keys are right, and chmod go-w {}",
                    path.display()
                ),
            ),
        },
        Err(error) => Check::fault(
            "servers",
            error.to_string(),
            "correct that line, or take it out",
        ),
    }
}

fn calibration() -> Check {
    let own = machine::own_file().filter(|path| path.exists());
    match (Machine::find(None), own) {
        (Err(failure), _) => Check::fault(
            "speed",
            failure.to_string(),
            "measure again: blindray bench --calibrate",
        ),
        (Ok(_), Some(path)) => {
            Check::ok("speed", format!("`plan` estimates by {}", path.display()))
        }
        (Ok(_), None) => Check::ok(
            "speed",
            "not measured: `blindray bench --calibrate` makes `plan` estimate seconds for this machine",
        ),
    }
}

fn load() -> Check {
    let load = Load::now();
    let warnings = load.warnings();
    let average = load.average.map_or_else(
        || "unknown".to_owned(),
        |load| format!("{load:.1}, on average of a minute"),
    );
    match warnings.is_empty() {
        true => Check::ok("load", average),
        false => Check::warning(
            "load",
            warnings.join("; "),
            "times will be longer than those of `plan`",
        ),
    }
}
