//! The server's own term W·x_S: the same products, on clear words.

use std::cell::Cell;

use ring_arith::{Word, gemm, slices};

use crate::item::{Item, Rect};
use crate::rows::{gather, scatter_add};

/// Adds the products of an item to `y`, correct modulo the smaller of the two words.
pub(crate) fn add_item<W: Word, V: Word>(item: &Item, weights: &[i32], x: &[V], y: &mut [V]) {
    if item.macs() == 0 {
        return;
    }
    let weights = &weights[item.weights..][..item.m * item.rows.len()];
    let (x, y) = (&x[item.input..], Cell::from_mut(y).as_slice_of_cells());
    if let Some(n) = dense_columns(item) {
        dense::<W, V>(item, n, weights, x, y);
    } else {
        sparse::<W, V>(item, weights, x, y);
    }
}

/// The common length of the rows, if all of them are added to the same consecutive outputs.
fn dense_columns(item: &Item) -> Option<usize> {
    let first = item.rows.first()?;
    let line = |r: &Rect| {
        let flat = r.output_strides[0] == r.columns || r.rows == 1;
        flat && r.output_strides[1] == 1 && (r.output, r.len()) == (first.output, first.len())
    };
    (!first.is_empty() && item.rows.iter().all(line)).then_some(first.len())
}

fn dense<W: Word, V: Word>(item: &Item, n: usize, weights: &[i32], x: &[V], y: &[Cell<V>]) {
    let k = item.rows.len();
    let (mut b, mut row): (Vec<W>, _) = (Vec::with_capacity(k * n), Vec::new());
    for rect in &item.rows {
        gather(rect, x, &mut row);
        b.extend_from_slice(&row);
    }
    let mut c = vec![W::default(); item.m * n];
    gemm(item.m, k, n, weights, &b, &mut c);
    let line = Rect {
        output: item.rows[0].output,
        ..Rect::line(0, n)
    };
    for (m, c) in c.chunks_exact(n).enumerate() {
        scatter_add(&line, c, &y[item.output + m * item.output_stride..]);
    }
}

fn sparse<W: Word, V: Word>(item: &Item, weights: &[i32], x: &[V], y: &[Cell<V>]) {
    let (mut row, mut product): (Vec<W>, Vec<W>) = (Vec::new(), Vec::new());
    for (k, rect) in item.rows.iter().enumerate().filter(|(_, r)| !r.is_empty()) {
        gather(rect, x, &mut row);
        for m in 0..item.m {
            let weight = W::from_i64(weights[m * item.rows.len() + k].into());
            product.clear();
            product.resize(row.len(), W::default());
            slices::add_scaled(&mut product, &row, weight);
            let start = item.output + m * item.output_stride;
            scatter_add(rect, &product, &y[start..]);
        }
    }
}
