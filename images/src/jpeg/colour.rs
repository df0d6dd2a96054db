//! Luma and colour differences to red, green and blue, with the rounding of libjpeg (JFIF 1.02, in 16 bits of fraction).

/// The colour of a pixel of 8 bits.
pub(crate) fn rgb([luma, blue, red]: [u8; 3]) -> [u8; 3] {
    const HALF: i32 = 1 << 15;
    let (luma, blue, red) = (i32::from(luma), i32::from(blue) - 128, i32::from(red) - 128);
    [
        luma + ((91_881 * red + HALF) >> 16),
        luma + ((-22_554 * blue - 46_802 * red + HALF) >> 16),
        luma + ((116_130 * blue + HALF) >> 16),
    ]
    .map(clamped)
}

#[expect(clippy::cast_sign_loss, reason = "clamped to 0..=255")]
fn clamped(value: i32) -> u8 {
    value.clamp(0, 255) as u8
}
