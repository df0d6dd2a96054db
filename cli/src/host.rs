//! What there is to say of this machine: for reports, for `doctor`, and for what a measurement is worth.

use std::fs::read_to_string;
use std::thread::{available_parallelism, sleep};
use std::time::Duration;

use serde::Serialize;

/// The machine that a result was made on.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Host {
    /// Its processor by name, where the system tells it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cpu: Option<String>,
    /// Processors that this process may use.
    pub(crate) cores: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) memory_bytes: Option<u64>,
    pub(crate) system: String,
}

impl Host {
    pub(crate) fn here() -> Self {
        Self {
            cpu: value_of("/proc/cpuinfo", "model name")
                .map(|name| name.chars().take(80).collect()),
            cores: available_parallelism().map_or(1, Into::into),
            memory_bytes: memory("MemTotal"),
            system: format!("{} on {}", std::env::consts::OS, std::env::consts::ARCH),
        }
    }
}

/// Bytes of a line of /proc/meminfo.
pub(crate) fn memory(line: &str) -> Option<u64> {
    let value = value_of("/proc/meminfo", line)?;
    let kib: u64 = value.strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}

/// The text after `key:` in the first such line of a file of /proc.
fn value_of(file: &str, key: &str) -> Option<String> {
    let text = read_to_string(file).ok()?;
    let mut lines = text.lines().filter_map(|line| line.split_once(':'));
    let (_, value) = lines.find(|(name, _)| name.trim() == key)?;
    Some(value.trim().to_owned())
}

/// How much else this machine is doing.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Load {
    /// Processes that ran or wanted to, on average of the last minute.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) average: Option<f64>,
    /// Processors that others kept busy while this process looked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) busy: Option<f64>,
    /// Processors that the machine below this virtual one gave to others meanwhile.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) stolen: Option<f64>,
    /// How processors choose their frequency, where that is not to run as fast as they can.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) governor: Option<String>,
}

impl Load {
    /// Looks for a moment, in which this process does nothing.
    pub(crate) fn now() -> Self {
        const MOMENT: Duration = Duration::from_millis(300);
        let before = Ticks::now();
        sleep(MOMENT);
        let between = before.zip(Ticks::now()).and_then(|(a, b)| a.until(b));
        let governor = read_to_string("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor").ok();
        let governor = governor.map(|name| name.trim().to_owned());
        Self {
            average: read_to_string("/proc/loadavg")
                .ok()
                .and_then(|text| text.split(' ').next()?.parse().ok()),
            busy: between.map(|(busy, _)| busy),
            stolen: between.map(|(_, stolen)| stolen),
            governor: governor.filter(|name| name != "performance"),
        }
    }

    /// What makes measurements of this machine worth less.
    pub(crate) fn warnings(&self) -> Vec<String> {
        /// Less than this much of a processor is what every machine does besides.
        const LITTLE: f64 = 0.25;
        let mut warnings = Vec::new();
        if let Some(busy) = self.busy.filter(|&busy| busy > LITTLE) {
            let average = (self.average).map_or_else(String::new, |average| {
                format!(" (load of the last minute {average:.1})")
            });
            warnings.push(format!(
                "other programs keep {busy:.1} processors busy{average}: what is measured now is worth little"
            ));
        }
        if let Some(stolen) = self.stolen.filter(|&stolen| stolen > LITTLE / 5.0) {
            warnings.push(format!(
                "the host of this virtual machine gives {stolen:.2} of its processors to others"
            ));
        }
        if let Some(governor) = &self.governor {
            warnings.push(format!(
                "processors choose their frequency by `{governor}`: short operations may be measured at a low one"
            ));
        }
        warnings
    }
}

/// Time that all processors have spent so far, in ticks.
#[derive(Clone, Copy, Debug)]
struct Ticks {
    all: u64,
    idle: u64,
    stolen: u64,
    processors: usize,
}

impl Ticks {
    fn now() -> Option<Self> {
        Self::of(&read_to_string("/proc/stat").ok()?)
    }

    /// From the text of /proc/stat.
    fn of(text: &str) -> Option<Self> {
        let is_processor = |line: &&str| {
            let digits = line.strip_prefix("cpu").unwrap_or_default();
            digits.starts_with(|c: char| c.is_ascii_digit())
        };
        let all = text.lines().find(|line| line.starts_with("cpu "))?;
        let fields = all.split_whitespace().skip(1).take(8);
        let fields: Vec<u64> = fields.map_while(|field| field.parse().ok()).collect();
        let [_, _, _, idle, waiting, _, _, stolen] = fields[..] else {
            return None;
        };
        Some(Self {
            all: fields.iter().fold(0, |sum, &n| sum.saturating_add(n)),
            idle: idle.saturating_add(waiting),
            stolen,
            processors: text.lines().filter(is_processor).count(),
        })
    }

    /// Processors that were busy, and stolen, from one moment to a later one.
    #[expect(clippy::cast_precision_loss, reason = "a share of a whole")]
    fn until(self, later: Self) -> Option<(f64, f64)> {
        let all = later.all.checked_sub(self.all).filter(|&all| all > 0)?;
        let stolen = later.stolen.checked_sub(self.stolen)?;
        let idle = later.idle.checked_sub(self.idle)?;
        let busy = all.checked_sub(idle)?.checked_sub(stolen)?;
        let of = |part: u64| part as f64 / all as f64 * self.processors as f64;
        Some((of(busy), of(stolen)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_busy_machine_is_told_from_an_idle_one() {
        let before = "cpu  100 0 0 900 0 0 0 0 0 0\ncpu0 50 0 0 450 0 0 0 0\ncpu1 50 0 0 450 0 0 0 0\nintr 1\n";
        let after = "cpu  150 0 0 940 0 0 0 10 0 0\ncpu0 75 0 0 470 0 0 0 5\ncpu1 75 0 0 470 0 0 0 5\nintr 1\n";
        let [before, after] = [before, after].map(|text| Ticks::of(text).expect("ticks"));
        let (busy, stolen) = before.until(after).expect("later");
        assert!(
            (busy - 1.0).abs() < 1e-9 && (stolen - 0.2).abs() < 1e-9,
            "{busy} {stolen}"
        );
        assert!(after.until(before).is_none() && Ticks::of("cpu  1 2\n").is_none());
        let load = Load {
            busy: Some(busy),
            stolen: Some(stolen),
            average: Some(3.5),
            governor: Some("powersave".into()),
        };
        let said = load.warnings().join("\n");
        for words in ["1.0 processors busy", "3.5", "0.20 of its", "`powersave`"] {
            assert!(said.contains(words), "{said}");
        }
        assert!(Load::default().warnings().is_empty());
    }
}
