//! A compressed stream as a DICOM file: the decoders of streams are reached in no other way.

/// How many bytes of the input describe the samples: columns, rows, bits, and flags (1: three samples to a pixel, 2: signed, 4: luma and
/// colour differences).
const HEAD: usize = 4;

/// The file of a stream of one frame, or none where the input is too short to describe it.
pub fn wrap(syntax: &str, input: &[u8]) -> Option<Vec<u8>> {
    let (&[columns, rows, bits, flags], stream) = input.split_first_chunk::<HEAD>()?;
    let mut file = vec![0; 128];
    file.extend(b"DICM");
    let mut syntax = syntax.to_owned();
    if syntax.len() % 2 == 1 {
        syntax.push('\0');
    }
    element(&mut file, (2, 0x10), *b"UI", syntax.as_bytes());
    let colour = flags & 1 == 1;
    let word = |value: u8| u16::from(value).to_le_bytes();
    element(
        &mut file,
        (0x28, 2),
        *b"US",
        &word(if colour { 3 } else { 1 }),
    );
    let photometric: &[u8] = match (colour, flags & 4 == 4) {
        (false, _) => b"MONOCHROME2 ",
        (true, false) => b"RGB ",
        (true, true) => b"YBR_FULL",
    };
    element(&mut file, (0x28, 4), *b"CS", photometric);
    let bits = bits.clamp(1, 16);
    for (tag, value) in [
        (0x10, rows),
        (0x11, columns),
        (0x100, if bits > 8 { 16 } else { 8 }),
        (0x101, bits),
        (0x102, bits - 1),
        (0x103, flags >> 1 & 1),
    ] {
        element(&mut file, (0x28, tag), *b"US", &word(value));
    }
    file.extend(b"\xE0\x7F\x10\0OB\0\0\xFF\xFF\xFF\xFF\xFE\xFF\0\xE0\0\0\0\0\xFE\xFF\0\xE0");
    file.extend(u32::try_from(stream.len()).ok()?.to_le_bytes());
    file.extend(stream);
    file.extend(b"\xFE\xFF\xDD\xE0\0\0\0\0");
    Some(file)
}

fn element(file: &mut Vec<u8>, (group, number): (u16, u16), vr: [u8; 2], value: &[u8]) {
    file.extend(group.to_le_bytes());
    file.extend(number.to_le_bytes());
    file.extend(vr);
    file.extend((value.len() as u16).to_le_bytes());
    file.extend(value);
}
