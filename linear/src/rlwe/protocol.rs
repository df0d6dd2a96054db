//! The algorithms and their protocol.

use std::sync::Arc;

use ring_arith::{Bits, slices};
use sharing::{Party, Rounds};
use zeroize::Zeroizing;

use super::client;
use super::keys::Keys;
use super::plan::Plan;
use super::server::{Server, ingest};
use super::tag::TAG;
use crate::{
    AheadProtocol, AheadTurn, Error, LayerParameters, LinearAlgorithm, LinearLayer, LinearProtocol,
    Prepared, Refusal, SetUp, Timing, Turn, Work, add_bias, clear,
};

/// Linear layers by ring-LWE: the client encrypts its share, the server multiplies with its weights and answers.
///
/// **Functionality.** That of [`LinearProtocol`], with one guard bit and a noise: shares of 2·(W·x + b) + e modulo 2^(l+1), e ∈ {0, 1}. For
/// convolutions of every kind and fully connected layers, with rings of up to 40 bits; which widths of weights there is room for depends on ring
/// and size, and [`LinearAlgorithm::plan`] says so.
///
/// **Protocol.** W·x = W·x_S + W·x_C. The first term is local to the server. For the second, x_C is laid out in polynomials whose products with
/// polynomials of weights have the results as coefficients, as in Cheetah (eprint 2022/207):
///
/// - Strides and dilations go away first: the inputs of each phase of a stride are a channel of their own.
/// - A *tile* of the input with its zeros, row after row, is a run of slots. The zeros behind a row are those in front of the next. A layer without
///   neighbours (1 × 1) is cut into tiles anywhere.
/// - A power of two of channels share a ciphertext, interleaved. So do whole groups. In return, results of as many products share a response if `packed`
///   (eprint 2020/015, eprint 2023/1678).
/// - A product computes several outputs where a tile leaves room.
///
/// The client says all requests of the layer, the server all responses. Encryption, noise and shares are those of the crate `rlwe`. What layout and
/// parameters are best, both parties find by the same search: bytes at 250 Mbit/s and the time of the processors, in integers.
///
/// **Security.** Semi-honest, computational, by ring-LWE; packing assumes circular security as well, as its keys encrypt the client's secret under
/// itself. The client learns nothing: its responses are pseudorandom whatever the weights, if every result's noise is cut off by an exact
/// truncation before it has any effect. A result is wrong with probability 2^-66 at most.
///
/// **Cost.** Two rounds. 16 bytes and a request for each ciphertext to the server, a response for each 2^L units to the client:
/// 512·(bits of q − f) and 512·(l + 10) bytes each, where f bits are dropped. [`LinearProtocol::cost`] is exact. Once in a session, the keys that
/// [`LinearProtocol::set_up`] names. Both parties hold all messages of a layer, and the server the transforms of its requests: 64 KiB each for
/// l up to 28, 128 KiB beyond.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(clippy::exhaustive_structs, reason = "it has no other parameters")]
pub struct RingLwe {
    /// Whether results of several products may share a response, where that is cheaper: "ring-lwe", else "ring-lwe-unpacked".
    pub packed: bool,
}

impl LinearAlgorithm for RingLwe {
    fn name(&self) -> &'static str {
        if self.packed {
            "ring-lwe"
        } else {
            "ring-lwe-unpacked"
        }
    }

    fn guard_bits(&self) -> u32 {
        1
    }

    fn noisy(&self) -> bool {
        true
    }

    fn plan(&self, layer: &LinearLayer) -> Result<Box<dyn LinearProtocol>, Refusal> {
        let plan = Plan::new(layer, self.packed)?;
        Ok(Box::new(RingLweProtocol {
            algorithm: *self,
            layer: *layer,
            plan,
        }))
    }
}

/// The protocol of [`RingLwe`].
#[derive(Debug)]
struct RingLweProtocol {
    algorithm: RingLwe,
    layer: LinearLayer,
    plan: Plan,
}

impl RingLweProtocol {
    /// The server's shares of 2·W·x_C for some images.
    async fn serve_products(
        &self,
        party: &Party<'_>,
        weights: &[i32],
        images: usize,
    ) -> Result<Vec<Vec<u64>>, Error> {
        let (plan, id) = (&self.plan, party.session_id());
        let start = party.kept(|keys: &mut Keys| keys.serve(&id, plan, images))?;
        let said = party.recv(plan.bytes_up(images)).await?;
        if said[..TAG] != start.tag {
            return Err(Error::OtherRequests);
        }
        let ciphertexts = ingest(plan, &start.key, start.numbers, &said[TAG..])?;
        drop(said);
        let server = Server {
            plan,
            key: &start.key,
            weights,
            taps: &plan.layout.taps(),
        };
        let (responses, shares) = server.respond(&ciphertexts, images);
        drop(ciphertexts);
        party.send(responses).await?;
        Ok(shares)
    }

    /// The client's shares of 2·W·x_C + e for some images.
    async fn request_products(
        &self,
        party: &Party<'_>,
        images: &[&[u64]],
    ) -> Result<Vec<Vec<u64>>, Error> {
        let (plan, id) = (&self.plan, party.session_id());
        let start = party.kept(|keys: &mut Keys| keys.request(&id, plan, images.len()))?;
        let key = Arc::clone(&start.key);
        party.send(client::requests(plan, start, images)).await?;
        let said = party.recv(plan.bytes_down(images.len())).await?;
        client::shares(plan, &key, &said, images.len())
    }
}

impl LinearProtocol for RingLweProtocol {
    fn name(&self) -> &'static str {
        self.algorithm.name()
    }

    fn layer(&self) -> &LinearLayer {
        &self.layer
    }

    fn output_bits(&self) -> Bits {
        self.plan.format.shares()
    }

    fn timing(&self) -> Timing {
        Timing::Rounds(self.plan.rounds(1))
    }

    fn work(&self) -> Work {
        self.plan.work()
    }

    fn set_up(&self) -> Vec<Arc<dyn SetUp>> {
        let items = self.plan.items().into_iter();
        items
            .map(|item| -> Arc<dyn SetUp> { Arc::new(item) })
            .collect()
    }

    fn serve<'a>(
        &'a self,
        party: &'a Party<'_>,
        parameters: LayerParameters<'a>,
        _: &'a Prepared,
        x: &'a [u64],
    ) -> Turn<'a> {
        Box::pin(async move {
            let LayerParameters { weights, bias } = parameters;
            self.layer.check_parameters(parameters)?;
            self.layer.check_input(x)?;
            // While the client encrypts.
            let mut y = clear::layer(&self.layer, weights, x);
            let shares = self.serve_products(party, weights, 1).await?;
            let ring = self.output_bits();
            slices::scale(ring, &mut y, 2);
            shares
                .iter()
                .for_each(|share| slices::add_assign(ring, &mut y, share));
            let bias = bias.iter().map(|bias| bias << 1);
            add_bias(ring, &mut y, &Zeroizing::new(bias.collect::<Vec<_>>()));
            Ok(y)
        })
    }

    fn request<'a>(&'a self, party: &'a Party<'_>, x: &'a [u64]) -> Turn<'a> {
        Box::pin(async move {
            self.layer.check_input(x)?;
            let mut shares = self.request_products(party, &[x]).await?;
            Ok(shares.pop().expect("one image"))
        })
    }

    fn ahead(&self) -> Option<&dyn AheadProtocol> {
        Some(self)
    }
}

impl AheadProtocol for RingLweProtocol {
    fn ahead_rounds(&self, images: usize) -> Rounds {
        self.plan.rounds(images)
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
            self.serve_products(party, parameters.weights, images).await
        })
    }

    fn request_ahead<'a>(&'a self, party: &'a Party<'_>, r: &'a [Vec<u64>]) -> AheadTurn<'a> {
        Box::pin(async move {
            r.iter().try_for_each(|r| self.layer.check_input(r))?;
            let images: Vec<&[u64]> = r.iter().map(Vec::as_slice).collect();
            self.request_products(party, &images).await
        })
    }
}
