//! What a client asks for, and whether it gets it.

use std::collections::BTreeSet;

use secure::Mode;

use super::plans::Plans;
use super::{Asked, Server};
use crate::control::{Reception, Wish, Work};
use crate::shelf::{Place, Shelf};
use crate::words::counted;
use crate::{Doubts, Error, Token, prepare, traffic};

impl Server {
    /// The plans of the network for what a client wants, or why it does not get it.
    pub(super) fn plans_for(&self, wish: Wish) -> Result<&Plans, String> {
        let wanted = wish.images;
        let most = match wish.work {
            Work::Infer | Work::Stocked => self.options.max_images,
            Work::Prepare => u32::MAX,
        };
        if !(1..=most).contains(&wanted) {
            let allowed = match most {
                1 => "1 alone".to_owned(),
                _ => format!("1 to {most}"),
            };
            return Err(format!(
                "{wanted} images in one session; it allows {allowed}"
            ));
        }
        let plans = match wish.mode {
            Mode::Faithful => &self.faithful,
            Mode::Fast => &self.fast,
        };
        plans
            .as_ref()
            .ok_or_else(|| format!("it does not compute in {} mode", wish.mode))
    }

    /// What a client asks for.
    pub(super) fn asked(&self, wish: Wish, plans: &Plans) -> Result<Asked, String> {
        let (runs, ahead) = (self.runs(wish.images), plans.get(true));
        let online = || ahead.cost().bytes().saturating_mul(runs);
        let (images, prepared, bytes) = match wish.work {
            Work::Infer => {
                let network = plans.get(wish.ahead);
                let bytes = traffic::bytes(network, runs, self.extension);
                (wish.images, 0, bytes)
            }
            Work::Prepare => {
                let draws = plans.draws(&self.weights)?;
                let bytes = traffic::stock_bytes(ahead, draws, runs, self.extension);
                (0, runs, bytes)
            }
            Work::Stocked => (wish.images, 0, online()),
        };
        Ok(Asked {
            images,
            prepared,
            measured: false,
            detour: false,
            mode: wish.mode,
            ahead: wish.ahead,
            bytes,
        })
    }

    /// Why a client gets no preparations, or no images from them.
    pub(super) fn check_stock(&self, wish: Wish, desk: &mut Desk<'_>) -> Result<(), String> {
        let shelf = desk.shelf.ok_or("it keeps no preparations")?;
        if wish.work != Work::Prepare {
            return Ok(());
        }
        let (runs, most) = (self.runs(wish.images), self.options.max_prepared);
        let there = desk.there(shelf, wish.mode, |there| {
            there.saturating_add(runs) > u64::from(most) && runs <= u64::from(most)
        });
        let (there, doubts) = there.map_err(|error| {
            desk.broken = Some(error);
            prepare::NO_STORE
        })?;
        if there.saturating_add(runs) > u64::from(most) {
            let missed = match doubts.left {
                0 => String::new(),
                left => format!(
                    "; {left} that this client has not any more make room in {} minutes",
                    doubts.wait.div_ceil(60)
                ),
            };
            return Err(format!(
                "it keeps {} of a model for a client: there are {there}, and {runs} are asked for{missed}",
                counted(u64::from(most), "preparation")
            ));
        }
        Ok(())
    }
}

/// A client that has not said yet what it wants.
pub(super) struct Desk<'a> {
    pub(super) shelf: Option<&'a Shelf>,
    pub(super) place: &'a dyn Fn(Mode) -> Place,
    /// Whether it is known who the client is. Those of whom it is not are all one, and none of them speaks for the others.
    pub(super) known: bool,
    pub(super) admit: &'a mut dyn FnMut(&Asked) -> Result<(), String>,
    /// The preparations that it has named and that are there.
    pub(super) named: BTreeSet<Token>,
    /// Whether these are all that it has.
    pub(super) all: bool,
    /// What is the matter with the store: it is for this end alone.
    pub(super) broken: Option<Error>,
}

impl Desk<'_> {
    /// How many preparations of this model the client has here, in any mode; where there is no room, after those were deleted that it
    /// has missed for long.
    fn there(
        &self,
        shelf: &Shelf,
        mode: Mode,
        full: impl FnOnce(u64) -> bool,
    ) -> Result<(u64, Doubts), Error> {
        let owner = (self.place)(mode).owner;
        let there = shelf.count(&owner)?;
        if !(self.known && self.all && full(there)) {
            return Ok((there, Doubts::default()));
        }
        let doubts = shelf.settle(&owner, &self.named, true)?;
        Ok((shelf.count(&owner)?, doubts))
    }
}

impl Reception for Desk<'_> {
    /// A store that fails keeps none as long as it does.
    fn kept(&mut self, mode: Mode, held: &[Option<Token>], all: bool) -> Option<Vec<bool>> {
        let (shelf, owner) = (self.shelf?, (self.place)(mode).owner);
        let there: BTreeSet<_> = shelf.tokens(&owner).ok()?.into_iter().collect();
        let has = |token: &Option<Token>| token.is_some_and(|token| there.contains(&token));
        let named: BTreeSet<_> = held.iter().flatten().copied().collect();
        let named = &named & &there;
        if self.known && !named.is_empty() {
            shelf.settle(&owner, &named, false).ok()?;
        }
        self.named.extend(named);
        self.all |= all;
        Some(held.iter().map(has).collect())
    }

    fn measure(&mut self, bytes: u64) -> Result<(), String> {
        (self.admit)(&Asked {
            images: 0,
            prepared: 0,
            measured: true,
            detour: false,
            mode: Mode::Faithful,
            ahead: false,
            bytes,
        })
    }
}
