//! How the layers of a network are divided in a phase ahead of the inputs.

use std::ops::Range;

/// The most bytes in either direction that layers say together in the phase ahead (AGREEMENT), as far as each says more in it; a layer that says more is alone. Layers that
/// speak together take the flights of one.
pub(crate) const WINDOW: u64 = 1 << 24;

/// The most bytes that a phase ahead leaves behind at either party, and the most that a layer says in it (AGREEMENT); one image may take
/// more.
pub(crate) const MOST_AHEAD: u64 = 1 << 28;

/// The layers that speak together, given how many bytes each says.
pub(crate) fn windows(bytes: impl IntoIterator<Item = u64>) -> Vec<Range<usize>> {
    let mut windows: Vec<Range<usize>> = Vec::new();
    let mut said = 0_u64;
    for (layer, bytes) in bytes.into_iter().enumerate() {
        said = said.saturating_add(bytes);
        match windows.last_mut() {
            Some(window) if said <= WINDOW => window.end = layer + 1,
            _ => {
                windows.push(layer..layer + 1);
                said = bytes;
            }
        }
    }
    windows
}

/// The most images for which layers run ahead together, given how many bytes each takes of what is bounded.
pub(crate) fn images(each: u64) -> usize {
    let images = MOST_AHEAD.checked_div(each).unwrap_or(u64::MAX);
    usize::try_from(images.max(1)).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_are_full_but_no_fuller() {
        let quarter = WINDOW / 4;
        let sizes =
            [quarter; 5]
                .into_iter()
                .chain([WINDOW, 1, WINDOW - 1, WINDOW + 1, 0, u64::MAX]);
        let expected = [0..4, 4..5, 5..6, 6..8, 8..9, 9..10, 10..11];
        assert_eq!(windows(sizes), expected);
        assert_eq!(windows([]), []);
    }

    #[test]
    fn an_image_is_always_possible() {
        assert_eq!(images(MOST_AHEAD + 1), 1);
        assert_eq!(images(MOST_AHEAD / 3), 3);
        assert_eq!(images(0), usize::MAX);
    }
}
