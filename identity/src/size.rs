//! Sizes as people write them.

/// The bytes of a size such as `500MB`, `2 GiB` or `1.5gb`, in decimal or binary units; a number alone is bytes. Lists of clients
/// have such sizes, and so have the options of programs that read these lists. What is beyond the largest integer is that.
///
/// # Errors
/// A sentence for people, for 0 and for whatever is no size.
pub fn size(text: &str) -> Result<u64, String> {
    const UNITS: [(&str, f64); 9] = [
        ("b", 1.0),
        ("kb", 1e3),
        ("mb", 1e6),
        ("gb", 1e9),
        ("tb", 1e12),
        ("kib", 1024.0),
        ("mib", 1_048_576.0),
        ("gib", 1_073_741_824.0),
        ("tib", 1_099_511_627_776.0),
    ];
    let with_unit = || {
        let text = text.to_ascii_lowercase();
        let (number, unit) = text.split_at(text.find(char::is_alphabetic)?);
        let (_, factor) = UNITS.iter().find(|(name, _)| *name == unit)?;
        let bytes = number.trim().parse::<f64>().ok()? * factor;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "it is finite and not below 0, and beyond the largest integer it stops there"
        )]
        (bytes.is_finite() && bytes >= 0.0).then_some(bytes as u64)
    };
    let bytes = text.parse().ok().or_else(with_unit);
    let bytes = bytes.filter(|&bytes| bytes > 0);
    bytes.ok_or_else(|| "give a size above 0, such as 500MB or 2GiB".into())
}

/// The most bytes of a [`sized`].
const MOST: u64 = 1 << 50;

/// The same where people write what others read later, as in a file: a number alone is a slip of the pen, and so is more than 1024 TiB.
///
/// # Errors
/// A sentence for people, as [`size`].
pub fn sized(text: &str) -> Result<u64, String> {
    let bytes = size(text).map_err(|_| "give a size such as 50GB".to_owned())?;
    match text.contains(char::is_alphabetic) {
        false => Err(format!("give its unit, such as {text}GB or {text}GiB")),
        true if bytes > MOST => Err("no more than 1024TiB".to_owned()),
        true => Ok(bytes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_decimal_and_binary_units() {
        for (text, expected) in [
            ("1", 1),
            ("500MB", 500_000_000),
            ("1.5 gb", 1_500_000_000),
            ("2GiB", 2 << 30),
            ("64kib", 64 << 10),
            ("99999999999 TB", u64::MAX),
        ] {
            assert_eq!(size(text), Ok(expected), "{text}");
        }
        for bad in [
            "", "0", "0GB", "0.5B", "-1MB", "many", "5 Mbit", "nan", "inf GB", "1GBs",
        ] {
            assert!(size(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_is_written_down_has_a_unit_and_an_end() {
        for (text, expected) in [("7B", 7), ("1024TiB", MOST), ("1.5gb", 1_500_000_000)] {
            assert_eq!(sized(text), Ok(expected));
        }
        for (bad, said) in [
            ("7", "7GB or 7GiB"),
            ("1025 TiB", "no more than"),
            ("99999999999999999999", "such as 50GB"),
            ("0MB", "such as 50GB"),
        ] {
            assert!(sized(bad).expect_err(bad).contains(said), "{bad}");
        }
    }
}
