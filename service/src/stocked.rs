//! Runs from preparations: which one is next, and that it serves once.

use std::collections::BTreeSet;

use channel::Role;
use secure::{SecureNetwork, Stock};
use zeroize::Zeroizing;

use crate::control::Control;
use crate::prepare::{NO_STORE, Preparation};
use crate::shelf::{Claimed, Opened, Place, Shelf};
use crate::{Damage, Discard, Error, Token};

/// The most preparations of a session that a server refuses; both parties have the same.
const MOST_REFUSED: usize = 16;

/// What becomes of a run for which there is no preparation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(clippy::exhaustive_enums, reason = "there is no third thing")]
pub enum Otherwise {
    /// It fails, and the session with it.
    Fail,
    /// It is an ordinary one, as are those that follow it: the parties make then what it takes.
    Without,
}

/// A preparation that cannot be used.
#[derive(Clone, PartialEq, Eq, Debug)]
#[expect(clippy::exhaustive_structs, reason = "two facts")]
pub struct PassedOver {
    /// Its name.
    pub token: Token,
    /// Why not.
    pub why: Unfit,
}

/// Why a preparation cannot be used.
#[derive(Clone, PartialEq, Eq, Debug)]
#[expect(clippy::exhaustive_enums, reason = "there are two parties")]
pub enum Unfit {
    /// This party's half does not open. It is left where it is.
    Damaged(Damage),
    /// The server refused it, for this reason. Both halves are gone.
    Refused(String),
}

/// A preparation that opens, what it took, and that it is in no store any more.
type Picked = (Token, (Stock, Preparation), Claimed);

/// The client's: where the preparations of a session come from.
pub(crate) struct Stocked {
    control: Control,
    shelf: Shelf,
    place: Place,
    /// The first, if it was taken before the server was asked for anything.
    first: Option<(Opened, Claimed)>,
    /// Those that are no good.
    passed: Vec<PassedOver>,
    refused: usize,
    otherwise: Otherwise,
    /// What pools are made from, if there is nothing any more.
    seed: Zeroizing<[u8; 32]>,
    /// Whether there is nothing any more.
    over: bool,
}

impl std::fmt::Debug for Stocked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stocked")
            .field("shelf", &self.shelf)
            .field("place", &self.place)
            .finish_non_exhaustive()
    }
}

impl Stocked {
    pub(crate) fn new(
        control: Control,
        (shelf, place): (Shelf, Place),
        first: Option<(Opened, Claimed)>,
        passed: Vec<PassedOver>,
        (otherwise, seed): (Otherwise, [u8; 32]),
    ) -> Self {
        Self {
            control,
            shelf,
            place,
            first,
            passed,
            refused: 0,
            otherwise,
            seed: Zeroizing::new(seed),
            over: false,
        }
    }

    /// Whether the next run may be from a preparation.
    pub(crate) const fn goes_on(&self) -> bool {
        !self.over
    }

    /// Those that are no good, in the order in which they were found.
    pub(crate) fn passed_over(&self) -> &[PassedOver] {
        &self.passed
    }

    /// Preparations that are left on the shelf.
    pub(crate) fn left(&self) -> Result<u64, Error> {
        Ok(self.fit()?.len() as u64)
    }

    /// Those on the shelf that are not known to be no good.
    fn fit(&self) -> Result<Vec<Token>, Error> {
        let bad: BTreeSet<_> = self.passed.iter().map(|passed| passed.token).collect();
        let mut tokens = self.shelf.tokens(&self.place.owner)?;
        tokens.retain(|token| !bad.contains(token));
        Ok(tokens)
    }

    fn pass_over(&mut self, token: Token, why: Unfit) {
        self.passed.push(PassedOver { token, why });
    }

    /// The preparation of the next run, and what it took; `None` if there is none any more, and the run is to be without. It is deleted here before the server hears its
    /// name, and the server has deleted its own when this returns. Whatever happens in between, neither is used a second time. One that is no good, at
    /// either party, is passed over.
    pub(crate) fn next(
        &mut self,
        network: &SecureNetwork,
    ) -> Result<Option<(Stock, Preparation)>, Error> {
        while !self.over
            && self.refused < MOST_REFUSED
            && let Some((token, (stock, spent), claimed)) = self.pick(network)?
        {
            self.control.name(token)?;
            match self.control.answer()? {
                Ok(()) => {
                    claimed.used()?;
                    return Ok(Some((stock, spent)));
                }
                Err(reason) => {
                    claimed.discard(Discard::Lost)?;
                    self.refused += 1;
                    self.pass_over(token, Unfit::Refused(reason));
                }
            }
        }
        if self.over || self.otherwise == Otherwise::Without {
            return Ok(None);
        }
        let (wanted, there) = (1, 0);
        Err(match self.passed.last().map(|passed| passed.why.clone()) {
            None => Error::NotPrepared { wanted, there },
            Some(Unfit::Refused(reason)) => Error::Refused { reason },
            Some(Unfit::Damaged(damage)) => damage.into(),
        })
    }

    /// The first that opens, taken out of the store.
    fn pick(&mut self, network: &SecureNetwork) -> Result<Option<Picked>, Error> {
        if let Some((opened, claimed)) = self.first.take() {
            let token = opened.token;
            match client_stock(network, opened) {
                Ok(stock) => return Ok(Some((token, stock, claimed))),
                Err(damage) => {
                    claimed.discard(Discard::Damaged(damage.clone()))?;
                    self.pass_over(token, Unfit::Damaged(damage));
                }
            }
        }
        for token in self.fit()? {
            let seen = self.shelf.look(&self.place, token)?;
            match seen.map(|opened| client_stock(network, opened?)) {
                Some(Ok(stock)) => {
                    if let Some(claimed) = self.shelf.claim(&self.place, token)? {
                        return Ok(Some((token, stock, claimed)));
                    }
                }
                Some(Err(damage)) => self.pass_over(token, Unfit::Damaged(damage)),
                // Another process was faster.
                None => {}
            }
        }
        Ok(None)
    }

    /// Says that there is nothing for the next run and those that follow, and hears whether the server does them all the same. Gives what their pools
    /// are made from.
    pub(crate) fn go_without(&mut self) -> Result<Zeroizing<[u8; 32]>, Error> {
        self.over = true;
        self.control.without()?;
        self.control.hear()?;
        Ok(std::mem::take(&mut self.seed))
    }
}

/// The server's: what preparations its client names.
pub(crate) struct Named<'a> {
    control: &'a mut Control,
    shelf: &'a Shelf,
    place: Place,
    refused: usize,
    /// Why the last one was.
    last: Option<&'static str>,
    /// Those of them that did not open here.
    pub(crate) damaged: u64,
}

impl<'a> Named<'a> {
    pub(crate) const fn new(control: &'a mut Control, shelf: &'a Shelf, place: Place) -> Self {
        Self {
            control,
            shelf,
            place,
            refused: 0,
            last: None,
            damaged: 0,
        }
    }

    /// The preparation that the client names for the next run; `None` if it has none any more, and no answer to that was given yet. What is not there,
    /// not this client's, was used before or does not open is refused, and the client may name another one.
    pub(crate) fn next(&mut self, network: &SecureNetwork) -> Result<Option<Stock>, Error> {
        while let Some(token) = self.named()? {
            if self.refused >= MOST_REFUSED {
                return Err(Error::peer("the client named ever more preparations"));
            }
            match self.take(token, network) {
                Ok(Ok(stock)) => {
                    self.last = None;
                    self.control.grant()?;
                    return Ok(Some(stock));
                }
                Ok(Err(reason)) => {
                    self.refused += 1;
                    self.last = Some(reason);
                    self.control.deny(reason.to_owned())?;
                }
                Err(error) => {
                    let _ = self.control.refuse(NO_STORE.to_owned());
                    return Err(error);
                }
            }
        }
        Ok(None)
    }

    /// A client that goes away after a refusal does so because of it.
    fn named(&mut self) -> Result<Option<Token>, Error> {
        let named = self.control.named_or_without();
        named.map_err(|error| match (error, self.last) {
            (Error::Transport(_), Some(reason)) => Error::Refused {
                reason: reason.to_owned(),
            },
            (error, _) => error,
        })
    }

    /// What the client hears who has none any more; its runs go on unless they are refused.
    pub(crate) fn answer(&mut self, admitted: Result<(), String>) -> Result<(), Error> {
        match admitted {
            Ok(()) => self.control.grant(),
            Err(reason) => self.control.refuse(reason).map(|never| match never {}),
        }
    }

    /// What a preparation holds, deleted, or what is the matter with it, of which its damage is nothing for clients.
    fn take(
        &mut self,
        token: Token,
        network: &SecureNetwork,
    ) -> Result<Result<Stock, &'static str>, Error> {
        const NONE: &str = "it has no such preparation for this client, model and plan: it was used before, has expired, or was never made";
        const DAMAGED: &str = "its half of this preparation does not open; both halves are gone, and another one may do";
        let stock = match self.shelf.look(&self.place, token)? {
            None => return Ok(Err(NONE)),
            Some(opened) => opened.and_then(|Opened { bytes, .. }| {
                let stock = network.open_stock(Role::Server, bytes);
                stock.map_err(|_| Damage::NoPreparation)
            }),
        };
        match stock {
            Ok(stock) => match self.shelf.claim(&self.place, token)? {
                Some(claimed) => claimed.used().map(|()| Ok(stock)),
                None => Ok(Err(NONE)),
            },
            Err(damage) => {
                self.damaged += 1;
                let why = Discard::Damaged(damage);
                self.shelf.discard(&self.place, token, why)?;
                Ok(Err(DAMAGED))
            }
        }
    }
}

/// A client's half, with what it took.
fn client_stock(network: &SecureNetwork, opened: Opened) -> Result<(Stock, Preparation), Damage> {
    let Opened { mut bytes, .. } = opened;
    let spent = Preparation::noted(&mut bytes).unwrap_or_default();
    let stock = network.open_stock(Role::Client, bytes);
    Ok((stock.map_err(|_| Damage::NoPreparation)?, spent))
}
