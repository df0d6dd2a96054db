//! A network in which other operators stand for some.

use std::collections::BTreeMap;

use nets::{IntGraph, IntOp, Rewriter, TensorType};

use super::kind::{Conv, conv, narrowest};

/// A way to change a network.
pub(super) struct Way {
    /// Puts something in the place of a node and says so, or leaves the node to be kept.
    pub(super) visit: fn(&mut Rewrite<'_>, usize) -> bool,
    /// How many bits more the ring of the client's input needs.
    pub(super) more_bits: fn(&IntGraph) -> u32,
}

/// A way that leaves the client's input as it is.
pub(super) const fn way(visit: fn(&mut Rewrite<'_>, usize) -> bool) -> Way {
    let more_bits = |_: &IntGraph| 0;
    Way { visit, more_bits }
}

/// A network that is being changed, node by node. Nodes keep their types: whatever stands in for one has its ring and its scale.
#[derive(Debug)]
pub(super) struct Rewrite<'a> {
    new: Rewriter<'a, IntOp>,
    /// For each old node the one that has the same values in the narrowest ring.
    narrowest: Vec<usize>,
    /// For each of these the new node that has them in the widest ring so far.
    widest: BTreeMap<usize, usize>,
    /// New nodes that will stand in for later ones.
    awaited: BTreeMap<usize, usize>,
    /// The first and the last product of the old network.
    ends: [Option<usize>; 2],
    /// How many operators were changed.
    changed: usize,
}

impl<'a> Rewrite<'a> {
    /// The changed network and how many operators were changed; `None` if there are none.
    ///
    /// # Errors
    /// Those of a graph that does not fit together.
    pub(super) fn apply(
        graph: &'a IntGraph,
        way: &Way,
    ) -> Result<Option<(IntGraph, usize)>, nets::Error> {
        let linear = |&node: &usize| graph.nodes()[node].op.is_linear();
        let mut this = Self {
            ends: [
                (0..graph.len()).find(linear),
                (0..graph.len()).rfind(linear),
            ],
            new: Rewriter::new(graph),
            narrowest: narrowest(graph),
            widest: BTreeMap::new(),
            awaited: BTreeMap::new(),
            changed: 0,
        };
        this.input((way.more_bits)(graph));
        for node in 1..graph.len() {
            if let Some(new) = this.awaited.remove(&node) {
                this.stand_in(node, new);
            } else if !(way.visit)(&mut this, node) {
                let new = this.new.keep(node);
                this.note(node, new);
            }
        }
        if this.changed == 0 {
            return Ok(None);
        }
        let (graph, _) = this.new.finish()?;
        Ok(Some((graph.pruned(graph.len() - 1)?, this.changed)))
    }

    fn input(&mut self, more_bits: u32) {
        match self.graph().nodes()[0].op {
            IntOp::Input { shape, bits, scale } if more_bits > 0 => {
                let to = bits;
                let bits = bits + more_bits;
                let wide = self.push(0, "", IntOp::Input { shape, bits, scale }, &[]);
                let new = self.push(0, ".narrow", IntOp::Narrow { to }, &[wide]);
                self.new.stand_in(0, new);
                self.widest.insert(0, wide);
            }
            _ => {
                let new = self.new.keep(0);
                self.note(0, new);
            }
        }
    }

    /// The old graph.
    pub(super) const fn graph(&self) -> &'a IntGraph {
        self.new.old()
    }

    /// The new node that has the output of an old one.
    pub(super) fn place(&self, old: usize) -> usize {
        self.new.place(old)
    }

    /// The new node that has the values of an old one in the narrowest ring.
    pub(super) fn narrow(&self, old: usize) -> usize {
        self.place(self.narrowest[old])
    }

    /// Whether an old node is the first product or the last.
    pub(super) fn is_end(&self, node: usize) -> bool {
        self.ends.contains(&Some(node))
    }

    /// The old convolution that a node is.
    pub(super) fn conv(&self, node: usize) -> Option<Conv> {
        conv(self.graph(), node)
    }

    /// Appends a new node, named after an old one.
    pub(super) fn push(&mut self, old: usize, suffix: &str, op: IntOp, inputs: &[usize]) -> usize {
        let name = format!("{}{suffix}", self.graph().nodes()[old].name);
        self.new.push(name, op, inputs)
    }

    /// Counts a changed operator.
    pub(super) const fn count(&mut self) {
        self.changed += 1;
    }

    /// The values of an old node in a ring of this many bits.
    pub(super) fn in_ring(&mut self, old: usize, bits: u32) -> usize {
        let source = self.narrowest[old];
        let wide = self.widest.get(&source).copied();
        let mut from = self.place(source);
        for known in [wide, Some(self.place(old))].into_iter().flatten() {
            if self.bits(known) >= bits {
                from = known;
            }
        }
        let new = self.fitted(old, from, bits);
        self.note(old, new);
        new
    }

    /// Lets a new node stand in for an old one, in its ring and at its scale. The ring may be narrower where all that take it extend it.
    pub(super) fn stand_in(&mut self, old: usize, mut new: usize) {
        let (graph, wanted) = (self.graph(), self.graph().types()[old]);
        if let Some(found) = self.type_of(new) {
            let scale = wanted.fixed.scale - found.fixed.scale;
            if scale != 0 {
                let (factor, add) = (1, 0);
                new = self.push(old, ".scale", IntOp::Affine { factor, add, scale }, &[new]);
            }
            let mut consumers = graph.consumers(old).iter();
            let narrower = found.bits() < wanted.bits();
            let extended = consumers.all(|&c| matches!(graph.nodes()[c].op, IntOp::Extend { .. }));
            if !(narrower && extended) {
                new = self.fitted(old, new, wanted.bits().get());
            }
        }
        self.new.stand_in(old, new);
        self.note(old, new);
    }

    /// Lets a new node stand in for an old one that comes later.
    pub(super) fn await_node(&mut self, later: usize, new: usize) {
        self.awaited.insert(later, new);
    }

    fn fitted(&mut self, old: usize, new: usize, to: u32) -> usize {
        match self.bits(new).cmp(&to) {
            std::cmp::Ordering::Less => self.push(old, ".extend", IntOp::Extend { to }, &[new]),
            std::cmp::Ordering::Equal => new,
            std::cmp::Ordering::Greater => self.push(old, ".narrow", IntOp::Narrow { to }, &[new]),
        }
    }

    /// Remembers a new node that has the values of an old one.
    fn note(&mut self, old: usize, new: usize) {
        let source = self.narrowest[old];
        let known = self.widest.get(&source);
        if known.is_none_or(|&known| self.bits(known) < self.bits(new)) {
            self.widest.insert(source, new);
        }
    }

    /// The type of a new node, if all nodes so far fit.
    pub(super) fn type_of(&self, new: usize) -> Option<TensorType> {
        self.new.new_graph().type_of(new).copied()
    }

    /// The bits of a new node's ring; those of any ring where the graph does not fit anyway.
    fn bits(&self, new: usize) -> u32 {
        self.type_of(new).map_or(u64::BITS, |t| t.bits().get())
    }
}
