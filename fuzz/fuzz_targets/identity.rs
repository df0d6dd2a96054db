//! The files of identities: lists of clients and of known servers, fingerprints, and certificates in PEM. What is read of a
//! list is what its lines say.
#![no_main]

use std::path::Path;

use identity::{Authority, ClientList, Fingerprint, KnownPeers};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let path = Path::new("list");
    if let Ok(print) = text.parse::<Fingerprint>() {
        assert_eq!(print.to_string(), text);
    }
    if let Ok(list) = ClientList::parse(path, text) {
        let mut named = 0;
        for line in text.lines() {
            let key = line.split_whitespace().next();
            let key = key.and_then(|key| key.parse::<Fingerprint>().ok());
            named += usize::from(key.is_some_and(|key| list.name(&key).is_some()));
        }
        assert_eq!(named, list.len());
    }
    if let Ok(peers) = KnownPeers::parse(path, text) {
        for line in text.lines().filter(|line| !line.trim().starts_with('#')) {
            if let Some(address) = line.split_whitespace().next() {
                assert!(peers.find(address).is_some());
            }
        }
    }
    drop(Authority::parse(path, text));
});
