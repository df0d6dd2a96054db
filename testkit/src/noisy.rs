//! A back-end for tests: everything that the interface of linear layers allows, and no secrecy at all.

use std::sync::Arc;

use channel::{Cost, Role};
use linear::{
    AheadProtocol, AheadTurn, Error, LayerParameters, LinearAlgorithm, LinearLayer, LinearProtocol,
    Prepared, Refusal, SetUp, Timing, Turn, Work, add_bias, clear,
};
use ring_arith::{Bits, pack, packed_len, slices, unpack};
use sharing::{Party, Reveal, Rounds, Session};

/// **Insecure**, for tests of what plans and runs linear layers: the client tells the server its share of the input.
///
/// It has a guard bit and a noise of 0 or 1, speaks in two rounds, needs two items in the session, and has a phase ahead.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[expect(clippy::exhaustive_structs, reason = "it has no parameters")]
pub struct Noisy;

impl LinearAlgorithm for Noisy {
    fn name(&self) -> &'static str {
        "noisy"
    }

    fn guard_bits(&self) -> u32 {
        1
    }

    fn noisy(&self) -> bool {
        true
    }

    fn plan(&self, layer: &LinearLayer) -> Result<Box<dyn LinearProtocol>, Refusal> {
        let ring = Bits::new(layer.bits.get() + 1);
        let ring = ring.ok_or_else(|| Refusal::new("the ring has no room for a guard bit"))?;
        Ok(Box::new(NoisyProtocol {
            layer: *layer,
            ring,
        }))
    }
}

#[derive(Debug)]
struct NoisyProtocol {
    layer: LinearLayer,
    ring: Bits,
}

impl NoisyProtocol {
    /// What some images take: the shares of the inputs, and those of the results.
    fn rounds(&self, images: usize) -> Rounds {
        let shape = self.layer.shape;
        let requests = packed_len(images * shape.input_len(), self.layer.bits);
        let responses = packed_len(images * shape.output_len(), self.ring);
        Rounds::to_server(requests as u64).then(Rounds::to_client(responses as u64))
    }

    /// The server's shares of 2·W·x + e, and as many of the client's.
    async fn products(
        &self,
        party: &Party<'_>,
        weights: &[i32],
        x: &[Vec<u64>],
    ) -> Result<Vec<Vec<u64>>, Error> {
        if !KEYS
            .iter()
            .all(|key| party.kept(|keys: &mut Keys| keys.0.contains(key)))
        {
            return Err(Error::Backend("the session has no keys".into()));
        }
        let to_server = Reveal {
            to: Role::Server,
            bits: self.layer.bits,
        };
        let images = x.len();
        let x = to_server.run(party, &x.concat()).await?;
        let x = x.expect("the server's side");
        let mut shares = Vec::new();
        let mut said = Vec::new();
        let each = self.layer.shape.input_len();
        for image in 0..images {
            let x = &x[image * each..(image + 1) * each];
            let mut y = clear::layer(&self.layer, weights, x);
            let draw = || party.with_rng(|rng| rng.next_u64());
            y.iter_mut()
                .for_each(|y| *y = self.ring.reduce(2 * *y + draw() % 2));
            let theirs: Vec<u64> = y.iter().map(|_| self.ring.reduce(draw())).collect();
            slices::sub_assign(self.ring, &mut y, &theirs);
            shares.push(y);
            said.extend(theirs);
        }
        let mut bytes = vec![0; packed_len(said.len(), self.ring)];
        pack(&said, self.ring, &mut bytes);
        party.send(bytes).await?;
        Ok(shares)
    }

    /// The client's shares.
    async fn shares(&self, party: &Party<'_>, x: &[Vec<u64>]) -> Result<Vec<Vec<u64>>, Error> {
        let bits = self.layer.bits;
        let to_server = Reveal {
            to: Role::Server,
            bits,
        };
        to_server.run(party, &x.concat()).await?;
        let each = self.layer.shape.output_len();
        let mut y = vec![0; x.len() * each];
        let bytes = party.recv(packed_len(y.len(), self.ring)).await?;
        unpack(&bytes, self.ring, &mut y);
        let share = |image: usize| y[image * each..(image + 1) * each].to_vec();
        Ok((0..x.len()).map(share).collect())
    }
}

impl LinearProtocol for NoisyProtocol {
    fn name(&self) -> &'static str {
        Noisy.name()
    }

    fn layer(&self) -> &LinearLayer {
        &self.layer
    }

    fn output_bits(&self) -> Bits {
        self.ring
    }

    fn timing(&self) -> Timing {
        Timing::Rounds(self.rounds(1))
    }

    fn work(&self) -> Work {
        Work::default()
    }

    fn set_up(&self) -> Vec<Arc<dyn SetUp>> {
        KEYS.map(|key| -> Arc<dyn SetUp> { Arc::new(Key(key)) })
            .into()
    }

    fn serve<'a>(
        &'a self,
        party: &'a Party<'_>,
        parameters: LayerParameters<'a>,
        _: &'a Prepared,
        x: &'a [u64],
    ) -> Turn<'a> {
        Box::pin(async move {
            self.layer.check_parameters(parameters)?;
            self.layer.check_input(x)?;
            let x = [x.to_vec()];
            let mut y = self.products(party, parameters.weights, &x).await?.concat();
            let bias: Vec<i64> = parameters.bias.iter().map(|b| b << 1).collect();
            add_bias(self.ring, &mut y, &bias);
            Ok(y)
        })
    }

    fn request<'a>(&'a self, party: &'a Party<'_>, x: &'a [u64]) -> Turn<'a> {
        Box::pin(async move {
            self.layer.check_input(x)?;
            Ok(self.shares(party, &[x.to_vec()]).await?.concat())
        })
    }

    fn ahead(&self) -> Option<&dyn AheadProtocol> {
        Some(self)
    }
}

impl AheadProtocol for NoisyProtocol {
    fn ahead_rounds(&self, images: usize) -> Rounds {
        self.rounds(images)
    }

    fn serve_ahead<'a>(
        &'a self,
        party: &'a Party<'_>,
        parameters: LayerParameters<'a>,
        _: &'a Prepared,
        images: usize,
    ) -> AheadTurn<'a> {
        Box::pin(async move {
            self.layer.check_parameters(parameters)?;
            let zeros = vec![vec![0; self.layer.shape.input_len()]; images];
            self.products(party, parameters.weights, &zeros).await
        })
    }

    fn request_ahead<'a>(&'a self, party: &'a Party<'_>, r: &'a [Vec<u64>]) -> AheadTurn<'a> {
        Box::pin(async move { self.shares(party, r).await })
    }
}

/// The numbers of the items.
const KEYS: [u8; 2] = [3, 5];

/// Bytes of an item.
const KEY: usize = 100;

/// The items that a session has.
#[derive(Default)]
struct Keys(Vec<u8>);

#[derive(Debug)]
struct Key(u8);

impl SetUp for Key {
    fn name(&self) -> String {
        format!("noisy-{}", self.0)
    }

    fn cost(&self) -> Cost {
        Cost::to_server(KEY as u64)
    }

    fn is_done(&self, session: &mut Session) -> bool {
        session.kept::<Keys>().0.contains(&self.0)
    }

    fn run(&self, session: &mut Session) -> Result<(), Error> {
        session.run(async |party| -> Result<(), Error> {
            match party.role() {
                Role::Server => drop(party.recv(KEY).await?),
                Role::Client => party.send(vec![self.0; KEY]).await?,
            }
            Ok(())
        })?;
        session.kept::<Keys>().0.push(self.0);
        Ok(())
    }
}
