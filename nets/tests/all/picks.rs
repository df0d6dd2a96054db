//! Operations that pick values and that reorder them.

use nets::{FloatModel, GraphBuilder, Op, Operator as _, Places, Run, Shape, Tensors};
use proptest::prelude::*;

fn run(op: Op, shape: Shape, x: &[f32]) -> Vec<f32> {
    let mut graph = GraphBuilder::new();
    let input = graph.push("input", Op::Input { shape }, &[]);
    graph.push("op", op, &[input]);
    let graph = graph.finish().expect("it fits");
    let tensors = Tensors::new();
    FloatModel { graph, tensors }.run(x).expect("it runs")
}

fn numbers(n: usize) -> Vec<f32> {
    (1..=n)
        .map(|i| f32::from(u16::try_from(i).expect("small")))
        .collect()
}

fn columns(places: Places, n: usize) -> Vec<f32> {
    let op = Op::Pick {
        channels: Places::All,
        rows: Places::All,
        columns: places,
    };
    run(op, Shape::new(1, 1, n), &numbers(n))
}

#[test]
fn constructors() {
    assert_eq!(columns(Places::every(1, 2, 2), 5), [2.0, 4.0]);
    assert_eq!(columns(Places::every(3, -2, 2), 5), [4.0, 2.0]);
    assert_eq!(columns(Places::flipped(3), 3), [3.0, 2.0, 1.0]);
    assert_eq!(
        columns(Places::zeros(1, 2, 2), 2),
        [0.0, 1.0, 2.0, 0.0, 0.0]
    );
    assert_eq!(columns(Places::zeros(0, 2, 0), 2), [1.0, 2.0]);
    assert_eq!(
        columns(Places::edges(2, 2, 1), 2),
        [1.0, 1.0, 1.0, 2.0, 2.0]
    );
    assert_eq!(
        columns(Places::reflected(2, 3, 1), 3),
        [3.0, 2.0, 1.0, 2.0, 3.0, 2.0]
    );
    let single = Places::reflected(0, 1, 1);
    assert!(single.len(1).is_err(), "nothing to reflect");
    assert_eq!(columns(Places::repeated(2, 2), 2), [1.0, 1.0, 2.0, 2.0]);
    assert_eq!(
        columns(Places::gaps(3, 2), 3),
        [1.0, 0.0, 0.0, 2.0, 0.0, 0.0, 3.0]
    );
    assert_eq!(columns(Places::gaps(2, 0), 2), [1.0, 2.0]);
    assert_eq!(columns(Places::All, 2), [1.0, 2.0]);
    assert!(Places::zeros(0, 2, 0).is_all(2) && Places::All.is_all(2));
    assert!(!Places::flipped(2).is_all(2) && !Places::every(0, 1, 2).is_all(3));
}

#[test]
fn rows_and_channels() {
    let op = Op::Pick {
        channels: Places::of([Some(1), None, Some(1)]),
        rows: Places::of([None, Some(0)]),
        columns: Places::flipped(2),
    };
    let y = run(op, Shape::new(2, 1, 2), &numbers(4));
    assert_eq!(
        y,
        [0.0, 0.0, 4.0, 3.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 4.0, 3.0]
    );
}

#[test]
fn orders() {
    // Channels last.
    let (order, shape) = ([1, 2, 0], Shape::vector(8));
    let y = run(
        Op::Reorder { order, shape },
        Shape::new(2, 2, 2),
        &numbers(8),
    );
    assert_eq!(y, [1.0, 5.0, 2.0, 6.0, 3.0, 7.0, 4.0, 8.0]);
    // Read anew.
    let (order, shape) = ([0, 1, 2], Shape::new(1, 2, 3));
    let op = Op::Reorder { order, shape };
    assert_eq!(op.infer(&[Shape::new(3, 2, 1)]), Ok(shape));
    assert_eq!(run(op, Shape::new(3, 2, 1), &numbers(6)), numbers(6));
}

#[test]
fn bounds() {
    let x = [-3.0, -1.0, 0.5, 2.0, 9.0];
    let of = |low, high| run(Op::Clamp { low, high }, Shape::vector(5), &x);
    assert_eq!(of(Some(-1.5), Some(2.5)), [-1.5, -1.0, 0.5, 2.0, 2.5]);
    assert_eq!(of(Some(1.0), None), [1.0, 1.0, 1.0, 2.0, 9.0]);
    assert_eq!(of(None, Some(-1.0)), [-3.0, -1.0, -1.0, -1.0, -1.0]);
    assert_eq!(
        run(Op::Neg, Shape::vector(5), &x),
        [3.0, 1.0, -0.5, -2.0, -9.0]
    );
}

#[test]
fn what_does_not_fit_is_refused() {
    let x = Shape::new(2, 3, 4);
    let huge = usize::MAX / 2;
    for places in [
        Places::of([Some(2)]),
        Places::every(0, 1, 3),
        Places::every(0, -1, 2),
        Places::every(0, 1, 0),
        Places::every(usize::MAX, 0, 1),
        Places::every(0, isize::MAX, huge),
        Places::every(1, isize::MIN, 3),
        Places::every(0, 0, huge),
        Places::Runs(vec![Run::none(usize::MAX), Run::none(usize::MAX)]),
        Places::Runs(vec![]),
        Places::reflected(3, 2, 0),
        Places::reflected(0, 2, 3),
    ] {
        let op = Op::Pick {
            channels: places.clone(),
            rows: Places::All,
            columns: Places::All,
        };
        assert!(op.infer(&[x]).is_err(), "{places:?}");
    }
    for (order, shape) in [
        ([0, 1, 1], x),
        ([1, 2, 3], x),
        ([0, 1, 2], Shape::vector(23)),
        ([0, 1, 2], Shape::new(usize::MAX, 2, 1)),
    ] {
        assert!(Op::Reorder { order, shape }.infer(&[x]).is_err());
    }
    let nan = f64::NAN;
    for (low, high) in [
        (None, None),
        (Some(1.0), Some(1.0)),
        (Some(nan), None),
        (None, Some(f64::INFINITY)),
    ] {
        assert!(Op::Clamp { low, high }.infer(&[x]).is_err());
    }
}

#[test]
fn files_hold_runs() {
    let written = |places: &Places| serde_json::to_string(places).expect("it is written");
    let crop = Places::of((3..200).map(Some));
    assert_eq!(written(&crop), "[[3,1,197]]");
    assert_eq!(
        written(&Places::zeros(2, 4, 1)),
        "[[null,0,2],[0,1,4],null]"
    );
    assert_eq!(written(&Places::of([Some(5), None])), "[5,null]");
    let op = Op::Pick {
        channels: Places::All,
        rows: crop,
        columns: Places::of([Some(5), None]),
    };
    let text = serde_json::to_string(&op).expect("it is written");
    assert_eq!(
        text,
        r#"{"op":"pick","rows":[[3,1,197]],"columns":[5,null]}"#
    );
    assert_eq!(serde_json::from_str::<Op>(&text).expect("it is read"), op);
    for bad in [r#"[[1,2]]"#, r#"["a"]"#, "[[-1,0,2]]", "[1.5]"] {
        assert!(serde_json::from_str::<Places>(bad).is_err(), "{bad}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// A list of places is the same as runs, and after being written.
    #[test]
    fn runs_are_lists(list in prop::collection::vec(prop::option::of(0_usize..9), 1..40)) {
        let places = Places::of(list.iter().copied());
        prop_assert_eq!(places.len(9), Ok(list.len()));
        prop_assert_eq!(&places.iter(9).collect::<Vec<_>>(), &list);
        let text = serde_json::to_string(&places).expect("it is written");
        prop_assert_eq!(&serde_json::from_str::<Places>(&text).expect("it is read"), &places);
        let value = |p: &Option<usize>| p.map_or(0.0, |p| numbers(9)[p]);
        prop_assert_eq!(columns(places, 9), list.iter().map(value).collect::<Vec<_>>());
    }

    /// Every value is where the axes say.
    #[test]
    fn values_go_where_the_order_says(
        (c, h, w) in (1_usize..5, 1_usize..5, 1_usize..5),
        order in Just([0, 1, 2]).prop_shuffle(),
    ) {
        let shape = Shape::new(c, h, w);
        let x = numbers(shape.len());
        let sizes = order.map(|axis| [c, h, w][axis]);
        let out = Shape::new(sizes[0], sizes[1], sizes[2]);
        let y = run(Op::Reorder { order, shape: out }, shape, &x);
        for (i, y) in y.iter().enumerate() {
            let place = [i / out.plane(), i / out.width % out.height, i % out.width];
            let mut from = [0; 3];
            (0..3).for_each(|axis| from[order[axis]] = place[axis]);
            prop_assert_eq!(*y, x[(from[0] * h + from[1]) * w + from[2]]);
        }
    }
}
