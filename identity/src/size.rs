//! Sizes as people write them.

/// The most bytes of a size, 1024 TiB.
const MOST: u64 = 1 << 50;

/// The bytes of a size such as `500MB`, `2 GiB` or `1.5gb`, in decimal or binary units, bytes (`500B`) among them. Lists of clients
/// have such sizes, and so have the options of programs that read these lists.
///
/// # Errors
/// A sentence for people: for 0 and whatever is no size, for a number without its unit, and for more than 1024 TiB, which are slips of the pen.
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
    let text = text.trim().to_ascii_lowercase();
    let split = text.find(char::is_alphabetic).unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let number = number.trim();
    let factor = UNITS.iter().find(|(name, _)| *name == unit);
    match (number.parse::<f64>(), factor) {
        (Ok(count), None) if count > 0.0 && unit.is_empty() => {
            Err(format!("give its unit, such as {number}MB or {number}GiB"))
        }
        (Ok(count), Some((_, factor))) if count * factor >= 1.0 => {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "it is above 0, and beyond the largest integer it stops there"
            )]
            let bytes = (count * factor) as u64;
            match bytes <= MOST {
                true => Ok(bytes),
                false => Err("give no more than 1024TiB".to_owned()),
            }
        }
        _ => Err("give a size above 0, such as 500MB or 2GiB".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_decimal_and_binary_units() {
        for (text, expected) in [
            ("1B", 1),
            ("1125899906842623 b", MOST - 1),
            ("500MB", 500_000_000),
            ("1.5 gb", 1_500_000_000),
            (" 2GiB ", 2 << 30),
            ("64kib", 64 << 10),
            ("1024TiB", MOST),
        ] {
            assert_eq!(size(text), Ok(expected), "{text}");
        }
        for (said, texts) in [
            (
                "above 0",
                &[
                    "", "0", "0GB", "0.5B", "-1", "-1MB", "many", "nan", "nan MB", "inf", "inf GB",
                    "5 Mbit", "1GBs", "1 2 MB", "1e30",
                ][..],
            ),
            ("its unit, such as ", &["7", "1.5"]),
            (
                "no more than 1024TiB",
                &["1025 TiB", "99999999999 TB", "1125899906842625B"],
            ),
        ] {
            for text in texts {
                let error = size(text).expect_err(text);
                assert!(error.contains(said), "{text}: {error}");
            }
        }
        assert_eq!(
            size("50"),
            Err("give its unit, such as 50MB or 50GiB".to_owned())
        );
    }
}
