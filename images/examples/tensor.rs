//! From an image file to the input of a network: `cargo run -p blindray-images --example tensor -- [FILE]`.
//!
//! Without a file it makes a small PNG file in memory.

#![allow(clippy::print_stdout, reason = "an example shows what it finds")]

use std::error::Error;
use std::io::Cursor;
use std::path::Path;

use images::Image;
use nets::{Preprocessing, Shape};

fn main() -> Result<(), Box<dyn Error>> {
    let image = match std::env::args().nth(1) {
        Some(path) => Image::open(Path::new(&path))?,
        None => Image::decode("gradient.png", &gradient()?)?,
    };
    println!("{}, SHA-256 {}", image.name, image.sha256);

    // A network that takes grey images of 8 x 8, black as 0 and white as 1.
    let preprocessing = Preprocessing::new(Shape::new(1, 8, 8), vec![0.0], vec![1.0]);
    let bytes = preprocessing.pixels(&image.picture, 0);
    let input = preprocessing.values(&bytes)?;
    for row in input.chunks(8) {
        let row: Vec<String> = row.iter().map(|value| format!("{value:.2}")).collect();
        println!("{}", row.join(" "));
    }
    Ok(())
}

/// A PNG file of 64 x 64 pixels, dark at the left and bright at the right.
fn gradient() -> Result<Vec<u8>, image::ImageError> {
    let pixels = image::GrayImage::from_fn(64, 64, |x, _| {
        image::Luma([u8::try_from(4 * x).unwrap_or(u8::MAX)])
    });
    let mut file = Cursor::new(Vec::new());
    pixels.write_to(&mut file, image::ImageFormat::Png)?;
    Ok(file.into_inner())
}
