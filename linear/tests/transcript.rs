//! The wire of every protocol, by digest: if this fails the wire has changed, and the change belongs
//! into the changelog under "Wire".

use linear::{ClientChooses, ConvSpec, Direct, LinearAlgorithm, LinearLayer, LinearShape};
use ring_arith::Bits;
use testkit::linear_transcript;

fn layer(shape: LinearShape, weight_bits: u32, bits: u32) -> LinearLayer {
    LinearLayer {
        shape,
        weight_bits: Bits::of(weight_bits),
        bits: Bits::of(bits),
    }
}

/// Dense and in three groups, with steps, gaps and padding; in words of both lengths.
fn conv(groups: usize) -> LinearShape {
    let spec = ConvSpec::new([3, 6], [9, 8], [3, 2], [2, 1], [1, 0, 2, 1], groups);
    let spec = spec.and_then(|spec| spec.dilated([1, 2]));
    LinearShape::Conv(spec.expect("possible"))
}

const CONNECTED: LinearShape = LinearShape::FullyConnected {
    inputs: 19,
    outputs: 7,
};

#[test]
fn the_wire_is_the_one_of_the_baseline() {
    let tasks: [(&dyn LinearAlgorithm, LinearLayer); 7] = [
        (&Direct, layer(conv(1), 8, 26)),
        (&Direct, layer(conv(3), 12, 32)),
        (&Direct, layer(conv(3), 5, 33)),
        (&Direct, layer(CONNECTED, 1, 64)),
        (&Direct, layer(CONNECTED, 9, 6)),
        (&ClientChooses, layer(CONNECTED, 8, 26)),
        (&ClientChooses, layer(CONNECTED, 12, 41)),
    ];
    let baseline = [
        [
            "7d72caea89d3ab97dd536a458f0fccb87d8119cf7194f37a0861fb7607efd460",
            "a85c60650c3ee471052431aa6da1f6fe1d239d8d46b5438ed290b2959c59403a",
        ],
        [
            "da7150e5f003f952a4dba498dd41da5b9094aaafe1c53e2d9448579a700fc911",
            "3c8edaf18c8cd030a26f84cb5987596386c069d44f91d3c3d4cbee562a71b17c",
        ],
        [
            "9aea467d7c81139bd548667adce1749cb3505eef26c7d84e4dad07824271e019",
            "fc77c117204d1ce1464572a30e460a924c76a468e4f0e504a3238e20cb5cc19e",
        ],
        [
            "73f5fa9d832a4c55d90922f1fea9ca4d9971d439aac447804464f8cb528571c5",
            "ab4574aa60557a28cda4f31ef3d6e93062d625eea1398e2ad7773bb46b3f6168",
        ],
        [
            "76867d72a43bdafca88f46f67472c477314033edaf6264f1ae0f3d5529c19b6d",
            "97054cacace41937657a723236bc86e30958f45a066702d5bb6f5f54109a2040",
        ],
        [
            "bee0416eee082dc13e59af5e67bf9be126b57f61ce7d850775e7ccd71a0d6771",
            "1df3870394ef2f6e09b4caef6dcd4335d1a92ba09bf04a5053cdd1afad8a3e89",
        ],
        [
            "d245f91c9d29488fdd123c74028770a3aaea21b984945f89f9098427a842b97e",
            "7019be8fdfee6760f0108d9b019a8209455e6c9f90c0c306a90cd2ddce1470d5",
        ],
    ];
    assert_eq!(tasks.len(), baseline.len());
    for ((algorithm, layer), digests) in tasks.into_iter().zip(baseline) {
        assert_eq!(
            linear_transcript(algorithm, &layer),
            digests,
            "{algorithm:?}, {layer:?}"
        );
    }
}
