//! Text for people: numbers with their units, lines and tables.

use std::cmp::Ordering;
use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::plain;

pub(crate) use identity::size;

/// Bytes with three digits: 1.23 MB (10^6).
pub(crate) fn bytes(count: u64) -> String {
    const UNITS: [(&str, f64); 4] = [("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3)];
    #[expect(clippy::cast_precision_loss, reason = "three digits are printed")]
    let value = count as f64;
    UNITS.iter().find(|(_, size)| value >= *size).map_or_else(
        || format!("{count} B"),
        |(unit, size)| format!("{:.2} {unit}", value / size),
    )
}

/// A finite number of 0 or more, and one of the units.
pub(crate) fn quantity(text: &str, units: &[(&str, f64)]) -> Option<f64> {
    let (number, unit) = text.split_at(text.find(char::is_alphabetic)?);
    let (_, factor) = units.iter().find(|(name, _)| *name == unit)?;
    let value = number.trim().parse::<f64>().ok()? * factor;
    (value.is_finite() && value >= 0.0).then_some(value)
}

/// A number of things: `1 image`, `2 images`.
pub(crate) fn counted(count: usize, thing: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {thing}{plural}")
}

/// The value in the middle of one at least, or between both in the middle.
pub(crate) fn middle<T: Copy>(
    all: &[T],
    order: fn(&T, &T) -> Ordering,
    between: fn(T, T) -> T,
) -> T {
    let mut all = all.to_vec();
    all.sort_by(order);
    between(all[(all.len() - 1) / 2], all[all.len() / 2])
}

/// A number with its digits in groups: 1,234,567.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A moment in UTC, to the second: 2026-01-31 23:59:59 UTC.
pub(crate) fn utc(moment: SystemTime) -> String {
    let seconds = moment.duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs());
    let (mut day, second) = (seconds / 86_400, seconds % 86_400);
    let leap = |year: u64| {
        year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
    };
    // No clock is so wrong that this takes long: 400 years have the same number of days.
    let mut year = 1970 + 400 * (day / 146_097);
    day %= 146_097;
    while day >= 365 + u64::from(leap(year)) {
        day -= 365 + u64::from(leap(year));
        year += 1;
    }
    let february = 28 + u64::from(leap(year));
    let months = [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let mut month = 0;
    while day >= months[month] {
        day -= months[month];
        month += 1;
    }
    let (hour, minute) = (second / 3600, second / 60 % 60);
    format!(
        "{year}-{:02}-{:02} {hour:02}:{minute:02}:{:02} UTC",
        month + 1,
        day + 1,
        second % 60
    )
}

/// Lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What [`hex`] writes of 32 bytes, in either case.
pub(crate) fn unhex(text: &str) -> Option<[u8; 32]> {
    let digit = |c: u8| {
        char::from(c)
            .to_digit(16)
            .and_then(|digit| u8::try_from(digit).ok())
    };
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    let mut bytes = [0; 32];
    if pairs.len() != bytes.len() || !rest.is_empty() {
        return None;
    }
    for (byte, &[high, low]) in bytes.iter_mut().zip(pairs) {
        *byte = digit(high)? << 4 | digit(low)?;
    }
    Some(bytes)
}

/// Adds a line; what it quotes breaks no line.
pub(crate) fn put(out: &mut String, line: fmt::Arguments<'_>) {
    *out += &plain::line(&line.to_string());
    out.push('\n');
}

/// On which side of its column a cell stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Side {
    Left,
    Right,
}

/// Rows under titles, each column as wide as its widest cell.
#[derive(Debug)]
pub(crate) struct Table<const N: usize> {
    sides: [Side; N],
    rows: Vec<[String; N]>,
}

impl<const N: usize> Table<N> {
    /// A table with the titles of its columns.
    pub(crate) fn new(columns: [(&str, Side); N]) -> Self {
        Self {
            sides: columns.map(|(_, side)| side),
            rows: vec![columns.map(|(title, _)| title.to_owned())],
        }
    }

    /// Adds a row below the others.
    pub(crate) fn row(&mut self, cells: [String; N]) {
        self.rows.push(cells.map(|cell| plain::line(&cell)));
    }
}

impl<const N: usize> fmt::Display for Table<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let length = |cell: &String| cell.chars().count();
        let mut widths = [0; N];
        for row in &self.rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = length(cell).max(*width);
            }
        }
        for row in &self.rows {
            let cells = row.iter().zip(self.sides).zip(widths);
            let cells: Vec<String> = cells
                .map(|((cell, side), width)| match side {
                    Side::Left => format!("{cell:<width$}"),
                    Side::Right => format!("{cell:>width$}"),
                })
                .collect();
            writeln!(f, "{}", cells.join("  ").trim_end())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_has_64_hexadecimal_digits() {
        assert_eq!(unhex(&"0a".repeat(32)), Some([10; 32]));
        assert_eq!(unhex(&"0A".repeat(32)), Some([10; 32]));
        assert_eq!(unhex(&hex(&[200; 32])), Some([200; 32]));
        for bad in [
            "",
            "0a",
            &"0g".repeat(32),
            &"é".repeat(32),
            &"+1".repeat(32),
            &"0a".repeat(33),
        ] {
            assert_eq!(unhex(bad), None, "{bad}");
        }
    }

    #[test]
    fn bytes_are_decimal() {
        assert_eq!(bytes(999), "999 B");
        assert_eq!(bytes(1_500), "1.50 kB");
        assert_eq!(bytes(2_000_000_000_000), "2.00 TB");
    }

    #[test]
    fn moments_are_those_of_the_calendar() {
        let at = |seconds| utc(UNIX_EPOCH + std::time::Duration::from_secs(seconds));
        for (seconds, expected) in [
            (0, "1970-01-01 00:00:00 UTC"),
            (951_782_399, "2000-02-28 23:59:59 UTC"),
            (951_782_400, "2000-02-29 00:00:00 UTC"),
            (1_735_689_599, "2024-12-31 23:59:59 UTC"),
            (4_107_542_400, "2100-03-01 00:00:00 UTC"),
        ] {
            assert_eq!(at(seconds), expected);
        }
        assert_eq!(utc(UNIX_EPOCH - std::time::Duration::from_secs(9)), at(0));
    }

    #[test]
    fn digits_stand_in_groups() {
        let all = [0, 999, 1000, 1_234_567].map(grouped);
        assert_eq!(all, ["0", "999", "1,000", "1,234,567"]);
    }

    #[test]
    fn one_is_not_many() {
        let all = [0, 1, 2].map(|count| counted(count, "image"));
        assert_eq!(all, ["0 images", "1 image", "2 images"]);
        assert_eq!(hex(&[0, 0xAB]), "00ab");
    }

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let mut table = Table::new([("name", Side::Left), ("n", Side::Right)]);
        table.row(["é".into(), "1000".into()]);
        table.row(["a long name".into(), String::new()]);
        let expected = "name            n\né            1000\na long name\n";
        assert_eq!(table.to_string(), expected);
    }
}
