//! What the client says before the requests of a layer.

use channel::SessionId;

use super::plan::Plan;

/// Bytes of a tag.
pub(super) const TAG: usize = 16;

/// What the requests of a layer in a session are known by, so that those of another session or layer, or of another form, are refused before
/// anything is computed with them. It is public.
pub(super) fn tag(session: &SessionId, layer: u64, plan: &Plan, images: usize) -> [u8; TAG] {
    let mut hash = blake3::Hasher::new_derive_key("blindray linear 2026 ring-LWE requests");
    hash.update(session);
    let format = plan.format;
    let public = [
        layer,
        format.set() as u64,
        format.request_bits().into(),
        format.response_bits().get().into(),
        plan.levels.into(),
        images as u64,
        plan.counts.requests,
        plan.counts.responses,
    ];
    for number in public {
        hash.update(&number.to_le_bytes());
    }
    let mut tag = [0; TAG];
    hash.finalize_xof().fill(&mut tag);
    tag
}
