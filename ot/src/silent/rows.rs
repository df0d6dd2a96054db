//! Correlations row by row, round by round: what both ends do alike.

use std::collections::VecDeque;

use channel::{Channel, Ledger, Role, SessionId};
use zeroize::Zeroizing;

use super::places::Places;
use super::set::{STEP, SilentSet};
use crate::backend::{Backend, Cipher};
use crate::hash::session_key;
use crate::prg::Prg;
use crate::{Block, Error};

/// What the sender says before the receiver asks for it, in bytes at most; the base of a round comes on top. LOCAL.
const AHEAD: usize = 16 << 10;

/// One end's way to the leaves of a tree, which are its noise with Δ in it.
pub(super) trait End {
    /// Fills `leaves` with the next tree under the public key of `cipher`, using one correlation of `base` for each
    /// level.
    fn tree(
        &mut self,
        chan: &mut Channel,
        cipher: &Cipher,
        base: &[Block],
        leaves: &mut [Block],
    ) -> Result<(), Error>;
}

/// What the public keys of a pool are derived from, next to the set, the stage and the round.
#[derive(Clone, Copy, Debug)]
pub(super) struct Domain {
    pub(super) session: SessionId,
    /// The sender of the OTs.
    pub(super) sender: Role,
}

/// An endless supply of correlations of one end. In all of them the choice is the lowest bit: that of the sender's block is
/// 0, that of the receiver's is the choice, and that of Δ is 1.
pub(super) struct Rows<E> {
    end: E,
    domain: Domain,
    /// 0 for the set whose base comes from elsewhere, 1 for the next.
    stage: u32,
    /// Number of the round in this stage.
    number: u64,
    round: Round,
    /// Steps that are made; the first one is in use.
    steps: VecDeque<Step>,
    /// Correlations of the first step that are used up.
    used: usize,
    /// Steps that were announced, and are not made.
    announced: u64,
    /// Why no more steps can be made.
    failed: Option<Error>,
}

/// Correlations that were made together.
struct Step {
    blocks: Zeroizing<Vec<Block>>,
    /// The traffic up to here.
    ledger: Ledger,
}

/// One instance of the assumption.
struct Round {
    set: SilentSet,
    base: Zeroizing<Vec<Block>>,
    places: Places,
    /// The public keys of the trees.
    keys: Prg,
    /// Rows made, and their trees.
    made: usize,
    trees: usize,
}

impl Round {
    /// `number` counts the rounds of a stage.
    fn new(
        domain: Domain,
        stage: u32,
        number: u64,
        set: SilentSet,
        base: Zeroizing<Vec<Block>>,
    ) -> Self {
        assert_eq!(
            base.len(),
            set.base(),
            "a base as large as the set asks for"
        );
        let key = |purpose: &str| {
            let label = format!(
                "silent OT, {purpose}, sender {}, h {}, t {}, k {}, instances {}, stage {stage}, round {number}",
                domain.sender,
                set.depth(),
                set.rows(),
                set.table(),
                set.instances()
            );
            session_key(&domain.session, &label)
        };
        Self {
            set,
            base,
            places: Places::new(key("places"), set.instances()),
            keys: Prg::new(key("trees")),
            made: 0,
            trees: 0,
        }
    }

    /// Makes the next rows of the round.
    fn step(
        &mut self,
        end: &mut impl End,
        chan: &mut Channel,
        step: &mut [Block],
    ) -> Result<(), Error> {
        let (table, levels) = self.base.split_at(self.set.in_table());
        let depth = self.set.depth();
        for row in step.chunks_mut(self.set.row()) {
            for leaves in row.chunks_mut(1 << depth) {
                let base = &levels[self.trees * depth..][..depth];
                let mut key = [0];
                self.keys.fill_blocks(&mut key);
                end.tree(chan, &Cipher::new(Backend::detect(), key[0]), base, leaves)?;
                self.trees += 1;
            }
            self.places.encode(table, row);
            self.made += 1;
        }
        // The sender delivers what the receiver waits for.
        chan.flush()?;
        Ok(())
    }
}

impl<E: End> Rows<E> {
    /// The first stage, on a base made by another extension.
    pub(super) fn new(end: E, domain: Domain, set: SilentSet, base: Zeroizing<Vec<Block>>) -> Self {
        Self {
            end,
            domain,
            stage: 0,
            number: 0,
            round: Round::new(domain, 0, 0, set, base),
            steps: VecDeque::new(),
            used: 0,
            announced: 0,
            failed: None,
        }
    }

    /// Goes on with another set, the base of which this one makes.
    pub(super) fn climb(&mut self, chan: &mut Channel, set: SilentSet) -> Result<(), Error> {
        let mut base = Zeroizing::new(vec![0; set.base()]);
        self.draw(chan, &mut base)?;
        self.stage += 1;
        self.number = 0;
        self.round = Round::new(self.domain, self.stage, self.number, set, base);
        self.steps.clear();
        self.used = 0;
        Ok(())
    }

    /// Says that `n` more correlations will be drawn, so that the steps of some may be made ahead. The sender's: it waits for nobody, and
    /// whoever draws from two pools in turn would otherwise wait for the peer at every turn.
    pub(super) fn announce(&mut self, n: u64) {
        let made = self.steps.len() * STEP - self.used;
        self.announced = n.saturating_sub(made as u64).div_ceil(STEP as u64);
    }

    /// The traffic up to the last correlation that was drawn, if there was one.
    pub(super) fn ledger(&self) -> Option<&Ledger> {
        self.steps.front().map(|step| &step.ledger)
    }

    /// Correlations until the step after next at most.
    pub(super) fn within_step(&self) -> usize {
        match self.left() {
            0 => STEP,
            left => left,
        }
    }

    /// Correlations of the step in use.
    fn left(&self) -> usize {
        self.steps.front().map_or(0, |_| STEP - self.used)
    }

    /// Fills `out` with the next correlations.
    pub(super) fn draw(&mut self, chan: &mut Channel, mut out: &mut [Block]) -> Result<(), Error> {
        while !out.is_empty() {
            if self.left() == 0 {
                self.next_step(chan)?;
            }
            let taken = out.len().min(self.left());
            let (head, rest) = out.split_at_mut(taken);
            head.copy_from_slice(&self.steps[0].blocks[self.used..][..taken]);
            self.used += taken;
            out = rest;
        }
        Ok(())
    }

    /// Goes on to the next step. Of what was announced two are made for one that is used up, until enough are ahead: nobody waits long
    /// for the first. What fails ahead of its use fails the draw that would use it.
    fn next_step(&mut self, chan: &mut Channel) -> Result<(), Error> {
        let mut spare = self.steps.pop_front().map(|step| step.blocks);
        self.used = 0;
        let set = self.round.set;
        let ahead = chan.room().min(AHEAD) / (STEP / set.row() * set.row_bytes());
        for _ in 0..2 {
            let needed = self.steps.is_empty();
            let wanted = self.announced > 0 && self.steps.len() <= ahead && self.has_room(chan);
            if self.failed.is_none() && (needed || wanted) {
                let blocks = spare
                    .take()
                    .unwrap_or_else(|| Zeroizing::new(vec![0; STEP]));
                self.failed = self.make_step(chan, blocks).err();
            }
        }
        match self.failed.take_if(|_| self.steps.is_empty()) {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }

    /// Whether the line takes what the next step says beside the steps ahead: at the end of a round, the base of the next one as well.
    fn has_room(&self, chan: &Channel) -> bool {
        let set = self.round.set;
        let begins = self.round.made == set.usable();
        !begins || chan.room() >= AHEAD + set.reserve() * set.row_bytes()
    }

    fn make_step(
        &mut self,
        chan: &mut Channel,
        mut blocks: Zeroizing<Vec<Block>>,
    ) -> Result<(), Error> {
        if self.round.made == self.round.set.usable() {
            self.next_round(chan, &mut blocks)?;
        }
        self.round.step(&mut self.end, chan, &mut blocks)?;
        let ledger = chan.ledger().clone();
        self.steps.push_back(Step { blocks, ledger });
        self.announced = self.announced.saturating_sub(1);
        Ok(())
    }

    /// Makes the base of the next round of the rows that this one has kept for it.
    fn next_round(&mut self, chan: &mut Channel, step: &mut [Block]) -> Result<(), Error> {
        let set = self.round.set;
        let mut base = Zeroizing::new(vec![0; set.base()]);
        for part in base.chunks_mut(STEP) {
            self.round.step(&mut self.end, chan, step)?;
            part.copy_from_slice(&step[..part.len()]);
        }
        self.number += 1;
        self.round = Round::new(self.domain, self.stage, self.number, set, base);
        Ok(())
    }
}
