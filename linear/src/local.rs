//! The server's own term W·x_S: the same products on clear words.

use ring_arith::{Word, gemm, slices};

use crate::Products;
use crate::item::{Item, Rect};
use crate::rows::{Plan, gather, words};

/// All products of a pass, wrapping at the word.
pub(crate) fn products<W: Word>(
    products: &Products,
    plan: &Plan,
    weights: &[i32],
    x: &[u64],
) -> Vec<W> {
    let x: Vec<W> = words(plan, x);
    if x.is_empty() {
        return Vec::new();
    }
    let mut y = vec![W::default(); products.output_len()];
    let mut rows = plan.rows();
    while let Some(first) = rows.first() {
        let count = rows.partition_point(|row| row.item == first.item);
        let item = &products.items()[first.item];
        let weights = &weights[item.weights..][..item.m * item.rows.len()];
        if let Some(n) = dense_columns(item) {
            dense(item, n, weights, &x[item.input..], &mut y);
        } else {
            sparse(item, weights, &x[item.input..], &mut y);
        }
        rows = &rows[count..];
    }
    y
}

/// The common length of the rows if all of them contribute to one and the same line.
fn dense_columns(item: &Item) -> Option<usize> {
    let first = item.rows.first()?;
    let line = |r: &Rect| {
        let flat = r.output_strides[0] == r.columns || r.rows == 1;
        flat && r.output_strides[1] == 1 && (r.output, r.len()) == (first.output, first.len())
    };
    (!first.is_empty() && item.rows.iter().all(line)).then_some(first.len())
}

fn dense<W: Word>(item: &Item, n: usize, weights: &[i32], x: &[W], y: &mut [W]) {
    let k = item.rows.len();
    let (mut b, mut row) = (Vec::with_capacity(k * n), Vec::new());
    for rect in &item.rows {
        gather(rect, x, &mut row);
        b.extend_from_slice(&row);
    }
    let mut c = vec![W::default(); item.m * n];
    gemm(item.m, k, n, weights, &b, &mut c);
    for (m, c) in c.chunks_exact(n).enumerate() {
        let start = item.output + m * item.output_stride + item.rows[0].output;
        for (y, &c) in y[start..start + n].iter_mut().zip(c) {
            *y = y.wrapping_add(c);
        }
    }
}

fn sparse<W: Word>(item: &Item, weights: &[i32], x: &[W], y: &mut [W]) {
    let mut row = Vec::new();
    for (k, rect) in item.rows.iter().enumerate().filter(|(_, r)| !r.is_empty()) {
        gather(rect, x, &mut row);
        for m in 0..item.m {
            let weight = weights[m * item.rows.len() + k];
            let start = item.output + m * item.output_stride;
            add_products(rect, &row, weight, &mut y[start..]);
        }
    }
}

/// Adds `weight` times `row` to the places of `y` where the products of a rectangle go.
pub(crate) fn add_products<W: Word>(rect: &Rect, row: &[W], weight: i32, y: &mut [W]) {
    let weight = W::from_i64(weight.into());
    for (i, row) in row.chunks_exact(rect.columns).enumerate() {
        let y = &mut y[rect.output + i * rect.output_strides[0]..];
        if rect.output_strides[1] == 1 {
            slices::add_scaled(&mut y[..rect.columns], row, weight);
        } else {
            for (y, &v) in y.iter_mut().step_by(rect.output_strides[1]).zip(row) {
                *y = y.wrapping_add(v.wrapping_mul(weight));
            }
        }
    }
}
