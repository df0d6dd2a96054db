//! Runs from preparations: which one is next, and that it serves once.

use channel::Role;
use secure::{SecureNetwork, Stock};

use crate::control::Control;
use crate::prepare::{NO_STORE, Preparation};
use crate::shelf::{Opened, Place, Shelf};
use crate::{Error, Token};

/// Where the preparations of a session come from.
pub(crate) struct Stocked {
    control: Control,
    shelf: Shelf,
    place: Place,
    /// Client: the first, if it was opened before the server was asked for anything.
    first: Option<Opened>,
    /// Client: those that were found not to open.
    damaged: Vec<(Token, sealed::Error)>,
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
    /// Preparations that are left on the shelf.
    pub(crate) fn left(&self) -> Result<u64, Error> {
        let mut tokens = self.shelf.tokens(&self.place.owner)?;
        tokens.retain(|token| self.damaged.iter().all(|(other, _)| other != token));
        Ok(tokens.len() as u64)
    }

    pub(crate) fn new(control: Control, shelf: Shelf, place: Place) -> Self {
        Self {
            control,
            shelf,
            place,
            first: None,
            damaged: Vec::new(),
        }
    }

    /// The same with the preparation of the first run at hand, and without those that do not open.
    pub(crate) fn starting(
        self,
        first: Option<Opened>,
        damaged: Vec<(Token, sealed::Error)>,
    ) -> Self {
        Self {
            first,
            damaged,
            ..self
        }
    }

    /// Client: the preparation of the next run, and what it took. It is deleted here before the server hears its name, and the server has deleted its own when
    /// this returns. Whatever happens in between, neither is used a second time.
    pub(crate) fn next(&mut self, network: &SecureNetwork) -> Result<(Stock, Preparation), Error> {
        let mut bytes = match self.first.take() {
            Some(Opened { token, bytes }) => {
                self.control.name(token)?;
                self.control.hear()?;
                bytes
            }
            None => {
                let taken = self.shelf.take_any(&self.place, &self.damaged)?;
                let (wanted, there) = (1, 0);
                let taken = taken.ok_or(Error::NotPrepared { wanted, there })?;
                self.control.name(taken.token)?;
                // Meanwhile the server takes its own.
                let opened = self.shelf.open(&self.place, taken);
                self.control.hear()?;
                opened?
            }
        };
        let spent = Preparation::noted(&mut bytes).unwrap_or_default();
        Ok((network.open_stock(Role::Client, bytes)?, spent))
    }

    /// Server: the preparation that the client names. What is not there, not this client's, or was used before is refused, and the
    /// session ends.
    pub(crate) fn next_named(&mut self, network: &SecureNetwork) -> Result<Stock, Error> {
        let token = self.control.named()?;
        match self.shelf.take(&self.place, token) {
            Ok(Some(taken)) => match self.shelf.open(&self.place, taken) {
                Ok(bytes) => {
                    self.control.grant()?;
                    Ok(network.open_stock(Role::Server, bytes)?)
                }
                Err(error) => {
                    // Why not is nothing for clients.
                    let reason = "its half of this preparation does not open; both halves are gone, and another one may do";
                    let _ = self.control.refuse(reason.to_owned());
                    Err(error)
                }
            },
            Ok(None) => {
                let reason = "it has no such preparation for this client, model and plan: it was used before, has expired, or was never made";
                self.control
                    .refuse(reason.to_owned())
                    .map(|never| match never {})
            }
            Err(error) => {
                let _ = self.control.refuse(NO_STORE.to_owned());
                Err(error)
            }
        }
    }
}
