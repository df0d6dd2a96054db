//! The one place where randomness enters: the operating system's generator.

use getrandom::SysRng;
use rand_core::TryRng;

use crate::failure::{Failure, Outcome};

/// `N` fresh random bytes.
pub(crate) fn bytes<const N: usize>() -> Outcome<[u8; N]> {
    let mut out = [0; N];
    SysRng
        .try_fill_bytes(&mut out)
        .map_err(|e| Failure::run(format!("the operating system gave no randomness: {e}")))?;
    Ok(out)
}
