//! What a session needs before layers run in it.

use std::fmt;

use channel::Cost;
use sharing::Session;

use crate::Error;

/// A thing that the parties need once in a session, whichever layers need it: keys, say. It is kept in
/// [`Session::kept`].
///
/// Layers that need the same thing give items of the same name, and it is made once. Whoever runs layers goes through the items
/// of all of them, in the order of first use, and runs those that are not done; both parties do so alike.
pub trait SetUp: fmt::Debug + Send + Sync {
    /// What the item is known by; items of the same name are the same.
    fn name(&self) -> String;

    /// The exact cost of making it.
    fn cost(&self) -> Cost;

    /// Whether the session has it. Both parties' sessions have it, or neither's.
    fn is_done(&self, session: &mut Session) -> bool;

    /// Makes it; afterwards [`SetUp::is_done`].
    ///
    /// # Errors
    /// If the session fails, or an item that comes before this one is missing. After an error the session refuses to go on.
    fn run(&self, session: &mut Session) -> Result<(), Error>;
}
