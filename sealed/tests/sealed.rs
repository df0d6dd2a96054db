//! What is sealed opens as it was, for whom it was sealed, and nothing else opens.

use proptest::collection::vec;
use proptest::prelude::*;
use sealed::{Error, Key, OVERHEAD, is_sealed, open, open_in_place, seal, seal_in_place};

const PURPOSE: &str = "a test";

fn key(byte: u8) -> Key {
    Key::new([byte; 32])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn what_is_sealed_opens(
        bytes: [u8; 32], purpose: String, context in vec(any::<u8>(), 0..100), salt: [u8; 32], plain in vec(any::<u8>(), 0..5000),
    ) {
        let sealed = seal(&Key::new(bytes), &purpose, &context, salt, &plain);
        prop_assert!(is_sealed(&sealed));
        prop_assert_eq!(sealed.len(), plain.len() + OVERHEAD);
        let opened = open(&Key::new(bytes), &purpose, &context, &sealed);
        prop_assert_eq!(opened.map(|opened| opened.to_vec()), Ok(plain));
    }

    /// The same objects and the same contents, in the memory that there was.
    #[test]
    fn in_place_it_is_the_same(
        context in vec(any::<u8>(), 0..100), salt: [u8; 32], plain in vec(any::<u8>(), 0..5000), room in 0..2 * OVERHEAD,
    ) {
        let expected = seal(&key(1), PURPOSE, &context, salt, &plain);
        let mut memory = Vec::with_capacity(plain.len() + room);
        memory.extend_from_slice(&plain);
        let at = memory.as_ptr();
        let sealed = seal_in_place(&key(1), PURPOSE, &context, salt, memory);
        prop_assert_eq!(&sealed, &expected);
        prop_assert!(room < OVERHEAD || sealed.as_ptr() == at);
        let at = sealed.as_ptr();
        let opened = open_in_place(&key(1), PURPOSE, &context, sealed).expect("it opens");
        prop_assert_eq!((opened.as_ptr(), opened.to_vec()), (at, plain));
        let mut changed = expected;
        *changed.last_mut().expect("a tag") ^= 1;
        let found = open_in_place(&key(1), PURPOSE, &context, changed);
        prop_assert_eq!(found.expect_err("it was changed"), Error::Changed);
    }

    #[test]
    fn bytes_of_strangers_are_refused(bytes in vec(any::<u8>(), 0..300), magic: bool) {
        let bytes = if magic { [b"BRSEALED\x01\0\0\0", bytes.as_slice()].concat() } else { bytes };
        prop_assert!(open(&key(1), PURPOSE, b"", &bytes).is_err());
        prop_assert!(open_in_place(&key(1), PURPOSE, b"", bytes).is_err());
    }
}

#[test]
fn every_changed_bit_is_found() {
    let sealed = seal(&key(1), PURPOSE, b"context", [9; 32], b"forty-two");
    for at in 0..sealed.len() * 8 {
        let mut changed = sealed.clone();
        changed[at / 8] ^= 1 << (at % 8);
        let expected = match at / 8 {
            0..8 => Error::NotSealed,
            8..12 => Error::Version {
                found: 1 ^ (1 << (at - 64)),
            },
            // A commitment is to the salt as well.
            12..76 => Error::WrongKey,
            76..84 => Error::Length {
                said: (9 ^ (1 << (at - 76 * 8))) + OVERHEAD as u64,
                found: sealed.len() as u64,
            },
            _ => Error::Changed,
        };
        assert_eq!(
            open(&key(1), PURPOSE, b"context", &changed),
            Err(expected),
            "bit {at}"
        );
    }
}

#[test]
fn what_is_cut_off_or_longer_is_found() {
    let sealed = seal(&key(1), PURPOSE, b"", [9; 32], b"forty-two");
    for length in 0..sealed.len() {
        let found = open(&key(1), PURPOSE, b"", &sealed[..length]).expect_err("it is cut off");
        let expected = match length {
            0..8 => matches!(found, Error::NotSealed),
            _ => matches!(found, Error::Length { found, .. } if found == length as u64),
        };
        assert!(expected, "{length}: {found}");
    }
    let longer = [sealed.as_slice(), b"!"].concat();
    assert!(matches!(
        open(&key(1), PURPOSE, b"", &longer),
        Err(Error::Length { .. })
    ));
    // One that says that it has more than memory.
    let mut vast = sealed;
    vast[76..84].copy_from_slice(&u64::MAX.to_le_bytes());
    assert!(matches!(
        open(&key(1), PURPOSE, b"", &vast),
        Err(Error::Length { said: u64::MAX, .. })
    ));
}

#[test]
fn others_do_not_open_it() {
    let sealed = seal(&key(1), PURPOSE, b"context", [9; 32], b"forty-two");
    assert_eq!(
        open(&key(2), PURPOSE, b"context", &sealed),
        Err(Error::WrongKey)
    );
    assert_eq!(
        open(&key(1), "another", b"context", &sealed),
        Err(Error::WrongKey)
    );
    for context in [&b""[..], b"contex", b"context!", b"another"] {
        assert_eq!(
            open(&key(1), PURPOSE, context, &sealed),
            Err(Error::Changed)
        );
    }
}

/// Neither the key, nor the purpose, nor the salt may leave key streams as they are.
#[test]
fn each_object_has_a_key_of_its_own() {
    let plain = [0; 64];
    let sealed = [
        seal(&key(1), PURPOSE, b"", [9; 32], &plain),
        seal(&key(2), PURPOSE, b"", [9; 32], &plain),
        seal(&key(1), "another", b"", [9; 32], &plain),
        seal(&key(1), PURPOSE, b"", [8; 32], &plain),
    ];
    for (i, one) in sealed.iter().enumerate() {
        for other in &sealed[..i] {
            let body = OVERHEAD - 16;
            assert_ne!(one[body..body + 16], other[body..body + 16]);
        }
    }
}

/// What is on disks must open tomorrow: the digest of an object, and what it is made of.
#[test]
fn the_format_stays() {
    let sealed = seal(&key(1), PURPOSE, b"context", [9; 32], b"forty-two");
    assert!(sealed.starts_with(b"BRSEALED\x01\0\0\0"));
    assert_eq!(sealed[12..44], [9; 32]);
    assert_eq!(sealed[76..84], 9_u64.to_le_bytes());
    let digest = blake3::hash(&sealed).to_hex();
    assert_eq!(
        digest.as_str(),
        "a1782890f427db3d1a21dfd8f113b282c1a7491b9a002c79c032806c50736b57"
    );
}

#[test]
fn keys_are_read_as_they_are_written() {
    let (one, text) = (key(0xde), key(0xde).to_text());
    assert_eq!(text.len(), 44);
    let unpadded = text.trim_end_matches('=');
    for text in [
        text.to_string(),
        format!(" {}\r\n", text.as_str()),
        unpadded.to_owned(),
    ] {
        let read = Key::from_text(text.as_bytes()).expect("a key");
        assert_eq!(*read.to_text(), *one.to_text());
    }
    let shorter = &text[4..];
    let longer = format!("AAAA{}", text.as_str());
    let not_canonical = format!("{}=", &text[..42]) + "/";
    for text in [
        "",
        "=",
        shorter,
        &longer,
        &not_canonical,
        "not base64 but forty-four characters long!!!",
    ] {
        assert_eq!(
            Key::from_text(text.as_bytes()).err(),
            Some(Error::NoKey),
            "{text}"
        );
    }
    assert_eq!(Key::from_text(&[0xff; 44]).err(), Some(Error::NoKey));
    assert_eq!(
        Key::from_text(&vec![b'A'; 1 << 20]).err(),
        Some(Error::NoKey)
    );
}

#[test]
fn a_key_is_not_shown() {
    assert_eq!(format!("{:?}", key(1)), "Key");
}
