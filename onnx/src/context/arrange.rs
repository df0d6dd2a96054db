//! Bringing values into the order that an operation needs, and taking some of them.

use nets::{Op, Places, Shape};

use super::Context;
use crate::array::elements;
use crate::error::{Fault, invalid};
use crate::layout::Layout;
use crate::value::Feature;

/// The most places of an axis that are taken: far more than rows of an image or features of a vector.
pub(crate) const MAX_PLACES: usize = 1 << 22;

/// Which places of an axis are taken, `None` where there is a zero; or all as they are.
pub(crate) type Taken = Option<Vec<Option<usize>>>;

impl Context<'_> {
    /// The tensor, which must not be padded, as the output of a node of this shape that has the values in the order of the
    /// tensor's axes `order`.
    pub(crate) fn arranged(
        &mut self,
        label: &str,
        x: &Feature,
        order: &[usize],
        shape: Shape,
    ) -> Result<Feature, Fault> {
        let turned = x.layout.permuted(order);
        let shape = shape.check().map_err(Fault::Unsupported)?;
        let fresh = self.nodes.len();
        let node = if turned.is_row_major() {
            x.node
        } else {
            self.turned(label, x.node, &turned, shape, fresh)
        };
        let node = self.read_as(label, node, shape, fresh);
        Ok(Feature {
            node,
            layout: Layout::row_major(turned.dims).restored(order),
            alone: node >= fresh || node == x.node && x.alone,
            ..x.clone()
        })
    }

    /// The tensor as the output of a node whose channels are these axes, in this order, and whose plane are the others.
    pub(crate) fn led(
        &mut self,
        label: &str,
        x: &Feature,
        axes: &[usize],
    ) -> Result<Feature, Fault> {
        let others = (0..x.dims().len()).filter(|axis| !axes.contains(axis));
        let order: Vec<usize> = axes.iter().copied().chain(others).collect();
        let turned = x.layout.permuted(&order);
        let (front, back) = turned.dims.split_at(axes.len());
        let channels = front.iter().product();
        let now = self.shapes[x.node];
        let longer: Vec<usize> = back.iter().copied().filter(|&side| side > 1).collect();
        let shape = match longer[..] {
            _ if turned.is_row_major() && now.channels == channels => now,
            [height, width] => Shape::new(channels, height, width),
            _ => Shape::new(channels, longer.iter().product(), 1),
        };
        self.arranged(label, x, &order, shape)
    }

    /// The tensor with other dimensions and its values in the same order. Where they are not in the order of its node,
    /// they become so.
    pub(crate) fn reshaped(
        &mut self,
        label: &str,
        x: &Feature,
        dims: &[usize],
    ) -> Result<Feature, Fault> {
        if let Some(layout) = x.layout.reshaped(dims) {
            return Ok(Feature {
                layout,
                ..x.clone()
            });
        }
        let shape = match *dims {
            [1, c, h, w] => Shape::new(c, h, w),
            _ => Shape::vector(x.layout.len()),
        };
        let order: Vec<usize> = (0..x.dims().len()).collect();
        let y = self.arranged(label, x, &order, shape)?;
        match y.layout.reshaped(dims) {
            Some(layout) => Ok(Feature { layout, ..y }),
            None => invalid(format!(
                "{} does not fill {}",
                crate::array::show(x.dims()),
                crate::array::show(dims)
            )),
        }
    }

    /// The image inside its padding.
    pub(crate) fn unpadded(&self, x: &Feature, around: [usize; 4]) -> Result<Feature, Fault> {
        let shape = self.shapes[x.node];
        let [top, left, bottom, right] = around;
        let (height, width) = (shape.height + top + bottom, shape.width + left + right);
        let dims = vec![1, shape.channels, shape.height, shape.width];
        if *x.dims() != [1, shape.channels, height, width] {
            return invalid("its padding has another shape");
        }
        Ok(Feature {
            layout: Layout::row_major(dims),
            ..x.clone()
        })
    }

    /// The tensor as the output of a node that has its values in their order, as a vector.
    pub(crate) fn vector(&mut self, label: &str, x: &Feature) -> Result<Feature, Fault> {
        let order: Vec<usize> = (0..x.dims().len()).collect();
        self.arranged(label, x, &order, Shape::vector(x.layout.len()))
    }

    /// The node whose output has the values of another one in the same order, in this shape.
    fn read_as(&mut self, label: &str, node: usize, shape: Shape, fresh: usize) -> usize {
        if self.shapes[node] == shape {
            return node;
        }
        if node >= fresh
            && let Op::Reorder { shape: made, .. } = &mut self.nodes[node].op
        {
            // It was made for this, so nothing else takes it.
            *made = shape;
            self.shapes[node] = shape;
            return node;
        }
        let mut base = node;
        while let Op::Flatten
        | Op::Reorder {
            order: [0, 1, 2], ..
        } = self.nodes[base].op
        {
            base = self.nodes[base].inputs[0];
        }
        if self.shapes[base] == shape {
            return base;
        }
        let op = if shape.plane() == 1 {
            Op::Flatten
        } else {
            let order = [0, 1, 2];
            Op::Reorder { order, shape }
        };
        self.emit_shaped(&format!("{label}.order"), op, &[base], shape)
            .node
    }

    /// The node whose output has the values in the order of a layout that is not in the order of `node`. Blocks of
    /// axes change places until the order is right.
    fn turned(
        &mut self,
        label: &str,
        mut node: usize,
        layout: &Layout,
        shape: Shape,
        fresh: usize,
    ) -> usize {
        let wanted = layout.parts();
        let mut current = wanted.clone();
        current.sort_by_key(|&(_, stride)| std::cmp::Reverse(stride));
        if let Some(groups) = self.shuffle(node, &current, &wanted, shape) {
            let op = Op::ChannelShuffle { groups };
            return self.emit_shaped(label, op, &[node], shape).node;
        }
        let size = |parts: &[(usize, usize)]| parts.iter().map(|part| part.0).product::<usize>();
        for at in 0..wanted.len() {
            let Some(from) = (at..current.len()).find(|&i| current[i] == wanted[at]) else {
                continue;
            };
            if from == at {
                continue;
            }
            let run = (0..current.len() - from)
                .take_while(|i| wanted.get(at + i) == Some(&current[from + i]))
                .count();
            let before = size(&current[..at]);
            let [passed, moved] = [&current[at..from], &current[from..from + run]].map(size);
            let after = size(&current[from + run..]);
            node = if before == 1 {
                let read = Shape::new(passed, moved, after);
                self.swapped(label, node, read, [1, 0, 2], fresh)
            } else {
                let behind = after > 1;
                if behind {
                    // What stays behind is put in front for the time being: there are three axes only.
                    let read = Shape::new(before * passed * moved, after, 1);
                    node = self.swapped(label, node, read, [1, 0, 2], fresh);
                }
                let read = Shape::new(after * before, passed, moved);
                node = self.swapped(label, node, read, [0, 2, 1], fresh);
                if behind {
                    let read = Shape::new(after, before * moved * passed, 1);
                    node = self.swapped(label, node, read, [1, 0, 2], fresh);
                }
                node
            };
            current[at..from + run].rotate_left(from - at);
        }
        node
    }

    /// The groups of the channel shuffle that makes this order, if one does.
    fn shuffle(
        &self,
        node: usize,
        current: &[(usize, usize)],
        wanted: &[(usize, usize)],
        shape: Shape,
    ) -> Option<usize> {
        let (&[groups, each, ref plane @ ..], true) = (current, shape == self.shapes[node]) else {
            return None;
        };
        let [first, second, rest @ ..] = wanted else {
            return None;
        };
        let swapped = (*first, *second, rest) == (each, groups, plane);
        let is_channels = each.1 == shape.plane() && groups.0 * each.0 == shape.channels;
        (swapped && is_channels).then_some(groups.0)
    }

    /// Reads a node's output as a shape, and puts its axes in another order.
    fn swapped(
        &mut self,
        label: &str,
        node: usize,
        read: Shape,
        order: [usize; 3],
        fresh: usize,
    ) -> usize {
        let node = self.read_as(label, node, read, fresh);
        let sides = [read.channels, read.height, read.width];
        let [channels, height, width] = order.map(|axis| sides[axis]);
        let shape = Shape::new(channels, height, width);
        let op = Op::Reorder { order, shape };
        self.emit_shaped(&format!("{label}.order"), op, &[node], shape)
            .node
    }

    /// Some of the places of each axis.
    pub(crate) fn picked(
        &mut self,
        label: &str,
        x: &Feature,
        mut taken: Vec<Taken>,
    ) -> Result<Feature, Fault> {
        let mut dims = x.dims().to_vec();
        for (side, list) in dims.iter_mut().zip(&mut taken) {
            if let Some(places) = list {
                if places.iter().flatten().any(|&place| place >= *side) {
                    return invalid("it takes places that are not there");
                }
                let unchanged =
                    places.len() == *side && places.iter().enumerate().all(|(i, p)| *p == Some(i));
                *side = places.len();
                if unchanged {
                    *list = None;
                }
            }
        }
        if elements(&dims).map_err(Fault::Unsupported)? == 0 {
            return invalid("nothing is left of it");
        }
        if taken.iter().all(Option::is_none) {
            return Ok(x.clone());
        }
        if let Some(axes) = self.own_axes(x, &taken) {
            return self.picked_along(label, x, taken, &axes);
        }
        let rank = dims.len();
        let natural: Vec<usize> = (0..rank).collect();
        if let [1, c, h, w] = *x.dims()
            && taken[0].is_none()
        {
            let image = self.arranged(label, x, &natural, Shape::new(c, h, w))?;
            return self.picked_along(label, &image, taken, &[None, Some(0), Some(1), Some(2)]);
        }
        let mut x = x.clone();
        for axis in 0..rank {
            let Some(list) = taken[axis].take() else {
                continue;
            };
            let before: usize = x.dims()[..axis].iter().product();
            let after: usize = x.dims()[axis + 1..].iter().product();
            let side = x.dims()[axis];
            let (shape, own) = if before == 1 {
                (Shape::new(side, after, 1), 0)
            } else {
                (Shape::new(before, side, after), 1)
            };
            x = self.arranged(label, &x, &natural, shape)?;
            let mut only = vec![None; rank];
            only[axis] = Some(list);
            let mut axes = vec![None; rank];
            axes[axis] = Some(own);
            x = self.picked_along(label, &x, only, &axes)?;
        }
        Ok(x)
    }

    /// For each axis of which places are taken, which axis of the node's output it is, if all are one.
    fn own_axes(&self, x: &Feature, taken: &[Taken]) -> Option<Vec<Option<usize>>> {
        let shape = self.shapes[x.node];
        let own = [
            (shape.channels, shape.plane()),
            (shape.height, shape.width),
            (shape.width, 1),
        ];
        let mut free = [true; 3];
        let mut axes = vec![None; taken.len()];
        for axis in (0..taken.len()).filter(|&axis| taken[axis].is_some()) {
            let part = (x.dims()[axis], x.layout.stride(axis));
            let found = (0..3).find(|&i| free[i] && own[i] == part)?;
            free[found] = false;
            axes[axis] = Some(found);
        }
        Some(axes)
    }

    /// As [`Context::picked`], where `axes` says which axis of the node's output each changed axis is.
    fn picked_along(
        &mut self,
        label: &str,
        x: &Feature,
        taken: Vec<Taken>,
        axes: &[Option<usize>],
    ) -> Result<Feature, Fault> {
        let mut dims = x.dims().to_vec();
        let mut own: [Taken; 3] = [None, None, None];
        for ((list, axis), side) in taken.into_iter().zip(axes).zip(&mut dims) {
            if let (Some(list), Some(axis)) = (list, axis) {
                *side = list.len();
                own[*axis] = Some(list);
            }
        }
        let old = self.shapes[x.node];
        // Axes keep their order in the node's output.
        let group = |axis: usize| match (axes[axis], x.layout.stride(axis)) {
            (Some(own), _) => own,
            (None, stride) if x.dims()[axis] == 1 || stride >= old.plane() => 0,
            (None, stride) if stride >= old.width => 1,
            _ => 2,
        };
        let mut order: Vec<usize> = (0..dims.len()).collect();
        order.sort_by_key(|&axis| (group(axis), std::cmp::Reverse(x.layout.stride(axis))));
        let y = self.moved(label, own, x)?;
        let sides = order.iter().map(|&axis| dims[axis]).collect();
        Ok(Feature {
            layout: Layout::row_major(sides).restored(&order),
            ..y
        })
    }

    /// Takes places of the axes of a node's output. What was taken from another one is taken from there.
    fn moved(&mut self, label: &str, own: [Taken; 3], x: &Feature) -> Result<Feature, Fault> {
        let node = &self.nodes[x.node];
        let before = node
            .inputs
            .first()
            .map(|&input| (input, self.shapes[input]));
        let earlier =
            before.and_then(|(input, shape)| Some((input, shape, taken_by(&node.op, shape)?)));
        let (input, shape, own) = match earlier {
            Some((input, shape, earlier)) => {
                let both = earlier.into_iter().zip(own).map(|pair| match pair {
                    (Some(old), Some(new)) => {
                        Some(new.into_iter().map(|place| old[place?]).collect())
                    }
                    (one, other) => one.or(other),
                });
                let both: Vec<Taken> = both.collect();
                let both: [Taken; 3] = both.try_into().expect("three axes");
                (input, shape, both)
            }
            None => (x.node, self.shapes[x.node], own),
        };
        let from = Feature {
            node: input,
            ..x.clone()
        };
        self.emit(label, move_of(own, shape), &from)
    }

    /// The tensor with axes of length one repeated until it has these dimensions.
    pub(crate) fn expanded(
        &mut self,
        label: &str,
        x: &Feature,
        dims: &[usize],
    ) -> Result<Feature, Fault> {
        let x = self.raised(x, dims.len())?;
        let repeated = |(&from, &to): (&usize, &usize)| match (from, to) {
            (a, b) if a == b => Ok(None),
            (1, n) if n <= MAX_PLACES => Ok(Some(vec![Some(0); n])),
            _ => invalid(format!(
                "{} does not fill {}",
                crate::array::show(x.dims()),
                crate::array::show(dims)
            )),
        };
        elements(dims).map_err(Fault::Unsupported)?;
        let taken = x.dims().iter().zip(dims).map(repeated);
        let taken = taken.collect::<Result<Vec<_>, Fault>>()?;
        self.picked(label, &x, taken)
    }

    /// The tensor with axes of length one before its own.
    pub(crate) fn raised(&self, x: &Feature, rank: usize) -> Result<Feature, Fault> {
        let missing = rank.saturating_sub(x.dims().len());
        if missing > 0 {
            self.check_batch()?;
        }
        let dims = [vec![1; missing], x.dims().to_vec()].concat();
        match x.layout.reshaped(&dims) {
            Some(layout) => Ok(Feature {
                layout,
                ..x.clone()
            }),
            None => invalid("its dimensions do not fit"),
        }
    }
}

/// The places of channels, rows and columns that an operation takes, if it only does that.
fn taken_by(op: &Op, shape: Shape) -> Option<[Taken; 3]> {
    let all = |places: &Places, side: usize| match places {
        Places::All => None,
        Places::Runs(_) => Some(places.iter(side).collect()),
    };
    match op {
        Op::Slice { start, channels } => {
            let taken = (*start..start + channels).map(Some).collect();
            Some([Some(taken), None, None])
        }
        Op::Subsample { stride } => {
            let every = |side: usize| Some((0..side).step_by(*stride).map(Some).collect());
            Some([None, every(shape.height), every(shape.width)])
        }
        Op::Pick {
            channels,
            rows,
            columns,
        } => Some([
            all(channels, shape.channels),
            all(rows, shape.height),
            all(columns, shape.width),
        ]),
        _ => None,
    }
}

/// The operation that takes places of channels, rows and columns: a plain one where it is one.
fn move_of([channels, rows, columns]: [Taken; 3], shape: Shape) -> Op {
    if let (Some(channels), None, None) = (&channels, &rows, &columns) {
        let zeros = |places: &mut dyn Iterator<Item = &Option<usize>>| {
            places.take_while(|place| place.is_none()).count()
        };
        let front = zeros(&mut channels.iter());
        let back = zeros(&mut channels.iter().rev());
        let inner = channels.get(front..channels.len().saturating_sub(back));
        if let Some([Some(start), ..]) = inner {
            let inner = inner.unwrap_or_default();
            let count = inner.len();
            let runs = (inner.iter().enumerate()).all(|(i, place)| *place == Some(start + i));
            if runs && (front, back) == (0, 0) {
                let (start, channels) = (*start, count);
                return Op::Slice { start, channels };
            }
            if runs && (*start, count) == (0, shape.channels) {
                return Op::PadChannels { front, back };
            }
        }
    }
    let step = |places: &[Option<usize>], side: usize| match *places {
        [Some(0), Some(step @ 1..), ..] => (places.len() == side.div_ceil(step)
            && (places.iter().enumerate()).all(|(i, place)| *place == Some(i * step)))
        .then_some(step),
        _ => None,
    };
    if let (None, Some(rows), Some(columns)) = (&channels, &rows, &columns)
        && let (Some(stride), Some(other)) = (step(rows, shape.height), step(columns, shape.width))
        && stride == other
    {
        return Op::Subsample { stride };
    }
    let [channels, rows, columns] =
        [channels, rows, columns].map(|taken| taken.map_or(Places::All, Places::of));
    Op::Pick {
        channels,
        rows,
        columns,
    }
}
