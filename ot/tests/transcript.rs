//! What goes over the wire in seeded runs. A changed digest means a changed wire: raise the
//! protocol version and say so in the CHANGELOG.

mod common;

use channel::{Channel, ONLINE, REFILL_SERVER_SENDS, ReadHalf, Role, WriteHalf, memory_pair};
use common::{Rows, bits, words};
use ot::{OtReceiver, OtSender, RcotReceiver, RcotSender, SoftSpokenReceiver, SoftSpokenSender};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use ring_arith::{BitVec, Bits};

/// Runs both parties with a tap between them: the digest and number of bytes from the sender, and
/// from the receiver.
fn tapped(
    stream: u32,
    sender: impl FnOnce(Channel) + Send,
    receiver: impl FnOnce(Channel) + Send,
) -> [String; 2] {
    let (server, tap_client) = memory_pair(1 << 12);
    let (tap_server, client) = memory_pair(1 << 12);
    let open = |connection: channel::Connection| {
        move || connection.open(stream).expect("the stream opens")
    };
    std::thread::scope(|scope| {
        scope.spawn(|| sender(open(server)()));
        scope.spawn(|| receiver(open(client)()));
        let (to_sender, from_sender) = open(tap_client)().split();
        let (to_receiver, from_receiver) = open(tap_server)().split();
        let down = scope.spawn(|| forward(from_sender, to_receiver));
        let up = scope.spawn(|| forward(from_receiver, to_sender));
        [down, up].map(|tap| tap.join().expect("the tap works"))
    })
}

fn forward(mut from: ReadHalf, mut to: WriteHalf) -> String {
    let (mut hasher, mut byte, mut count) = (blake3::Hasher::new(), [0], 0);
    while from.recv(&mut byte).is_ok() {
        hasher.update(&byte);
        count += 1;
        // The other end may have all it wants.
        let _ = to.send(&byte).and_then(|()| to.flush());
    }
    format!("{count} bytes {}", &hasher.finalize().to_hex()[..32])
}

#[test]
fn set_up_and_refill() {
    let session = [9; 16];
    let got = tapped(
        REFILL_SERVER_SENDS,
        |chan| {
            let mut rng = ChaCha20Rng::seed_from_u64(1);
            let mut pool = SoftSpokenSender::setup(chan, 8, &session, &mut rng).expect("set-up");
            pool.draw(&mut [0; 10]).expect("a draw");
        },
        |chan| {
            let mut rng = ChaCha20Rng::seed_from_u64(2);
            let mut pool = SoftSpokenReceiver::setup(chan, 8, &session, &mut rng).expect("set-up");
            pool.draw(&mut BitVec::zeros(10), &mut [0; 10])
                .expect("a draw");
        },
    );
    assert_eq!(got, SET_UP_AND_REFILL);
}

#[test]
fn derived_forms() {
    let session = [9; 16];
    let (bits9, n) = (Bits::of(9), 300);
    let got = tapped(
        ONLINE,
        |mut chan| {
            let pool = Box::new(ot::ideal::ideal_pair([3; 32]).0);
            let mut ot = OtSender::new(pool, &session, Role::Server);
            ot.rot(n).expect("rot");
            ot.cot_words(&mut chan, &words(1, n), bits9)
                .expect("cot_words");
            ot.chosen(&mut chan, &vec![[5, 6]; n]).expect("chosen");
            ot.cot_rows(&mut chan, &mut Rows::<u32>::new(20, 3))
                .expect("short rows");
            ot.cot_rows(&mut chan, &mut Rows::<u64>::new(20, n))
                .expect("long rows");
        },
        |mut chan| {
            let pool = Box::new(ot::ideal::ideal_pair([3; 32]).1);
            let mut ot = OtReceiver::new(pool, &session, Role::Server);
            ot.rot(n).expect("rot");
            ot.cot_words(&mut chan, &bits(3, n), bits9)
                .expect("cot_words");
            ot.chosen(&mut chan, &bits(4, n)).expect("chosen");
            ot.cot_rows(&mut chan, &mut Rows::<u32>::new(20, 3))
                .expect("short rows");
            ot.cot_rows(&mut chan, &mut Rows::<u64>::new(20, n))
                .expect("long rows");
        },
    );
    assert_eq!(got, DERIVED_FORMS);
}

#[test]
fn words_in_batches() {
    let session = [9; 16];
    let (x, y) = (words(5, 130), words(6, 300));
    let (b, c) = (bits(7, 130), bits(8, 300));
    let [narrow, wide] = [5, 47].map(Bits::of);
    let got = tapped(
        ONLINE,
        |mut chan| {
            let pool = Box::new(ot::ideal::ideal_pair([3; 32]).0);
            let mut ot = OtSender::new(pool, &session, Role::Server);
            ot.cot_words_batch(&mut chan, &[(&x, wide), (&y, narrow)])
                .expect("two parts");
        },
        |mut chan| {
            let pool = Box::new(ot::ideal::ideal_pair([3; 32]).1);
            let mut ot = OtReceiver::new(pool, &session, Role::Server);
            ot.cot_words_batch(&mut chan, &[(&b, wide), (&c, narrow)])
                .expect("two parts");
        },
    );
    assert_eq!(got, WORDS_IN_BATCHES);
}

/// Bytes and digest from the sender, from the receiver.
const SET_UP_AND_REFILL: [&str; 2] = [
    "8192 bytes 935cb1f317ba7f2d9a0c078889d1396f",
    "38960 bytes e5b370c3a2ca7b694e303ea6b6bd128a",
];
const WORDS_IN_BATCHES: [&str; 2] = [
    "952 bytes 6e9ab1c722102717dbaa9c490314dba8",
    "54 bytes 2d986406c5196527f7b4c5e16474f98c",
];
const DERIVED_FORMS: [&str; 2] = [
    "16778 bytes 6cc69e874decb3edbc7ac5b0674d9ddd",
    "82 bytes aa39f8d569744e0510eb70adc001f091",
];
