//! What the images of a session cost together, and one of them.

use serde::Serialize;

use crate::report::Report;
use crate::text::{bytes, counted, middle};

/// The middle of some images, and all of them together.
#[derive(Clone, Copy, PartialEq, Debug, Serialize)]
pub(crate) struct Cost<T> {
    pub(crate) median: T,
    pub(crate) all: T,
}

/// The cost of several images, of which the first has what a session does once: set-up, keys, and a phase ahead for all.
#[derive(Clone, Copy, PartialEq, Debug, Serialize)]
pub(crate) struct Summary {
    pub(crate) images: usize,
    /// In both directions.
    pub(crate) bytes: Cost<u64>,
    pub(crate) seconds: Cost<f64>,
    /// What their preparations had taken before, where they were computed from these.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) preparation: Option<Prepared>,
}

/// What was spent before the images were there; in no other number.
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize)]
pub(crate) struct Prepared {
    pub(crate) bytes: u64,
    pub(crate) seconds: f64,
}

/// The costs of the images so far.
#[derive(Debug, Default)]
pub(crate) struct Costs {
    bytes: Vec<u64>,
    seconds: Vec<f64>,
    preparation: Option<Prepared>,
}

impl Costs {
    /// One image more; what was computed in the clear costs nothing of this kind.
    pub(crate) fn add(&mut self, report: &Report) {
        let Some(comm) = &report.comm else { return };
        self.bytes.push(comm.total_bytes());
        self.seconds.push(report.time.total_s);
        if let Some(spent) = &report.preparation {
            let sum = self.preparation.get_or_insert_default();
            sum.bytes += spent.bytes();
            sum.seconds += spent.seconds;
        }
    }

    /// The sum; none of a single image, which says itself what it cost.
    pub(crate) fn summary(&self) -> Option<Summary> {
        let images = self.bytes.len();
        let bytes = (images > 1).then(|| Cost {
            median: middle(&self.bytes, u64::cmp, u64::midpoint),
            all: self.bytes.iter().sum(),
        })?;
        let seconds = Cost {
            median: middle(&self.seconds, f64::total_cmp, f64::midpoint),
            all: self.seconds.iter().sum(),
        };
        Some(Summary {
            images,
            bytes,
            seconds,
            preparation: self.preparation,
        })
    }
}

impl Summary {
    /// The same for people.
    pub(crate) fn text(&self) -> String {
        let prepared = self.preparation.map_or_else(String::new, |spent| {
            format!(
                "; prepared before: {} in {:.2} s",
                bytes(spent.bytes),
                spent.seconds
            )
        });
        format!(
            "{}: {} and {:.2} s each (medians), {} and {:.2} s in all{prepared}",
            counted(self.images, "image"),
            bytes(self.bytes.median),
            self.seconds.median,
            bytes(self.bytes.all),
            self.seconds.all
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_image_does_not_count_for_all() {
        let costs = Costs {
            bytes: vec![900, 100, 300],
            seconds: vec![4.0, 1.0, 2.0],
            preparation: None,
        };
        let sum = costs.summary().expect("several");
        assert_eq!(
            sum.text(),
            "3 images: 300 B and 2.00 s each (medians), 1.30 kB and 7.00 s in all"
        );
        let two = Costs {
            bytes: vec![900, 100],
            seconds: vec![4.0, 1.0],
            preparation: Some(Prepared {
                bytes: 5000,
                seconds: 3.0,
            }),
        };
        let text = two.summary().expect("several").text();
        let prepared = "; prepared before: 5.00 kB in 3.00 s";
        assert!(text.starts_with("2 images: 500 B and 2.50 s each") && text.ends_with(prepared));
        assert_eq!(Costs::default().summary(), None);
    }
}
