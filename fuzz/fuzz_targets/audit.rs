//! Audit logs as they are read again: nothing panics, and of what is found whole, numbers follow each other to the end.
#![no_main]

use libfuzzer_sys::fuzz_target;
use service::Chain;

fuzz_target!(|bytes: &[u8]| {
    let (mut numbers, mut read) = (Vec::new(), 0);
    let mut chain = Chain::new();
    let whole = chain.read(bytes, &mut |link, line| {
        numbers.push(link.number);
        read += line.len();
    });
    assert!(whole.is_err() || read == bytes.len());
    assert!(numbers.is_sorted_by(|one, next| one.checked_add(1) == Some(*next)));
    assert_eq!(chain.first(), numbers.first().copied());
    assert_eq!(
        chain.last().map(|last| last.number),
        numbers.last().copied()
    );
});
