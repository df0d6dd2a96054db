//! Sizes as people write them.

/// The bytes of a size such as `500MB`, `2 GiB` or `1.5gb`, in decimal or binary units, bytes (`500B`) among them. Lists of clients
/// have such sizes, and so have the options of programs that read these lists.
///
/// # Errors
/// A sentence for people, for 0 and for whatever is no size: a number without a unit too, which is a mistake more often than a number of bytes, and
/// more than an integer of 64 bits counts.
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
        let number = number.trim();
        // Doubles are not exact beyond 2^53.
        if let (Ok(bytes), "b") = (number.parse::<u64>(), unit) {
            return Some(bytes);
        }
        let bytes = number.parse::<f64>().ok()? * factor;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "it is at least 0 and below 2^64"
        )]
        (0.0..18_446_744_073_709_551_616.0)
            .contains(&bytes)
            .then_some(bytes as u64)
    };
    let bytes = with_unit().filter(|&bytes| bytes > 0);
    bytes.ok_or_else(|| match text.trim().parse::<f64>() {
        Ok(number) if number > 0.0 => {
            format!("{text} has no unit: give a size such as 500MB or 2GiB")
        }
        _ => "give a size above 0, such as 500MB or 2GiB".into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_decimal_and_binary_units() {
        for (text, expected) in [
            ("1B", 1),
            ("18446744073709551615 b", u64::MAX),
            ("500MB", 500_000_000),
            ("1.5 gb", 1_500_000_000),
            ("2GiB", 2 << 30),
            ("64kib", 64 << 10),
        ] {
            assert_eq!(size(text), Ok(expected), "{text}");
        }
        for bad in [
            "",
            "0",
            "500",
            "1.5",
            "99999999999 TB",
            "18446744073709551616B",
            "1e30",
            "0GB",
            "0.5B",
            "-1MB",
            "many",
            "5 Mbit",
            "nan",
            "inf GB",
            "1GBs",
        ] {
            assert!(size(bad).is_err(), "{bad}");
        }
        assert!(size("500").is_err_and(|why| why.contains("500 has no unit")));
    }
}
