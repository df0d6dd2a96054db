//! Both sides of a run.

use channel::{Cost, Role};
use sharing::Session;
use zeroize::Zeroizing;

use crate::Error;
use crate::ahead::Ahead;
use crate::compute::{Secret, Secrets, Share};
use crate::executor::SecureNetwork;
use crate::report::{Progress, RunReport};
use crate::run::Run;
use crate::weights::ServerWeights;

impl SecureNetwork {
    /// Runs the server's side of the network on one input of the client. If layers run ahead, the phase ahead of this input comes first.
    ///
    /// # Errors
    /// Whatever the channel or the peer did wrong; [`nets::Error::Weights`] for weights of another
    /// graph.
    ///
    /// # Panics
    /// If the session is the client's, or has another price of correlations than the plan.
    pub fn serve(
        &self,
        session: &mut Session,
        weights: &ServerWeights,
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<RunReport, Error> {
        let (left, before) = self.serve_ahead(session, weights, 1, progress)?;
        let ahead = left.into_iter().next().expect("of one image");
        let report = self.serve_after(session, weights, ahead, progress)?;
        Ok(report.after(before))
    }

    /// The same after a phase ahead, with what that left for this input.
    ///
    /// # Errors
    /// As [`SecureNetwork::serve`].
    ///
    /// # Panics
    /// As [`SecureNetwork::serve`], and if `ahead` is of another network.
    pub fn serve_after(
        &self,
        session: &mut Session,
        weights: &ServerWeights,
        ahead: Ahead,
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<RunReport, Error> {
        assert_eq!(session.role(), Role::Server, "the server serves");
        weights.weights().check(self.graph())?;
        let own = Secret::Weights(weights);
        Ok(self.walk(session, &Secrets { own, ahead }, progress)?.1)
    }

    /// Runs the client's side of the network on `input`, integers as [`nets::PublicModel::prepare`] gives
    /// them. Returns the integers of the output. If layers run ahead, the phase ahead of this input comes first.
    ///
    /// # Errors
    /// Whatever the channel or the peer did wrong; [`nets::Error::InputLength`].
    ///
    /// # Panics
    /// If the session is the server's, or has another price of correlations than the plan.
    pub fn infer(
        &self,
        session: &mut Session,
        input: &[i64],
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<(Vec<i64>, RunReport), Error> {
        self.check_input(input)?;
        let (left, before) = self.prepare_ahead(session, 1, progress)?;
        let ahead = left.into_iter().next().expect("of one image");
        let (output, report) = self.infer_after(session, input, ahead, progress)?;
        Ok((output, report.after(before)))
    }

    /// The same after a phase ahead, with what that left for this input.
    ///
    /// # Errors
    /// As [`SecureNetwork::infer`].
    ///
    /// # Panics
    /// As [`SecureNetwork::infer`], and if `ahead` is of another network.
    pub fn infer_after(
        &self,
        session: &mut Session,
        input: &[i64],
        ahead: Ahead,
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<(Vec<i64>, RunReport), Error> {
        assert_eq!(session.role(), Role::Client, "the client infers");
        self.check_input(input)?;
        let bits = self.graph().input().bits();
        let image = input.iter().map(|&x| bits.from_signed(x)).collect();
        let own = Secret::Image(Zeroizing::new(image));
        let (output, report) = self.walk(session, &Secrets { own, ahead }, progress)?;
        let bits = self.graph().output().bits();
        Ok((output.iter().map(|&y| bits.to_signed(y)).collect(), report))
    }

    fn check_input(&self, input: &[i64]) -> Result<(), Error> {
        let (expected, found) = (self.graph().input().shape.len(), input.len());
        if expected != found {
            return Err(nets::Error::InputLength { expected, found }.into());
        }
        Ok(())
    }

    fn walk(
        &self,
        session: &mut Session,
        secrets: &Secrets<'_>,
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<(Share, RunReport), Error> {
        self.check_price(session);
        secrets.ahead.check(session.role(), self.online.len());
        let set_up = self.set_up_after(session)?;
        session.mark();
        let (output, layers) = session.run(async |party| {
            let run = Run::new(self, party, secrets, progress);
            run.finish().await
        })?;
        let report = RunReport {
            mode: self.mode,
            layers,
            cost: session.measured(),
            set_up,
            ahead: Cost::none(),
        };
        Ok((output, report))
    }

    pub(crate) fn check_price(&self, session: &Session) {
        let price = session.cot_price();
        assert_eq!(price, self.price, "the plan is for another price");
    }
}
