//! A guard that knows whom it is told.
#![allow(dead_code, reason = "no test uses all of it")]

use std::io::{IoSlice, IoSliceMut};
use std::time::Duration;

use channel::{Error, Guard, GuardError, Guarded, PeerIdentity, Ready, Role, Wire};

/// Says its name, hears the peer's, and binds the line to both or to what it is told. It encrypts nothing.
#[derive(Debug)]
pub(crate) struct Badge {
    pub(crate) name: u8,
    pub(crate) refuses: Option<u8>,
    pub(crate) binding: u8,
}

pub(crate) const fn badge(name: u8) -> Badge {
    Badge {
        name,
        refuses: None,
        binding: 1,
    }
}

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0} is not welcome")]
pub(crate) struct Unwelcome(pub(crate) u8);

impl Guard for Badge {
    fn pass(&self, _: Role, wire: Box<dyn Wire>, allowed: Duration) -> Result<Guarded, Error> {
        let closed = |_| Error::Closed {
            phase: "badge".to_owned(),
        };
        wire.try_write(&[IoSlice::new(&[self.name])])
            .map_err(closed)?;
        let mut peer = [0];
        let wanted = Ready {
            read: true,
            write: false,
        };
        wire.wait(wanted, allowed).map_err(closed)?;
        match wire.try_read(&mut [IoSliceMut::new(&mut peer)]) {
            Ok(1) => {}
            Ok(_) => return Err(closed(std::io::ErrorKind::UnexpectedEof.into())),
            Err(_) => {
                return Err(Error::Timeout {
                    phase: "badge".to_owned(),
                    after: allowed,
                });
            }
        }
        if self.refuses == Some(peer[0]) {
            return Err(Error::Guard {
                phase: "badge".to_owned(),
                cause: GuardError::new(Unwelcome(peer[0])),
            });
        }
        Ok(Guarded {
            wire,
            identity: Some(PeerIdentity {
                key: [peer[0]; 32],
                name: format!("number {}", peer[0]),
            }),
            binding: [self.binding; 32],
        })
    }
}
