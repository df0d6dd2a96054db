//! Whom a place is counted for.

use std::net::{IpAddr, Ipv6Addr};

use crate::error::Digest;
use crate::guard::PeerIdentity;

/// What is fair is so between these.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Origin {
    /// Where a guard knows it.
    Identity(Digest),
    /// As [`network`] has it.
    Network(IpAddr),
}

impl Origin {
    pub(crate) fn of(identity: Option<&PeerIdentity>, from: IpAddr) -> Self {
        match identity {
            Some(identity) => Self::Identity(identity.key),
            None => Self::Network(network(from)),
        }
    }
}

/// What of an address stands for a party: of IPv6 the first 64 bits, as who has one address there has them all.
pub(crate) fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let network = address.to_bits() >> 64 << 64;
            Ipv6Addr::from_bits(network).into()
        }
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identity_goes_before_its_address_and_an_address_is_a_network() {
        let address = |text: &str| text.parse::<IpAddr>().expect("an address");
        let identity = |key| PeerIdentity {
            key: [key; 32],
            name: String::new(),
        };
        let here = address("10.0.0.1");
        assert_eq!(
            Origin::of(Some(&identity(1)), here),
            Origin::of(Some(&identity(1)), address("10.0.0.2"))
        );
        assert_ne!(
            Origin::of(Some(&identity(1)), here),
            Origin::of(Some(&identity(2)), here)
        );
        assert_ne!(
            Origin::of(None, here),
            Origin::of(None, address("10.0.0.2"))
        );
        assert_eq!(
            Origin::of(None, here),
            Origin::of(None, address("::ffff:10.0.0.1"))
        );
        let six = Origin::of(None, address("2001:db8:1:2:3::1"));
        assert_eq!(six, Origin::of(None, address("2001:db8:1:2:ffff::9")));
        assert_ne!(six, Origin::of(None, address("2001:db8:1:3:3::1")));
    }
}
