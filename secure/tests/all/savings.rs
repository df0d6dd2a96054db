//! What changes of operators would save, against plans of changed networks that are written down here.

use std::sync::Arc;
use std::time::{Duration, Instant};

use import::{ImportOptions, Rounding, WeightBits};
use nets::{Algorithm, GraphBuilder, IntGraph, IntOp, LayerShape, Shape, Window};
use secure::{Algorithms, CpuModel, Mode, Saving, SecureNetwork, savings};
use tests::networks::noise::noise;
use tests::networks::tiles::PRICE;
use tests::networks::trained::imported;

/// Bits of activations, of what is cut off accumulators, and of accumulators.
const ACTIVATION: u32 = 10;
const CUT: u32 = 6;
const RING: u32 = ACTIVATION + CUT;
/// The scale of activations.
const SCALE: i32 = 4;

/// The row of all changes together.
const TOGETHER: &str = "all that save together, rectifiers kept";

/// A network in the making: the last node is what comes next is done with.
struct Net {
    graph: GraphBuilder<IntOp>,
    last: usize,
}

impl Net {
    /// An image of some channels and 8 x 8 pixels, in a ring of so many bits.
    fn of(channels: usize, bits: u32) -> Self {
        let mut graph = GraphBuilder::new();
        let (shape, scale) = (Shape::new(channels, 8, 8), SCALE);
        let last = graph.push("input", IntOp::Input { shape, bits, scale }, &[]);
        Self { graph, last }
    }

    /// An image, and a first layer, which most changes leave alone.
    fn new(channels: usize) -> Self {
        Self::of(3, RING)
            .conv(channels, 1, Window::square(3, 1, 1))
            .cut()
    }

    fn then(mut self, op: IntOp) -> Self {
        self.last = self.graph.push("", op, &[self.last]);
        self
    }

    fn conv(self, out_channels: usize, groups: usize, window: Window) -> Self {
        self.product(LayerShape::Conv {
            out_channels,
            groups,
            window,
        })
    }

    fn product(self, shape: LayerShape) -> Self {
        let (weight_bits, weight_scale) = (5, CUT.cast_signed());
        let by = Algorithm::DIRECT;
        self.then(IntOp::Linear {
            shape,
            weight_bits,
            weight_scale,
            by,
        })
    }

    fn cut(self) -> Self {
        self.cut_by(CUT)
    }

    fn cut_by(self, shift: u32) -> Self {
        let rounded = true;
        self.then(IntOp::TruncReduce { shift, rounded })
    }

    fn extend(self) -> Self {
        self.then(IntOp::Extend { to: RING })
    }

    fn relu(self) -> Self {
        self.then(IntOp::Relu)
    }

    fn plus(self, add: i64) -> Self {
        let (factor, scale) = (1, 0);
        self.then(IntOp::Affine { factor, add, scale })
    }

    /// A last layer, and the output.
    fn end(self) -> IntGraph {
        let net = self.extend().conv(2, 1, Window::square(3, 1, 1)).cut();
        net.then(IntOp::Output).graph.finish().expect("it fits")
    }
}

fn plan(graph: &IntGraph) -> SecureNetwork {
    SecureNetwork::new(Arc::new(graph.clone()), Mode::Faithful, PRICE).expect("it plans")
}

/// Bytes, those of the refill included.
fn bytes(network: &SecureNetwork) -> i64 {
    let cost = network.cost();
    (cost.bytes() + cost.cots.total() * 4).cast_signed()
}

fn all(graph: &IntGraph, algorithms: &Algorithms) -> Vec<Saving> {
    let cpu = CpuModel::default();
    savings(graph, algorithms, Mode::Faithful, PRICE, &cpu).expect("it plans")
}

/// The row of a change, which makes `after` of `before`, and nothing else of it.
#[track_caller]
fn check(change: &str, operators: usize, before: &IntGraph, after: &IntGraph) {
    let found = all(before, &Algorithms::Direct);
    let row = found.iter().find(|row| row.change == change);
    let row = row.unwrap_or_else(|| panic!("{change}: {found:?}"));
    let [now, then] = [before, after].map(plan);
    assert_eq!(row.operators, operators);
    assert_eq!(row.saved_bytes(), bytes(&now) - bytes(&then), "{row:?}");
    assert_eq!(row.now_flights, now.cost().flights());
    assert_eq!(row.after_flights, then.cost().flights());
    let seconds = |network: &SecureNetwork| CpuModel::default().seconds(&network.work());
    assert_eq!(row.now_cpu_s, seconds(&now));
    assert_eq!(row.after_cpu_s, seconds(&then));
    assert!(0 < row.now_bytes && row.now_bytes.cast_signed() <= bytes(&now));
    assert!(row.after_bytes.cast_signed() <= bytes(&then));
}

#[test]
fn a_network_without_such_layers_has_no_savings() {
    let graph = Net::new(3).end();
    assert_eq!(all(&graph, &Algorithms::Direct), []);
    assert_eq!(all(&graph, &Algorithms::default()), []);
}

#[test]
fn an_extension_without_a_relu_before_it_takes_a_comparison() {
    let before = Net::new(4).relu().end();
    let after = Net::new(4).end();
    check("no ReLU", 1, &before, &after);
    // With secret signs the extension takes none either.
    let signed = Net::new(4).then(IntOp::SignedRelu).end();
    check("no ReLU", 1, &signed, &after);
    // So less is saved than what the rectifier is put down for.
    let plan = plan(&before);
    let relu = plan.plan().iter().find(|layer| layer.op == "relu");
    let relu = &relu.expect("it is there").cost;
    let own = relu.bytes() + relu.cots.total() * 4;
    let row = all(&before, &Algorithms::Direct).remove(0);
    assert!(row.saved_bytes() < own.cast_signed(), "{row:?}");
}

#[test]
fn relus_stand_in_for_clips_and_hard_swishes() {
    let after = Net::new(4).relu().end();
    let clipped = Net::new(4).then(IntOp::Clip { top: 96 }).end();
    check("ReLU for ReLU6", 1, &clipped, &after);

    let (fraction, to) = (6, 10 + ACTIVATION);
    let swish = |net: Net| {
        net.plus(3 << SCALE)
            .then(IntOp::HardSwish { fraction, to })
            .plus(1 << 9)
    };
    // Back to the scale of the input, 2·4 + 6 − 10.
    let rounded = swish(Net::new(4)).cut_by(10);
    check("ReLU for hard-swish", 1, &rounded.end(), &after);
}

#[test]
fn the_clip_of_a_hard_sigmoid_stays() {
    let clip = |net: Net| net.plus(3 << SCALE).then(IntOp::Clip { top: 96 });
    let graph = clip(Net::new(4)).end();
    assert_eq!(all(&graph, &Algorithms::Direct), []);
}

#[test]
fn means_stand_in_for_maxima() {
    let pool = Window::square(2, 2, 0);
    let window = pool;
    let three = Window::square(3, 1, 1);
    // Behind a product its accumulators are summed, in two bits more, which the client encodes.
    let before = Net::of(3, RING).conv(8, 1, three).cut();
    let before = before.then(IntOp::MaxPool { window }).relu().end();
    let after = Net::of(3, RING + 2).conv(8, 1, three);
    let after = after.then(IntOp::SumPool { window }).cut_by(CUT + 2);
    check("mean-pool for max-pool", 1, &before, &after.relu().end());

    // Elsewhere it is a mean of values.
    let before = Net::new(8).relu().then(IntOp::MaxPool { window }).end();
    let mean = IntOp::MeanPool {
        window,
        counts_padding: false,
        divisor: 1,
        fraction: 2,
    };
    let to = ACTIVATION + 2;
    let after = Net::new(8).relu().then(IntOp::Extend { to }).then(mean);
    let after = after.plus(2).cut_by(2).end();
    check("mean-pool for max-pool", 1, &before, &after);
}

#[test]
fn gates_go_with_the_branches_that_make_them() {
    let mut net = Net::new(4).relu();
    let after = Net::new(4).relu().end();
    let window = Window::square(8, 1, 0);
    let to = RING + 6;
    let wide = net.then(IntOp::Extend { to });
    let wide_place = wide.last;
    net = wide.then(IntOp::SumPool { window });
    net = net.product(LayerShape::FullyConnected { out_features: 2 });
    net = net.cut_by(to - ACTIVATION).relu().extend();
    net = net
        .product(LayerShape::FullyConnected { out_features: 4 })
        .cut();
    net = net.then(IntOp::Clip { top: 64 });
    // So that the gate's truncation ends in an activation.
    net = net.then(IntOp::Affine {
        factor: 1,
        add: 0,
        scale: 8,
    });
    let gate = net.last;
    let narrow = net
        .graph
        .push("", IntOp::Narrow { to: RING }, &[wide_place]);
    net.last = net.graph.push("", IntOp::Gate, &[narrow, gate]);
    net = net.plus(1 << (CUT - 1)).cut();
    check("no squeeze-and-excite", 1, &net.end(), &after);
}

#[test]
fn x_operators_stand_in_for_dense_convolutions() {
    let three = Window::square(3, 2, 1);
    let before = Net::new(6).relu().extend().conv(4, 1, three).cut().end();
    let mut net = Net::new(6).relu().extend();
    net = net.then(IntOp::ChannelShuffle { groups: 2 });
    let shuffled = net.last;
    let half = |start| IntOp::Slice { start, channels: 3 };
    net = net.then(half(0)).conv(3, 3, three).cut().extend();
    let seen = net.last;
    net.last = shuffled;
    net = net.then(half(3)).then(IntOp::Subsample { stride: 2 });
    net.last = net.graph.push("", IntOp::Concat, &[seen, net.last]);
    let after = net.conv(4, 1, Window::square(1, 1, 0)).cut().end();
    check(
        "X-operators, r = 1/2, g = 1, for dense k x k",
        1,
        &before,
        &after,
    );
}

#[test]
fn pointwise_convolutions_are_divided() {
    let one = Window::square(1, 1, 0);
    let net = |groups| {
        let net = Net::new(8).relu().extend();
        net.conv(12, groups, one).cut().end()
    };
    check("1 x 1 in 4 groups", 1, &net(1), &net(4));
    let odd = Net::new(8).relu().extend().conv(6, 1, one).cut().end();
    let found = all(&odd, &Algorithms::Direct);
    assert!(found.iter().all(|row| row.change != "1 x 1 in 4 groups"));
}

#[test]
fn two_convolutions_become_one() {
    let (one, three) = (Window::square(1, 1, 0), Window::square(3, 2, 1));
    let first = || Net::new(4).relu();
    let between = |net: Net| net.cut().relu().extend();
    let separable = between(first().extend().conv(4, 4, three)).conv(6, 1, one);
    let after = first().extend().conv(6, 1, three).cut().end();
    check(
        "dense k x k for depthwise, then 1 x 1",
        1,
        &separable.cut().end(),
        &after,
    );
    // Whatever the ring of the first product is.
    let wide = first().then(IntOp::Extend { to: RING + 3 });
    let wide = wide.conv(4, 4, three).cut_by(CUT + 3).relu().extend();
    check(
        "dense k x k for depthwise, then 1 x 1",
        1,
        &wide.conv(6, 1, one).cut().end(),
        &after_narrowed(three),
    );
    let expansion = between(first().extend().conv(8, 1, one)).conv(8, 8, three);
    let after = first().extend().conv(8, 1, three).cut().end();
    check(
        "dense k x k for 1 x 1, then depthwise",
        1,
        &expansion.cut().end(),
        &after,
    );
    let bottleneck = between(first().extend().conv(3, 1, one)).conv(5, 1, three);
    let after = first().extend().conv(5, 1, three).cut().end();
    check(
        "dense k x k for 1 x 1, then dense k x k",
        1,
        &bottleneck.cut().end(),
        &after,
    );
}

/// One dense convolution, of values that were in a wider ring already.
fn after_narrowed(window: Window) -> IntGraph {
    let net = Net::new(4).relu().then(IntOp::Extend { to: RING + 3 });
    let net = net.then(IntOp::Narrow { to: RING });
    net.conv(6, 1, window).cut().end()
}

#[test]
fn what_saves_is_also_made_together() {
    let net = |activation, groups| {
        let net = Net::new(8).then(activation).extend();
        let mut net = net.conv(12, groups, Window::square(1, 1, 0)).cut();
        // Nothing is fused beyond this.
        net.last = net.graph.push("", IntOp::Add, &[net.last; 2]);
        net.relu().end()
    };
    let before = net(IntOp::Clip { top: 96 }, 1);
    let after = net(IntOp::Relu, 4);
    check("ReLU for ReLU6", 1, &before, &net(IntOp::Relu, 1));
    check(TOGETHER, 2, &before, &after);
    let rows = all(&before, &Algorithms::Direct);
    assert!(rows.iter().any(|row| row.change == "no ReLU"), "{rows:?}");
    assert_eq!(rows[0].change, TOGETHER);
    // Of one change alone there is no second row.
    let rows = all(&after, &Algorithms::Direct);
    assert!(rows.iter().all(|row| row.change != TOGETHER), "{rows:?}");
}

#[test]
fn what_something_else_takes_is_not_fused_away() {
    let (one, three) = (Window::square(1, 1, 0), Window::square(3, 1, 1));
    let mut net = Net::new(4).relu().extend().conv(4, 4, three).cut().relu();
    let kept = net.last;
    net = net.extend().conv(4, 1, one).cut();
    net.last = net.graph.push("", IntOp::Add, &[net.last, kept]);
    let found = all(&net.end(), &Algorithms::Direct);
    assert!(found.iter().any(|row| row.change == "no ReLU"));
    assert!(found.iter().all(|row| !row.change.starts_with("dense")));
}

/// With algorithms of guard bits, and with all operators that backbones have: no change is left out because its network does not fit
/// together.
#[test]
fn backbones_have_a_row_for_all_that_they_have() {
    let options = ImportOptions {
        weight_bits: WeightBits::Fixed(8),
        rounding: Rounding::Nearest,
        ..ImportOptions::default()
    };
    for (arch, expected) in [
        (
            "mobilenet-v3-small",
            &[
                "no ReLU",
                "ReLU for hard-swish",
                "no squeeze-and-excite",
                "1 x 1 in 4 groups",
                "dense k x k for depthwise, then 1 x 1",
                "dense k x k for 1 x 1, then depthwise",
            ][..],
        ),
        (
            "mobilenet-v2",
            &[
                "ReLU for ReLU6",
                "1 x 1 in 4 groups",
                "dense k x k for depthwise, then 1 x 1",
                "dense k x k for 1 x 1, then depthwise",
            ],
        ),
        (
            "squeezenet",
            &[
                "no ReLU",
                "mean-pool for max-pool",
                "X-operators, r = 1/2, g = 1, for dense k x k",
                "1 x 1 in 4 groups",
            ],
        ),
        (
            "densenet121",
            &[
                "no ReLU",
                "mean-pool for max-pool",
                "X-operators, r = 1/2, g = 1, for dense k x k",
                "1 x 1 in 4 groups",
                "dense k x k for 1 x 1, then dense k x k",
            ],
        ),
    ] {
        let source = backbones::backbone_seeded(arch, Shape::new(3, 64, 64), 4, [5; 32]);
        let source = source.expect("it builds");
        let (model, _) = imported(&source, &noise(&source, 1), &options);
        let found = all(&model.public.graph, &Algorithms::default());
        let changes = found.iter().map(|row| row.change);
        let mut changes: Vec<&str> = changes.filter(|change| *change != TOGETHER).collect();
        let saved: Vec<i64> = found.iter().map(Saving::saved_bytes).collect();
        assert!(saved.is_sorted_by(|a, b| a >= b), "{saved:?}");
        changes.sort_unstable();
        let mut expected = expected.to_vec();
        expected.sort_unstable();
        assert_eq!(changes, expected, "{arch}");
    }
}

#[test]
fn long_chains_take_time_that_grows_with_them() {
    let mut net = Net::new(2);
    for _ in 0..3000 {
        net = net.relu().extend().then(IntOp::Narrow { to: ACTIVATION });
        net = net.extend().conv(2, 1, Window::square(1, 1, 0)).cut();
    }
    let start = Instant::now();
    let found = all(&net.end(), &Algorithms::Direct);
    let relus = found.iter().find(|row| row.change == "no ReLU");
    assert_eq!(relus.map(|row| row.operators), Some(3000), "{found:?}");
    assert!(start.elapsed() < Duration::from_secs(20));
}
