//! The wire of every protocol, by digest: if this fails the wire has changed, and the change belongs
//! into the changelog under "Wire".

use linear::{ClientChooses, ConvSpec, Direct, LinearAlgorithm, LinearLayer, LinearShape, RingLwe};
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
    let (packed, unpacked) = (&RingLwe { packed: true }, &RingLwe { packed: false });
    let tasks: [(&dyn LinearAlgorithm, LinearLayer); 11] = [
        (&Direct, layer(conv(1), 8, 26)),
        (&Direct, layer(conv(3), 12, 32)),
        (&Direct, layer(conv(3), 5, 33)),
        (&Direct, layer(CONNECTED, 1, 64)),
        (&Direct, layer(CONNECTED, 9, 6)),
        (&ClientChooses, layer(CONNECTED, 8, 26)),
        (&ClientChooses, layer(CONNECTED, 12, 41)),
        (packed, layer(conv(1), 8, 26)),
        (packed, layer(conv(3), 12, 32)),
        (unpacked, layer(conv(3), 10, 26)),
        (unpacked, layer(CONNECTED, 14, 40)),
    ];
    let baseline = [
        [
            "7d72caea89d3ab97dd536a458f0fccb87d8119cf7194f37a0861fb7607efd460",
            "350af2f2b05bc3959257042066095547ec94c2364167e24866991ac5a96d125c",
        ],
        [
            "da7150e5f003f952a4dba498dd41da5b9094aaafe1c53e2d9448579a700fc911",
            "4d16528f519543676f64430f02c7987d189d2909615655a2e5155970c42abf43",
        ],
        [
            "9aea467d7c81139bd548667adce1749cb3505eef26c7d84e4dad07824271e019",
            "09dd427c58300cb66d8e469be0f9823723d92835a68334c36bc18e4747cf796a",
        ],
        [
            "73f5fa9d832a4c55d90922f1fea9ca4d9971d439aac447804464f8cb528571c5",
            "b664c792df2389b01ee761cf03d47ecd30568dcfc0de8657d955953f133cc1a2",
        ],
        [
            "76867d72a43bdafca88f46f67472c477314033edaf6264f1ae0f3d5529c19b6d",
            "6ba2522c391f45a6a9cf20f69668279f6786848ba87a80955b0cb0c4b77e15fa",
        ],
        [
            "505de3bd6a2e4cba6bb91a325addbe22d426aaf04b048b4f4a8823ff09c123af",
            "1df3870394ef2f6e09b4caef6dcd4335d1a92ba09bf04a5053cdd1afad8a3e89",
        ],
        [
            "b03afce39c1778e2b027fef193fd2499ef24cf44816d2d67b98729bf1bcf7fd1",
            "7019be8fdfee6760f0108d9b019a8209455e6c9f90c0c306a90cd2ddce1470d5",
        ],
        [
            "a72b9136d5703ad4d0989e9fb7877dca05bd9f886696f96d7aeb3cab63cd40f8",
            "fae8d52fa0dd314e369b0ac40309fa4443cb561198e9629e9c64b6ec6efed053",
        ],
        [
            "f4db5c8e11246f7d3a8ab4fd0894f5fea63c881c654ac01effc36aaef1373cdf",
            "4b4cc529469590e5f4ccb38d5691f603f83cbf3f2a79faf426a0c07529882bd6",
        ],
        [
            "425303d150932751b933182665367ae93d7c81cf58f44ac9d34c59834fe5831d",
            "78761ccffc6e71cbafb6362b96800dc4562b5ab924b7bb1197fd1f468d05f7c3",
        ],
        [
            "83efc1a66fc24167498fd95ab9b7c50d91fa65bdc684a2642b72762f03198d4c",
            "107480efc725b750c5fa52d24006609c3237e08679fa0104ba1cddd3fb90820a",
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
