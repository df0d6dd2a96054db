//! A peer whose bytes are harmed at places of the fuzzer's choice, in the set-up and in a layer: both
//! ends finish, in time, and an end that failed stays dead. And a peer that sends the fuzzer's bytes as the frames
//! by which streams share a line: every call of every stream ends.
#![no_main]

use std::io::Write;
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::Duration;

use channel::{Channel, Config, Connection, Memory, Relay, Role, Way};
use libfuzzer_sys::fuzz_target;
use nonlinear::Relu;
use ring_arith::Bits;
use sharing::{Error, Session, default_extension};
use testkit::{ideal_session, run_over};

/// The first byte of an input that is frames. 0 is harm to the set-up and a layer, all others to a layer alone.
const FRAMES: u8 = 2;

/// Harm to one byte: the stream and who speaks (1 byte), its place (2 bytes), the mask (1 byte; 0 cuts the line).
const HARM: usize = 4;

struct Harms(Vec<u8>);

impl Relay for Harms {
    fn pass(&self, way: Way, offset: u64, bytes: &mut [u8]) -> usize {
        let mut passed = bytes.len();
        for harm in self.0.chunks_exact(HARM) {
            let from = if harm[0] & 1 == 0 {
                Role::Server
            } else {
                Role::Client
            };
            let at = u64::from(u16::from_le_bytes([harm[1], harm[2]]));
            if way.stream != u32::from(harm[0] >> 1) % 4 || way.from != from || at < offset {
                continue;
            }
            let at = usize::try_from(at - offset).expect("16 bits");
            match bytes.get_mut(at) {
                Some(_) if harm[3] == 0 => passed = passed.min(at),
                Some(byte) => *byte ^= harm[3],
                None => {}
            }
        }
        passed
    }
}

fn layer(s: &mut Session) -> Result<(), nonlinear::Error> {
    let relu = Relu::new(Bits::of(12), s.cot_price());
    s.run(async |party| relu.run(party, &[1, 4000, 17]).await)
        .map(drop)
}

fn party(connection: &Connection, real: bool) {
    let mut s = match real {
        true => match Session::establish(connection, [5; 32], default_extension()) {
            Ok(s) => s,
            Err(_) => return,
        },
        false => ideal_session(connection, 1),
    };
    // A frame, as the programs around the protocol send them.
    if let Ok(mut control) = connection.open(3) {
        let frame = control
            .send_frame(b"a frame")
            .and_then(|()| control.recv_frame(64));
        assert!(frame.is_err() || frame.is_ok_and(|f| f.len() <= 64));
    }
    if layer(&mut s).is_err() {
        assert!(matches!(
            layer(&mut s),
            Err(nonlinear::Error::Sharing(Error::Dead))
        ));
    }
}

/// A peer that sends these bytes and ends.
fn frames(bytes: &[u8]) {
    let (here, mut there) = UnixStream::pair().expect("a pair of sockets");
    let config = Config {
        timeout: Duration::from_secs(5),
        ..Config::default()
    };
    let connection = Connection::multiplex(Role::Server, [7; 16], "a peer", &config, here);
    let connection = connection.expect("it starts");
    let calls: [fn(&mut Channel) -> Result<(), channel::Error>; 4] = [
        |channel| channel.recv(&mut [0; 100]),
        |channel| channel.send(&[1; 200_000]),
        |channel| channel.exchange(&[1; 5000], &mut [0; 300]),
        |channel| channel.recv_frame(1000).map(drop),
    ];
    drop(there.write_all(bytes));
    drop(there.shutdown(Shutdown::Write));
    let mut channels = [0, 1, 2, 3].map(|stream| connection.open(stream).expect("it opens"));
    for (channel, call) in channels.iter_mut().zip(calls) {
        // The peer says no more than it did, and takes nothing.
        while call(channel).is_ok() {}
        assert!(channel.is_dead());
    }
}

fuzz_target!(|bytes: &[u8]| {
    let Some((&first, harms)) = bytes.split_first() else {
        return;
    };
    if first == FRAMES {
        return frames(harms);
    }
    let memory = Memory {
        timeout: Duration::from_secs(2),
        relay: Some(Arc::new(Harms(harms.to_vec()))),
        ..Memory::default()
    };
    // The set-up costs a hundred times the layer.
    let real = first == 0;
    run_over(memory.pair(), |c| party(&c, real), |c| party(&c, real));
});
