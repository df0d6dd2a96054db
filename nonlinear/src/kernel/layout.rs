//! Which leaves a comparison has, and in which order they are treated.

use crate::Digits;
use crate::kernel::leaf::LeafKind;

/// Leaves of one kind, treated side by side.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Group {
    pub(crate) kind: LeafKind,
    /// (number of the digit, its lowest bit), ascending.
    pub(crate) digits: Vec<(usize, u32)>,
}

/// The leaves of the digits `low`, then `high`, by kind: first the lowest one, which has no
/// equality, then ascending by width.
pub(crate) fn groups(low: &Digits, high: &Digits) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    let mut offset = 0;
    for (number, &width) in low.widths().iter().chain(high.widths()).enumerate() {
        let kind = LeafKind {
            width: width.into(),
            equality: number > 0,
        };
        match groups.iter_mut().find(|group| group.kind == kind) {
            Some(group) => group.digits.push((number, offset)),
            None => groups.push(Group {
                kind,
                digits: vec![(number, offset)],
            }),
        }
        offset += kind.width;
    }
    groups.sort_by_key(|group| (group.kind.equality, group.kind.width));
    groups
}
