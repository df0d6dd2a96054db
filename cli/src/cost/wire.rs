//! The network between the parties that a plan is for.

use std::str::FromStr;

use secure::NetworkSpeed;
use serde::Serialize;

use crate::text::quantity;

/// A network between the two parties, and what the user called it.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub(crate) struct Wire {
    pub(crate) name: String,
    #[serde(flatten)]
    pub(crate) network: NetworkSpeed,
}

impl Wire {
    pub(crate) fn lan() -> Self {
        Self::named("lan", NetworkSpeed::LAN)
    }

    pub(crate) fn wan() -> Self {
        Self::named("wan", NetworkSpeed::WAN)
    }

    fn named(name: &str, network: NetworkSpeed) -> Self {
        let name = name.to_owned();
        Self { name, network }
    }
}

/// A network as `--network` reads it, with three digits of its rate and two of its round trip: 94.2Mbit,12ms.
pub(crate) fn written(network: NetworkSpeed) -> String {
    let bits = network.bytes_per_s * 8.0;
    let units = [("Gbit", 1e9), ("Mbit", 1e6), ("kbit", 1e3)];
    let (unit, size) = units
        .into_iter()
        .find(|(_, size)| bits >= *size)
        .unwrap_or(units[2]);
    let rate = digits(bits / size, 3);
    let (time, second) = time(network.rtt_s);
    format!("{rate}{unit},{time}{second}")
}

/// A time for people, with two digits: 19 us, 1.2 s.
pub(crate) fn lasting(seconds: f64) -> String {
    let (time, second) = time(seconds);
    format!("{time} {second}")
}

/// A time with two digits, and its unit.
fn time(seconds: f64) -> (String, &'static str) {
    let units = [("s", 1.0), ("ms", 1e-3), ("us", 1e-6)];
    let (second, length) = units
        .into_iter()
        .find(|(_, length)| seconds >= *length)
        .unwrap_or(units[2]);
    (digits(seconds / length, 2), second)
}

/// A number with so many digits, at least those before the point.
fn digits(value: f64, digits: usize) -> String {
    let whole = if value >= 100.0 {
        3
    } else if value >= 10.0 {
        2
    } else {
        1
    };
    let text = format!("{value:.*}", digits.saturating_sub(whole));
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text,
    }
}

impl FromStr for Wire {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "lan" => return Ok(Self::lan()),
            "wan" => return Ok(Self::wan()),
            _ => {}
        }
        let (rate, rtt) = text.split_once(',').ok_or_else(|| {
            "give lan, wan, or a rate and a round trip, such as 1Gbit,20ms".to_owned()
        })?;
        let rate_text = rate.strip_suffix("/s").unwrap_or(rate);
        let units = [("kbit", 1e3), ("Mbit", 1e6), ("Gbit", 1e9)];
        let rate = quantity(rate_text, &units)
            .filter(|&rate| rate > 0.0)
            .ok_or_else(|| {
                format!(
                    "`{rate}` is no rate above 0: a number and kbit, Mbit or Gbit, such as 1Gbit"
                )
            })?;
        let units = [("us", 1e-6), ("ms", 1e-3), ("s", 1.0)];
        let rtt = quantity(rtt, &units).ok_or_else(|| {
            format!("`{rtt}` is no round trip: a number and us, ms or s, such as 20ms")
        })?;
        let network = NetworkSpeed {
            bytes_per_s: rate / 8.0,
            rtt_s: rtt,
        };
        Ok(Self::named(text, network))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        for (bytes_per_s, rtt_s, expected) in [
            (11.775e6, 0.0123, "94.2Mbit,12ms"),
            (1.25e9, 0.000_31, "10Gbit,310us"),
            (375e6, 0.25, "3Gbit,250ms"),
            (125.0, 1.5, "1kbit,1.5s"),
            (0.5, 0.0, "0kbit,0us"),
        ] {
            let network = NetworkSpeed { bytes_per_s, rtt_s };
            let text = written(network);
            assert_eq!(text, expected);
            let Ok(read) = text.parse::<Wire>() else {
                assert!(bytes_per_s < 1.0);
                continue;
            };
            assert!(
                (read.network.bytes_per_s / bytes_per_s - 1.0).abs() < 0.01,
                "{text}"
            );
            assert!(
                (read.network.rtt_s - rtt_s).abs() < 0.05 * rtt_s + 1e-9,
                "{text}"
            );
        }
    }

    #[test]
    fn networks_are_read() {
        let wire: Wire = "1Gbit,20ms".parse().expect("a network");
        assert!((wire.network.bytes_per_s - 1.25e8).abs() < 1.0);
        assert!((wire.network.rtt_s - 0.02).abs() < 1e-12);
        assert_eq!(
            "2.5 Mbit/s,0s"
                .parse::<Wire>()
                .expect("a network")
                .network
                .rtt_s,
            0.0
        );
        assert_eq!("lan".parse(), Ok(Wire::lan()));
        for (bad, cause) in [
            ("dsl", "lan, wan"),
            ("1,2", "no rate"),
            ("0Gbit,2ms", "no rate"),
            ("-1Gbit,2ms", "no rate"),
            ("1e999Gbit,2ms", "no rate"),
            ("1GB,2ms", "no rate"),
            ("1Gbit,2", "no round trip"),
            ("1Gbit,-2ms", "no round trip"),
        ] {
            let error = bad.parse::<Wire>().expect_err(bad);
            assert!(error.contains(cause), "{error}");
        }
    }
}
