//! Protocols with a phase ahead of the input.

use std::pin::Pin;

use channel::Role;
use ring_arith::slices;
use sharing::{Party, Reveal, Rounds};
use zeroize::Zeroizing;

use crate::{Error, LayerParameters, LinearProtocol, Prepared, Turn, add_bias, clear};

/// One party's side of a phase ahead: its shares, one vector for each image.
pub type AheadTurn<'a> = Pin<Box<dyn Future<Output = Result<Vec<Vec<u64>>, Error>> + 'a>>;

/// A protocol of which a part runs before the inputs are known.
///
/// **Functionality.** That of [`LinearProtocol`], in two phases. Ahead, the client draws a vector r for each image, uniform modulo 2^l, and
/// the parties obtain shares of 2^g·W·r modulo 2^(l+g), plus noise if the algorithm is noisy. Online, they turn these into shares of the
/// result for an input x. What the phase ahead gives is for one input: whoever uses it twice tells the server the difference of
/// two shares.
///
/// **Protocol** of the online phase. The client says x_C − r, so the server knows x − r. It adds 2^g·(W·(x − r) + b) to its share; the
/// client's share is the one from ahead. This is the same for all back-ends.
///
/// **Security** of the online phase. Perfect: r masks x_C, and the shares from ahead are fresh.
///
/// **Cost** of the online phase: one round, ceil(n·l/8) bytes to the server for n inputs.
pub trait AheadProtocol: LinearProtocol {
    /// What is said ahead for some images together, exactly.
    fn ahead_rounds(&self, images: usize) -> Rounds;

    /// What is said online for one image, exactly.
    fn online_rounds(&self) -> Rounds {
        let layer = self.layer();
        to_server(self.layer().bits).rounds(layer.shape.input_len())
    }

    /// The server's side ahead, for some images together, so that work on the weights is done once.
    ///
    /// # Errors
    /// As [`LinearProtocol::serve`].
    ///
    /// # Panics
    /// As [`LinearProtocol::serve`].
    fn serve_ahead<'a>(
        &'a self,
        party: &'a Party<'_>,
        parameters: LayerParameters<'a>,
        prepared: &'a Prepared,
        images: usize,
    ) -> AheadTurn<'a>;

    /// The client's side ahead, with a vector r for each image.
    ///
    /// # Errors
    /// As [`LinearProtocol::request`].
    ///
    /// # Panics
    /// As [`LinearProtocol::request`].
    fn request_ahead<'a>(&'a self, party: &'a Party<'_>, r: &'a [Vec<u64>]) -> AheadTurn<'a>;

    /// The server's side online, given its share from ahead.
    ///
    /// # Errors
    /// As [`LinearProtocol::serve`].
    ///
    /// # Panics
    /// If the party is the client, or `ahead` is not as long as the output.
    fn serve_online<'a>(
        &'a self,
        party: &'a Party<'_>,
        parameters: LayerParameters<'a>,
        ahead: &'a [u64],
        x: &'a [u64],
    ) -> Turn<'a> {
        Box::pin(async move {
            let layer = self.layer();
            layer.check_parameters(parameters)?;
            layer.check_input(x)?;
            let known = to_server(layer.bits).run(party, x).await?;
            let known = Zeroizing::new(known.expect("the server's side"));
            let ring = self.output_bits();
            let guard = ring.get() - layer.bits.get();
            let mut y = clear::layer(layer, parameters.weights, &known);
            slices::scale(ring, &mut y, 1 << guard);
            let bias = parameters.bias.iter().map(|b| b << guard);
            add_bias(ring, &mut y, &Zeroizing::new(bias.collect::<Vec<_>>()));
            slices::add_assign(ring, &mut y, ahead);
            Ok(y)
        })
    }

    /// The client's side online, given r and its share from ahead.
    ///
    /// # Errors
    /// As [`LinearProtocol::request`].
    ///
    /// # Panics
    /// If the party is the server, or `r` is not as long as the input.
    fn request_online<'a>(
        &'a self,
        party: &'a Party<'_>,
        r: &'a [u64],
        ahead: &'a [u64],
        x: &'a [u64],
    ) -> Turn<'a> {
        Box::pin(async move {
            let layer = self.layer();
            layer.check_input(x)?;
            let masked = slices::sub(layer.bits, x, r);
            let nothing = to_server(layer.bits).run(party, &masked).await?;
            assert!(nothing.is_none(), "the client's side");
            Ok(ahead.to_vec())
        })
    }
}

/// How the server learns x − r: the shares of it are x_S and x_C − r.
const fn to_server(bits: ring_arith::Bits) -> Reveal {
    Reveal {
        to: Role::Server,
        bits,
    }
}
