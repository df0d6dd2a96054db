//! Files that lie, end early, or ask for what is not supported: an error, never a panic.

use super::{EXPLICIT, File, IMPLICIT, JPEG, LOSSLESS, RLE, decode, lossless};
use crate::dicom::{elements, known};

/// Decodes without the guard against panics.
fn unguarded(bytes: &[u8]) -> Result<crate::Decoded, crate::DecodeError> {
    crate::dicom::unguarded(bytes, None)
}

/// Files of every form, small.
fn files() -> Vec<Vec<u8>> {
    let grey = |syntax| {
        let file = File::new(4, 2, "MONOCHROME2", 16).stored(12);
        file.words(&[0, 1, 2, 3, 4, 5, 6, 4095]).write(syntax)
    };
    let packed: Vec<u8> = [1_u32, 64].iter().flat_map(|w| w.to_le_bytes()).collect();
    let mut packed = packed;
    packed.resize(64, 0);
    packed.extend([253, 7]);
    let samples = [1, 2, 4000, 4, 5, 6, 7, 8];
    vec![
        grey(IMPLICIT),
        grey(EXPLICIT),
        File::new(2, 2, "RGB", 8).bytes(&[9; 12]).write(EXPLICIT),
        File::new(4, 1, "MONOCHROME1", 8)
            .fragments(&[&packed])
            .write(RLE),
        File::new(4, 2, "MONOCHROME2", 16)
            .stored(12)
            .fragments(&[&lossless(4, 2, 12, &samples)])
            .write(LOSSLESS),
    ]
}

#[test]
fn cut_off_anywhere() {
    for file in files() {
        assert!(unguarded(&file).is_ok());
        for end in 0..file.len() {
            assert!(decode(&file[..end]).is_err(), "{end} of {}", file.len());
        }
    }
}

#[test]
fn any_byte_changed() {
    for file in files() {
        for at in 132..file.len() {
            for value in [
                0,
                1,
                0x7F,
                0x80,
                0xFF,
                file[at] ^ 1,
                file[at].wrapping_add(1),
            ] {
                let mut damaged = file.clone();
                damaged[at] = value;
                // Whatever it says: the guard against panics is not needed.
                let _ = unguarded(&damaged);
            }
        }
    }
}

/// A file whose data set begins with `elements`.
fn beginning_with(elements: &[u8], syntax: &str) -> Vec<u8> {
    let whole = File::new(1, 1, "MONOCHROME2", 8)
        .bytes(&[1, 0])
        .write(syntax);
    let (_, start) = elements::meta(&whole).unwrap();
    [&whole[..start], elements, &whole[start..]].concat()
}

#[test]
fn claimed_lengths() {
    for (elements, syntax) in [
        (&b"\x08\0\x05\0CS\xFF\xFF"[..], EXPLICIT),
        (b"\x08\0\x05\0OB\0\0\xFE\xFF\xFF\xFF", EXPLICIT),
        (b"\x08\0\x05\0UN\0\0\xF0\xFF\xFF\x7F", EXPLICIT),
        (b"\x08\0\x05\0\xFE\xFF\xFF\xFF", IMPLICIT),
        (b"\x28\0\x10\0\xFE\xFF\xFF\xFF", IMPLICIT),
        (
            b"\x08\0\x12\x21SQ\0\0\xFF\xFF\xFF\xFF\xFE\xFF\x00\xE0\xFE\xFF\xFF\xFF",
            EXPLICIT,
        ),
    ] {
        let said = unguarded(&beginning_with(elements, syntax))
            .unwrap_err()
            .to_string();
        assert!(said.contains("cut off"), "{said}");
    }
    // Rows that are no number but a kilobyte of them.
    let long = [&b"\x28\0\x10\0US\xFE\xFF"[..], &[0; 0xFFFE]].concat();
    let said = unguarded(&beginning_with(&long, EXPLICIT))
        .unwrap_err()
        .to_string();
    assert!(said.contains("65534 bytes"), "{said}");
}

#[test]
fn sequences_within_each_other() {
    let open = b"\x08\0\x12\x21SQ\0\0\xFF\xFF\xFF\xFF\xFE\xFF\0\xE0\xFF\xFF\xFF\xFF";
    let close = b"\xFE\xFF\x0D\xE0\0\0\0\0\xFE\xFF\xDD\xE0\0\0\0\0";
    let nested = |depth| {
        let elements = [open.repeat(depth), close.repeat(depth)].concat();
        unguarded(&beginning_with(&elements, EXPLICIT))
    };
    assert!(nested(16).is_ok());
    for depth in [17, 1000, 100_000] {
        assert!(
            nested(depth)
                .unwrap_err()
                .to_string()
                .contains("within each other")
        );
    }
    // An element of unknown type and length holds implicit items (PS3.5, 6.2.2).
    let unknown = b"\x09\0\x01\x10UN\0\0\xFF\xFF\xFF\xFF\xFE\xFF\0\xE0\xFF\xFF\xFF\xFF\x08\0\x05\0\x02\0\0\0AB\xFE\xFF\x0D\xE0\0\0\0\0\xFE\xFF\xDD\xE0\0\0\0\0";
    assert!(unguarded(&beginning_with(unknown, EXPLICIT)).is_ok());
    for stray in [&b"\xFE\xFF\x0D\xE0\0\0\0\0"[..], b"\xFE\xFF\0\xE0\0\0\0\0"] {
        let said = unguarded(&beginning_with(stray, EXPLICIT))
            .unwrap_err()
            .to_string();
        assert!(said.contains("outside of a sequence"), "{said}");
    }
    // A sequence without items says nothing; one with an empty item promises a table.
    let nothing = b"\x28\0\x00\x30SQ\0\0\0\0\0\0";
    assert!(unguarded(&beginning_with(nothing, EXPLICIT)).is_ok());
    for table in [
        &b"\x28\0\x00\x30SQ\0\0\x08\0\0\0\xFE\xFF\0\xE0\0\0\0\0"[..],
        b"\x28\0\x00\x30SQ\0\0\xFF\xFF\xFF\xFF\xFE\xFF\0\xE0\0\0\0\0\xFE\xFF\xDD\xE0\0\0\0\0",
    ] {
        let said = unguarded(&beginning_with(table, EXPLICIT))
            .unwrap_err()
            .to_string();
        assert!(said.contains("modality LUT has no description"), "{said}");
    }
    // Each element comes once, so that no file makes many of one.
    let twice = b"\x28\0\x10\0US\x02\0\x01\0";
    let said = unguarded(&beginning_with(twice, EXPLICIT)).unwrap_err();
    assert!(said.to_string().contains("twice"), "{said}");
}

#[test]
fn what_is_not_supported_is_named() {
    let file = || File::new(2, 2, "MONOCHROME2", 16).words(&[1; 4]);
    for (file, syntax, cause) in [
        (file(), JPEG, "not in the form"),
        (file().number(0x0008, 2), EXPLICIT, "2 frames"),
        (file().number(0x0010, 0), EXPLICIT, "no pixels"),
        (file().number(0x0011, 60_000), EXPLICIT, "60000x2"),
        (file().number(0x0100, 12), EXPLICIT, "in 12"),
        (file().number(0x0100, 32), EXPLICIT, "in 32"),
        (file().number(0x0101, 0), EXPLICIT, "of 0 bits"),
        (file().number(0x0102, 16), EXPLICIT, "high bit 16"),
        (file().number(0x0103, 2), EXPLICIT, "samples of"),
        (file().number(0x0002, 3), EXPLICIT, "MONOCHROME2 with 3"),
        (
            file().number(0x0010, 3),
            EXPLICIT,
            "8 bytes of pixel data where 12",
        ),
    ] {
        let said = unguarded(&file.write(syntax)).unwrap_err().to_string();
        assert!(said.contains(cause), "expected `{cause}` in: {said}");
    }
    for (syntax, name) in [
        ("1.2.840.10008.1.2.4.201", "High-Throughput JPEG 2000"),
        ("1.2.840.10008.1.2.4.110", "JPEG XL"),
        ("1.2.840.10008.1.2.4.100", "MPEG2"),
        ("1.2.3", "unknown"),
    ] {
        let said = known(syntax).unwrap_err().to_string();
        assert!(said.contains(name) && said.contains(syntax), "{said}");
    }
    let whole = file().write(EXPLICIT);
    let said = decode(&whole[132..]).unwrap_err().to_string();
    assert!(said.contains("without the preamble"), "{said}");
    for (photometric, cause) in [("PALETTE COLOR", "PALETTE"), ("YBR_PARTIAL_420", "420")] {
        let file = File::new(2, 2, photometric, 8).bytes(&[0; 12]);
        assert!(
            unguarded(&file.write(EXPLICIT))
                .unwrap_err()
                .to_string()
                .contains(cause)
        );
    }
}

/// A file of which the data set is deflated.
fn deflated(set: impl std::io::Read) -> Vec<u8> {
    const SYNTAX: &[u8] = b"UI\x14\x001.2.840.10008.1.2.1\0";
    let file = File::new(4, 2, "MONOCHROME2", 8).bytes(&[7; 8]);
    let file = file.write(EXPLICIT);
    let (_, start) = elements::meta(&file).expect("a header");
    let at = file.windows(SYNTAX.len()).position(|w| w == SYNTAX);
    let at = at.expect("the transfer syntax");
    let mut bytes = file[..at].to_vec();
    bytes.extend(b"UI\x16\x001.2.840.10008.1.2.1.99");
    bytes.extend(&file[at + SYNTAX.len()..start]);
    let mut packed = flate2::read::DeflateEncoder::new(set, flate2::Compression::fast());
    std::io::copy(&mut packed, &mut bytes).expect("it is deflated");
    bytes
}

#[test]
fn small_files_that_say_that_they_are_enormous() {
    use std::io::Read as _;
    let file = File::new(4, 2, "MONOCHROME2", 8).bytes(&[7; 8]);
    let plain = file.write(EXPLICIT);
    let (_, start) = elements::meta(&plain).expect("a header");
    let whole = deflated(&plain[start..]);
    assert!(decode(&whole).expect("it is read") == decode(&plain).expect("and so is this"));
    for end in start..whole.len() - 4 {
        assert!(decode(&whole[..end]).is_err(), "{end}");
    }
    let bomb = deflated(std::io::repeat(0).take(crate::MAX_FILE_BYTES + 1));
    assert!(bomb.len() < 4 << 20, "{}", bomb.len());
    let said = decode(&bomb).expect_err("it is refused").to_string();
    assert!(said.contains("has more than 268435456 bytes"), "{said}");
}
