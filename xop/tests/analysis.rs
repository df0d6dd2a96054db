//! The analysis: counts by hand, equal members, and the table of the README.

use channel::Cost;
use nonlinear::{SignExtend, TruncReduce};
use ring_arith::Bits;
use sharing::default_extension;
use xop::{Analysis, Error, Layer, Member, Rescale, Widths, analyse};

/// The layer on which the paper's authors compared blocks.
const LAYER: Layer = Layer {
    channels: [64, 64],
    input: [80, 80],
    kernel: 3,
    stride: 1,
};

/// As the example.
fn table(layer: Layer) -> Result<Analysis, Error> {
    let [weights, activations, ring] = [10, 16, 26].map(Bits::of);
    let price = default_extension().price();
    let narrow = TruncReduce::new(ring, ring.get() - activations.get(), true, price);
    let widen = SignExtend::new(activations, ring, price);
    analyse(layer, Widths { weights, ring }, |place, n| match place {
        Rescale::Inner => narrow.rounds(n).then(widen.rounds(n)).cost(),
        Rescale::Output => narrow.rounds(n).cost(),
    })
}

fn member<'a>(table: &'a Analysis, name: &str) -> &'a Member {
    table.member(name).unwrap_or_else(|| panic!("no {name}"))
}

#[test]
fn counts_by_hand() {
    let table = table(LAYER).expect("possible");
    // Taps of a 3 x 3 kernel that meet an input, along one side of 80.
    let (side, plane) = (3 * 80 - 2, 80 * 80);
    let counts = |name: &str| {
        let m = member(&table, name);
        (m.macs, m.weights, m.truncations)
    };
    let taps = side * side;
    let expected = [
        ("dense 3x3", (taps * 4096, 9 * 4096, 64 * 6400)),
        (
            "bottleneck, 1/4",
            (2 * 1024 * plane + 256 * taps, 2 * 1024 + 9 * 256, 96 * 6400),
        ),
        ("depthwise 3x3", (64 * taps, 9 * 64, 64 * 6400)),
        ("pointwise", (4096 * plane, 4096, 64 * 6400)),
        (
            "depthwise-separable",
            (64 * taps + 4096 * plane, 9 * 64 + 4096, 128 * 6400),
        ),
        ("full shuffle", (4096 * plane, 4096, 64 * 6400)),
        (
            "half shuffle",
            (32 * taps + 4096 * plane, 9 * 32 + 4096, 96 * 6400),
        ),
        (
            "X r = 1/4, g = 4",
            (16 * taps + 1024 * plane, 9 * 16 + 1024, 80 * 6400),
        ),
    ];
    for (name, expected) in expected {
        assert_eq!(counts(name), expected, "{name}");
    }
    // Σ over the bits of a weight of the width left, rounded up to bytes row by row, and one bit
    // back for each bit of a weight.
    let bits: u64 = (0..10).map(|j| 26 - j).sum();
    let dense = member(&table, "dense 3x3");
    let ideal = dense.macs * bits / 8 + 36_864 * 10 / 8;
    assert!(dense.direct.bytes() >= ideal && dense.direct.bytes() < ideal + ideal / 100);
}

#[test]
fn members_under_two_names_are_the_same() {
    let table = table(LAYER).expect("possible");
    for (a, b) in [
        ("depthwise-separable", "X r = 1, g = 1"),
        ("half shuffle", "X r = 1/2, g = 1"),
        ("full shuffle", "X r = 0, g = 1"),
    ] {
        let nameless = |n| {
            let mut m = member(&table, n).clone();
            m.name.clear();
            m
        };
        assert_eq!(nameless(a), nameless(b));
    }
    for m in &table.members {
        assert!(m.winograd.bytes() <= m.direct.bytes(), "{}", m.name);
        let several = m.convolutions.iter().any(|c| c.kernel() == [3, 3]);
        assert_eq!(m.winograd != m.direct, several, "{}", m.name);
        let whole = m.direct.flights() + m.rescales.flights();
        assert!(m.flights <= whole && m.flights > m.direct.flights());
    }
    assert_eq!(table.members.len(), 7 + 3 * 4);
}

#[test]
fn other_layers() {
    // A stride has no Winograd form; 3 divides neither way; 5 x 5 on an odd input.
    let layer = Layer {
        channels: [12, 9],
        input: [15, 8],
        kernel: 5,
        stride: 2,
    };
    let found = table(layer).expect("possible");
    assert!(found.member("depthwise 5x5").is_none());
    assert!(found.member("X r = 1/2, g = 2").is_none());
    for m in &found.members {
        let last = m.convolutions.last().expect("one at least");
        assert_eq!(last.output_shape(), [9, 8, 4], "{}", m.name);
    }
    let dense = member(&found, "dense 5x5");
    assert_eq!(dense.winograd, dense.direct);
    let none = Layer { stride: 0, ..layer };
    assert!(matches!(table(none), Err(Error::Zero { .. })));
    let widths = Widths {
        weights: Bits::of(10),
        ring: Bits::of(26),
    };
    let free = analyse(layer, widths, |_, _| Cost::none()).expect("possible");
    assert_eq!(member(&free, "pointwise").flights, 2);
}

#[test]
fn the_readme_has_this_table() {
    let table = table(LAYER).expect("possible").to_string();
    assert!(
        include_str!("../README.md").contains(&table),
        "the README's table is not this one:\n{table}"
    );
}
