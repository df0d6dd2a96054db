//! What a certificate calls its owner.

const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const IDENTIFIER: u8 = 0x06;
/// Explicit, 0: the version.
const VERSION: u8 = 0xa0;
/// The strings of UTF-8, and those that are of ASCII.
const STRINGS: [u8; 3] = [0x0c, 0x13, 0x16];
const COMMON_NAME: &[u8] = &[0x55, 4, 3];

/// The first common name of a certificate's subject, if it has one that can be shown.
pub(crate) fn common_name(certificate: &[u8]) -> Option<String> {
    let (certificate, _) = inner(certificate, SEQUENCE)?;
    let (mut signed, _) = inner(certificate, SEQUENCE)?;
    if let Some((_, rest)) = inner(signed, VERSION) {
        signed = rest;
    }
    // Its number, the algorithm, the issuer, and when it is valid.
    for _ in 0..4 {
        (_, _, signed) = element(signed)?;
    }
    let (mut names, _) = inner(signed, SEQUENCE)?;
    while let Some((mut set, rest)) = inner(names, SET) {
        names = rest;
        while let Some((pair, rest)) = inner(set, SEQUENCE) {
            set = rest;
            let (kind, value) = inner(pair, IDENTIFIER)?;
            let (tag, value, _) = element(value)?;
            if kind == COMMON_NAME && STRINGS.contains(&tag) {
                let name = str::from_utf8(value).ok()?;
                let shown = !name.trim().is_empty() && !name.chars().any(char::is_control);
                return shown.then(|| name.to_owned());
            }
        }
    }
    None
}

/// What an element of this kind holds at the start of some bytes, and what follows it.
fn inner(bytes: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (found, value, rest) = element(bytes)?;
    (found == tag).then_some((value, rest))
}

/// The first element of DER: its kind, what it holds, and what follows.
fn element(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&[tag, first], mut rest) = bytes.split_first_chunk()?;
    let length = if first < 0x80 {
        usize::from(first)
    } else {
        // No certificate is longer than three bytes can say.
        let count = usize::from(first & 0x7f);
        let (digits, after) = rest.split_at_checked(count)?;
        if !(1..=3).contains(&count) {
            return None;
        }
        rest = after;
        digits
            .iter()
            .fold(0, |all, &digit| all << 8 | usize::from(digit))
    };
    let (value, rest) = rest.split_at_checked(length)?;
    Some((tag, value, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn certificate(name: &str) -> Vec<u8> {
        let mut params = rcgen::CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params
            .distinguished_name
            .push(rcgen::DnType::OrganizationName, "a hospital");
        params
            .distinguished_name
            .push(rcgen::DnType::CommonName, name);
        let key = rcgen::KeyPair::generate().expect("a key");
        params.self_signed(&key).expect("signed").der().to_vec()
    }

    #[test]
    fn a_name_is_found_and_nothing_is_believed() {
        for name in ["St. Elsewhere", "Hôpital Nord", &"x".repeat(64)] {
            assert_eq!(common_name(&certificate(name)).as_deref(), Some(name));
        }
        assert_eq!(common_name(&certificate("red\u{1b}[31m")), None);
        assert_eq!(common_name(&[]), None);
        let whole = certificate("short");
        for end in 0..whole.len() {
            assert_eq!(common_name(&whole[..end]), None);
        }
        // Whatever it says, it ends.
        for place in 0..whole.len() {
            for byte in [0, 0x30, 0x7f, 0x80, 0x84, 0xff] {
                let mut harmed = whole.clone();
                harmed[place] = byte;
                drop(common_name(&harmed));
            }
        }
    }
}
