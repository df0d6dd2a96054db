//! Sealed objects: nothing that strangers make opens, nothing panics, and what is sealed opens.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sealed::{Key, OVERHEAD, open, seal};

fuzz_target!(|bytes: &[u8]| {
    drop(Key::from_text(bytes));
    // The seeds are sealed with another key.
    let key = Key::new([0; 32]);
    assert!(open(&key, "fuzz", b"", bytes).is_err());
    let sealed = seal(&key, "fuzz", b"", [0; 32], bytes);
    assert_eq!(sealed.len(), bytes.len() + OVERHEAD);
    let opened = open(&key, "fuzz", b"", &sealed).expect("it was just sealed");
    assert_eq!(opened.as_slice(), bytes);
});
