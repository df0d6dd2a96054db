//! Greetings over a socket, within a deadline whatever the peer does.

use std::io::{ErrorKind, IoSlice, IoSliceMut, Result as IoResult};
use std::time::Duration;

use crate::deadline::Deadline;
use crate::guard::PeerIdentity;
use crate::handshake::{Hello, PREFIX, Prefix, START, is_tls};
use crate::wire::{Ready, Wire};
use crate::{Error, HANDSHAKE};

/// A line during its handshake.
pub(crate) struct Greeter {
    pub(crate) wire: Box<dyn Wire>,
    /// Who is at the other end, where a guard found out.
    pub(crate) identity: Option<PeerIdentity>,
    /// What is the same at both ends of this line alone, where there is a guard.
    pub(crate) binding: Option<[u8; 32]>,
    deadline: Deadline,
    /// The peer has said something.
    pub(crate) heard: bool,
}

/// A greeting as it came: its body means something only if the versions agree.
pub(crate) struct Greeting {
    pub(crate) version: u32,
    kind: u8,
    body: Vec<u8>,
}

impl Greeter {
    /// The line has begun.
    pub(crate) fn new(
        wire: Box<dyn Wire>,
        identity: Option<PeerIdentity>,
        binding: Option<[u8; 32]>,
        deadline: Deadline,
    ) -> Self {
        Self {
            wire,
            identity,
            binding,
            deadline,
            heard: false,
        }
    }

    /// Starts the time anew.
    pub(crate) fn restart(&mut self, allowed: Duration) {
        self.deadline = Deadline::after(allowed);
    }

    pub(crate) fn say(&mut self, hello: &Hello, version: u32) -> Result<(), Error> {
        let bytes = hello.encode(version);
        let outcome = self.write(&bytes);
        outcome.map_err(|cause| self.failed(cause))
    }

    pub(crate) fn hear(&mut self) -> Result<Greeting, Error> {
        let mut start = [0; START];
        self.read(&mut start).map_err(|cause| self.failed(cause))?;
        if is_tls(start) {
            return Err(Error::SpeaksTls);
        }
        let mut prefix = [0; PREFIX];
        prefix[..START].copy_from_slice(&start);
        self.read(&mut prefix[START..])
            .map_err(|cause| self.failed(cause))?;
        let Prefix {
            version,
            kind,
            length,
        } = Prefix::parse(&prefix)?;
        let mut body = vec![0; length];
        self.read(&mut body).map_err(|cause| self.failed(cause))?;
        Ok(Greeting {
            version,
            kind,
            body,
        })
    }

    /// Whether the peer has hung up meanwhile.
    pub(crate) fn has_left(&self) -> bool {
        self.wire.has_ended()
    }

    /// Says something short without waiting; whether the peer takes it.
    pub(crate) fn tell(&self, hello: &Hello, version: u32) -> bool {
        let bytes = hello.encode(version);
        let written = self.wire.try_write(&[IoSlice::new(&bytes)]);
        written.is_ok_and(|count| count == bytes.len())
    }

    fn failed(&self, cause: std::io::Error) -> Error {
        Error::from_io(cause, HANDSHAKE, self.deadline.allowed)
    }

    fn read(&mut self, mut out: &mut [u8]) -> IoResult<()> {
        while !out.is_empty() {
            let left = self.deadline.left()?;
            match self.wire.read(&mut [IoSliceMut::new(out)], left) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(count) => {
                    let count = crate::line::believable(count, out.len())?;
                    out = &mut out[count..];
                }
                Err(error) if is_early(error.kind()) => continue,
                Err(error) => return Err(error),
            }
            self.heard = true;
        }
        Ok(())
    }

    fn write(&mut self, mut bytes: &[u8]) -> IoResult<()> {
        while !bytes.is_empty() {
            let left = self.deadline.left()?;
            match self.wire.try_write(&[IoSlice::new(bytes)]) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(count) => bytes = &bytes[crate::line::believable(count, bytes.len())?..],
                Err(error) if is_early(error.kind()) => {
                    let wanted = Ready {
                        read: false,
                        write: true,
                    };
                    self.wire.wait(wanted, left)?;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// Whether the deadline decides, and not this call.
fn is_early(kind: ErrorKind) -> bool {
    use ErrorKind::{Interrupted, TimedOut, WouldBlock};
    matches!(kind, Interrupted | TimedOut | WouldBlock)
}

impl Greeting {
    /// What it says, if it is of our version.
    pub(crate) fn decode(&self, ours: u32) -> Result<Hello, Error> {
        if self.version != ours {
            return Err(Error::VersionMismatch {
                ours,
                theirs: self.version,
            });
        }
        self.decode_any()
    }

    /// What it says if it is of a version that writes it as ours does.
    pub(crate) fn decode_any(&self) -> Result<Hello, Error> {
        Hello::decode(self.kind, &self.body)
    }

    /// Whether it is of a further connection of a session.
    pub(crate) fn is_lane(&self) -> bool {
        self.kind == crate::handshake::KIND_LANE
    }
}
