//! A transcript baseline: seeded parties say the same bytes in every run.
//!
//! `cargo run --release -p blindray-testkit --example baseline`

#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use channel::Role;
use ring_arith::Bits;
use sharing::{Open, Session};
use testkit::{Transcript, elements, rng, run_sessions_over, share};

fn main() {
    let bits = Bits::of(20);
    let mut rng = rng(1);
    let x = elements(1000, bits, &mut rng);
    let (at_server, at_client) = share(&x, bits, &mut rng);

    let open = |s: &mut Session, share: &[u64]| {
        s.run(async |party| Open { bits }.run(party, share).await)
            .expect("open")
    };
    let transcript = Transcript::new();
    let (opened, _, cost) = run_sessions_over(
        &transcript.line(),
        7,
        |s| open(s, &at_server),
        |s| open(s, &at_client),
    );
    assert_eq!(opened, x);
    println!("{} bytes in {} flight", cost.bytes(), cost.flights());
    println!("server said {}", transcript.digest(Role::Server));
    println!("client said {}", transcript.digest(Role::Client));
}
