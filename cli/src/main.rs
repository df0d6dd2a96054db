//! `blindray`: two-party secure neural-network inference.

use mimalloc::MiMalloc;
use zeroizing_alloc::ZeroAlloc;

/// Every block is zeroed when it is freed: shares, weights and images of whatever library held them.
#[global_allocator]
static ALLOCATOR: ZeroAlloc<MiMalloc> = ZeroAlloc(MiMalloc);

fn main() -> std::process::ExitCode {
    cli::run()
}
